"""Prefill in chunks of samples: the same logits, the tower once an image, and how large a chunk is."""

from importlib import import_module

import pytest
import torch

from moevlm import decode_steps, prefill
from moevlm.generation.prefill import CHUNK_BYTES, samples_a_chunk
from moevlm.model.batch_part import BatchPart
from moevlm.presets import preset_config
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile
from tests.moevlm.generation.test_generation import left_padded


@pytest.fixture
def batch(make_prompt):
    """Five samples with two images each, and one without padding among them."""
    prompts = make_prompt(5, 20, image_tokens=8)
    inputs = left_padded([prompts[0], prompts[1], prompts[2, :16], prompts[3, :12], prompts[4, :18]])
    pixels = torch.randn(10, 3, 28, 28, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    return inputs | {"pixel_values": pixels}


@pytest.mark.parametrize("chunk_samples", [1, 2, 5, 9])
@pytest.mark.parametrize("num_experts", [8, 0])
def test_chunks_give_the_logits_of_the_models_forward(make_exact, batch, num_experts, chunk_samples):
    model = make_exact(num_experts=num_experts)
    if num_experts:
        apply_profile(model, RoutingProfile.parse("specialized:3"))  # depends on a sample's number in the batch
    state = prefill(model, batch, max_new_tokens=4, chunk_samples=chunk_samples)
    position_BS = (batch["attention_mask"].cumsum(-1) - 1).clamp_min(0)
    with torch.inference_mode():
        expected = model(**batch, position_ids=position_BS).logits[:, -1]
    torch.testing.assert_close(state.logits_BV, expected, rtol=0, atol=1e-5)  # norms work in float32
    whole = decode_steps(model, prefill(model, batch, max_new_tokens=4), num_steps=4)
    assert torch.equal(decode_steps(model, state, num_steps=4).tokens_BN, whole.tokens_BN)


def test_the_tower_runs_once_for_all_chunks(make_exact, batch):
    model, images = make_exact(), []
    model.model.vision_tower.register_forward_hook(lambda _m, args, _out: images.append(len(args[0])))
    prefill(model, batch, max_new_tokens=4, chunk_samples=2)
    assert images == [10]


def test_the_decoder_sees_a_chunk_at_a_time(make_exact, batch):
    model, rows = make_exact(), []
    model.model.language_model.layers[0].register_forward_hook(lambda _m, args, _out: rows.append(len(args[0])))
    prefill(model, batch, max_new_tokens=4, chunk_samples=2)
    assert rows == [2, 2, 1]


def test_samples_are_numbered_as_before_after_a_prefill(make_exact, batch):
    model = make_exact()
    prefill(model, batch, max_new_tokens=4, chunk_samples=2)
    assert model.model.language_model.batch_part == BatchPart()


def test_anyres_tiles_go_where_the_forward_puts_them(make_exact, make_prompt):
    model = make_exact(pinpoints=[[28, 56], [56, 28], [56, 56]])
    sizes = torch.tensor([[28, 56], [56, 56]])
    pixels = torch.randn(2, 5, 3, 28, 28, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with torch.inference_mode():
        features = model.model.get_image_features(pixels, sizes, return_dict=True).pooler_output
    prompts = [make_prompt(1, 40, image_tokens=len(own))[0] for own in features]
    inputs = {"input_ids": torch.stack(prompts), "pixel_values": pixels, "image_sizes": sizes}
    with torch.inference_mode():
        expected = model(**inputs).logits[:, -1]
    state = prefill(model, inputs, max_new_tokens=1, chunk_samples=1)
    torch.testing.assert_close(state.logits_BV, expected, rtol=0, atol=1e-5)


def test_the_widest_presets_batch_of_64_is_cut_by_bytes():
    dense, moe = (preset_config("34b", arm).text_config for arm in ("dense", "moe"))
    # gate, up, act(gate) and their product are 98,304 wide: 786,432 bytes a token, so 10 samples of 1,024
    assert samples_a_chunk(dense, seq_len=1024, dtype_bytes=2) == 8 * 2**30 // (786_432 * 1024) == 10
    # 8 pairs of 4 x 2,048 + 768 values: 143,360 bytes a token
    assert samples_a_chunk(moe, seq_len=1024, dtype_bytes=2) == 8 * 2**30 // (143_360 * 1024) == 58


def test_a_chunk_holds_a_sample_at_least():
    dense = preset_config("34b", "dense").text_config
    assert samples_a_chunk(dense, seq_len=CHUNK_BYTES, dtype_bytes=2) == 1


def test_chunks_of_no_sample_are_refused(make_exact, batch):
    with pytest.raises(ValueError, match="chunk_samples must be at least 1, got 0; leave it out"):
        prefill(make_exact(), batch, max_new_tokens=4, chunk_samples=0)


def test_chunks_of_a_recorded_prompt_or_of_a_devices_part_are_refused(make_exact, batch):
    model, message = make_exact(), "where routing is recorded or devices share a batch .*, got 2; leave"
    with pytest.raises(ValueError, match=message):
        prefill(model, batch, max_new_tokens=4, chunk_samples=2, routing_record=[])
    model.model.language_model.batch_part = BatchPart(step=2)
    with pytest.raises(ValueError, match=message):
        prefill(model, batch, max_new_tokens=4, chunk_samples=2)


def test_bytes_choose_the_chunk_and_a_recorded_prompt_passes_in_one_piece(make_exact, batch, monkeypatch):
    monkeypatch.setattr(import_module("moevlm.generation.prefill"), "CHUNK_BYTES", 1)
    model, rows, record = make_exact(), [], []
    model.model.language_model.layers[0].register_forward_hook(lambda _m, args, _out: rows.append(len(args[0])))
    prefill(model, batch, max_new_tokens=4)
    prefill(model, batch, max_new_tokens=4, routing_record=record)
    assert rows == [1, 1, 1, 1, 1, 5]
    assert [len(layer.ids_BSK) for layer in record] == [5, 5]
