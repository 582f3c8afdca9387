"""Beams, several answers and beam sampling: each copy of a sample keeps its own images, as in transformers' LLaVA."""

import pytest
import torch
from transformers import set_seed

from moevlm.compat import ENCODES_IMAGES_FIRST
from tests.moevlm.model.transformers_twin import twin_of

NEW_TOKENS = 12
PINPOINTS = [[28, 56], [56, 28], [56, 56]]
MODES = {
    "beams": {"num_beams": 3},
    "beams, two answers": {"num_beams": 3, "num_return_sequences": 2},
    "sampling, two answers": {"do_sample": True, "num_return_sequences": 2},
    "beam sampling": {"do_sample": True, "num_beams": 2},
}
encodes_first = pytest.mark.skipif(not ENCODES_IMAGES_FIRST, reason="transformers 5.17 mixes images of beams up itself")


def batch(model, num_images, lengths):
    """Left-padded prompts with so many images each, whose features take `lengths` tokens in turn."""
    image_token_id, generator = model.config.image_token_id, torch.Generator().manual_seed(2)
    lengths, rows = iter(lengths), []
    for count in num_images:
        text = torch.randint(image_token_id + 1, 256, (3 * count + 5,), generator=generator).tolist()
        for image in range(count):
            text[2 + 3 * image] = [image_token_id] * next(lengths)
        rows.append([token for part in text for token in (part if isinstance(part, list) else [part])])
    longest = max(map(len, rows))
    ids_BS = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
    mask_BS = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids_BS, "attention_mask": mask_BS}


def tokens(model, inputs, **mode):
    set_seed(5)
    return model.generate(**inputs, max_new_tokens=NEW_TOKENS, eos_token_id=None, pad_token_id=0, **mode)


@encodes_first
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("num_images", "num_experts"), [((1, 2), 0), ((0, 1, 2, 3), 8), ((2,), 8), ((3, 0), 8)])
def test_tokens_equal_llavas_whatever_the_number_of_images(make_model, mode, num_images, num_experts):
    model = make_model(num_experts=num_experts)
    count = sum(num_images)
    pixels = torch.randn(count, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    inputs = {**batch(model, num_images, [4] * count), "pixel_values": pixels}
    options = {"do_sample": False, **MODES[mode]}
    assert torch.equal(tokens(model, inputs, **options), tokens(twin_of(model), inputs, **options))


@encodes_first
@pytest.mark.parametrize("mode", MODES)
def test_tokens_equal_llava_nexts_with_tiled_images(make_model, mode):
    model = make_model(pinpoints=PINPOINTS)
    images = {"pixel_values": torch.randn(3, 5, 3, 28, 28, generator=torch.Generator().manual_seed(1)),
              "image_sizes": torch.tensor([[50, 20], [40, 56], [20, 50]])}  # fmt: skip
    lengths = [len(features) for features in model.model.get_image_features(**images).pooler_output]
    inputs = {**batch(model, (2, 1), lengths), **images}
    options = {"do_sample": False, **MODES[mode]}
    assert torch.equal(tokens(model, inputs, **options), tokens(twin_of(model), inputs, **options))


@pytest.mark.skipif(ENCODES_IMAGES_FIRST, reason="this transformers keeps each sample's images together")
@pytest.mark.parametrize("num_images", [(1, 2), (0, 1), (2, 2)])
def test_images_that_this_transformers_would_mix_up_are_refused(make_model, num_images):
    model = make_model()
    inputs = {**batch(model, num_images, [4] * 9), "pixel_values": torch.randn(sum(num_images), 3, 28, 28)}
    with pytest.raises(ValueError, match="beams and several answers need one image a sample"):
        tokens(model, inputs, num_beams=2)


def test_one_image_a_sample_is_taken_by_every_version(make_model):
    model = make_model()
    inputs = {**batch(model, (1, 1), [4, 4]), "pixel_values": torch.randn(2, 3, 28, 28)}
    options = {"do_sample": False, "num_beams": 3, "num_return_sequences": 2}
    assert torch.equal(tokens(model, inputs, **options), tokens(twin_of(model), inputs, **options))
