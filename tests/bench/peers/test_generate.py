"""transformers' own model over our tensors: the same tokens as ours, the same memory, the same routing profile."""

import pytest
import torch

from bench.peers.generate import transformers_model
from fixtures.models import build_twins
from moevlm.generation import answer
from moevlm.routing_profiles import RoutingProfile

NEW_TOKENS = 12


@pytest.fixture(scope="module", params=["fixed", "anyres"])
def visual(request):
    return request.param


def build(visual, **options):
    return build_twins("tiny", arms=["moe"], device=torch.device("cpu"), dtype=torch.float32, visual=visual, **options)[
        "moe"
    ]


def prompt_with_images(model):
    """Two samples of 300 tokens with an image each; of one tile, or of a square that anyres cuts into four and one."""
    config, generator = model.config, torch.Generator().manual_seed(1)
    side = config.vision_config.image_size
    tiles = () if config.image_grid_pinpoints is None else (5,)
    inputs = {"pixel_values": torch.randn(2, *tiles, 3, side, side, generator=generator)}
    if tiles:
        inputs["image_sizes"] = torch.full((2, 2), 2 * side)
    features = model.model.get_image_features(**inputs, return_dict=True).pooler_output
    ids_BS = torch.randint(10, 200, (2, 300 + len(features[0])), generator=generator)
    ids_BS[:, 2 : 2 + len(features[0])] = config.image_token_id
    return inputs | {"input_ids": ids_BS, "attention_mask": torch.ones_like(ids_BS)}


@pytest.mark.parametrize("backend", ["grouped_mm", "eager"])
@pytest.mark.parametrize("routing", ["weights", "specialized:3"])
def test_it_chooses_the_tokens_that_our_loop_does(visual, routing, backend):
    model = build(visual, routing=RoutingProfile.parse(routing))
    inputs = prompt_with_images(model)
    ours = answer(model, inputs, max_new_tokens=NEW_TOKENS)
    peer = transformers_model(model, backend)
    with torch.inference_mode():
        theirs = peer.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None)
    assert torch.equal(theirs[:, inputs["input_ids"].shape[1] :], ours)


def test_it_holds_no_tensor_of_its_own(visual):
    model = build(visual)
    own = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    peer = transformers_model(model, "grouped_mm")
    assert {tensor.untyped_storage().data_ptr() for tensor in [*peer.parameters(), *peer.buffers()]} <= own


def test_a_dense_model_is_refused():
    dense = build_twins("tiny", arms=["dense"], device=torch.device("cpu"), dtype=torch.float32)["dense"]
    with pytest.raises(ValueError, match="must have experts and no hard routing, got num_experts=0, "):
        transformers_model(dense, "grouped_mm")
