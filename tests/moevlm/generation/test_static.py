"""The fixed-shape decode step: same tokens as the growing cache gives, through a capture that bakes in every number.

`traced` stands for a CUDA graph where there is none: the step is traced to a list of tensor operations, and only these
are run again. Whatever the step kept in Python, or read from a tensor that does not stay, would be frozen.
"""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from moevlm import StaticDecoder, decode_steps, prefill
from moevlm.generation.cuda_graph import WARMUP_CALLS
from moevlm.kernels.backends import set_expert_backend
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile
from tests.moevlm.generation.test_generation import left_padded

NEW_TOKENS = 24


def plain(step):
    return step


def traced(step):
    for _ in range(WARMUP_CALLS):
        step()
    graph = make_fx(lambda: step() or torch.zeros(()))()
    return lambda: graph() and None


CAPTURES = pytest.mark.parametrize("capture", [plain, traced])


def both_ways(model, inputs, *, capture, batch_size=None, max_length=64):
    """Return what the growing cache and the decoder choose after the same prompt."""
    decoder = StaticDecoder(
        model, batch_size=batch_size or len(inputs["input_ids"]), max_length=max_length, capture=capture
    )
    expected = decode_steps(model, prefill(model, inputs, max_new_tokens=NEW_TOKENS), num_steps=NEW_TOKENS)
    start = prefill(model, inputs, max_new_tokens=NEW_TOKENS, memory=decoder.memory)
    return expected, decoder.decode_steps(start, num_steps=NEW_TOKENS), decoder, start


def assert_same(expected, found):
    torch.testing.assert_close(found.logits_BV, expected.logits_BV, rtol=0, atol=1e-5)  # norms work in float32
    assert torch.equal(found.tokens_BN, expected.tokens_BN)
    assert torch.equal(found.position_B1, expected.position_B1)
    assert (found.length, found.max_length) == (expected.length, expected.max_length)


@CAPTURES
@pytest.mark.parametrize("num_experts", [8, 0])
def test_fixed_shapes_choose_the_tokens_that_a_growing_cache_does(make_exact, make_prompt, capture, num_experts):
    model = make_exact(num_experts=num_experts)
    expected, found, _, _ = both_ways(model, {"input_ids": make_prompt(2, 20)}, capture=capture)
    assert_same(expected, found)
    assert len(found.tokens_BN.unique()) >= 16


@CAPTURES
def test_a_padded_batch_of_unequal_lengths_fills_part_of_a_bucket(make_exact, make_prompt, capture):
    model, prompts = make_exact(), make_prompt(3, 20)
    inputs = left_padded([prompts[0], prompts[1, :13], prompts[2, :5]])
    expected, found, _, _ = both_ways(model, inputs, capture=capture, batch_size=4)
    assert_same(expected, found)


def test_a_routing_profile_steers_the_fixed_step_too(make_exact, make_prompt):
    model = make_exact()
    apply_profile(model, RoutingProfile.parse("specialized:3"))
    expected, found, _, _ = both_ways(model, {"input_ids": make_prompt(2, 20)}, capture=traced)
    assert_same(expected, found)


def test_a_decoder_goes_on_and_starts_again_from_its_states(make_exact, make_prompt):
    model = make_exact()
    expected, found, decoder, start = both_ways(model, {"input_ids": make_prompt(2, 20)}, capture=plain)
    halves = decoder.decode_steps(start, num_steps=10)
    first = halves.tokens_BN
    halves = decoder.decode_steps(halves, num_steps=NEW_TOKENS - 10)
    assert torch.equal(torch.cat([first, halves.tokens_BN], dim=1), expected.tokens_BN)
    assert torch.equal(found.tokens_BN, expected.tokens_BN)


def test_one_decoder_serves_batch_after_batch(make_exact, make_prompt):
    model = make_exact()
    _, _, decoder, _ = both_ways(model, {"input_ids": make_prompt(3, 30, seed=5)}, capture=plain)
    inputs = {"input_ids": make_prompt(2, 9)}
    state = prefill(model, inputs, max_new_tokens=NEW_TOKENS, memory=decoder.memory)
    expected = decode_steps(model, prefill(model, inputs, max_new_tokens=NEW_TOKENS), num_steps=NEW_TOKENS)
    assert_same(expected, decoder.decode_steps(state, num_steps=NEW_TOKENS))


def test_a_decoders_state_goes_on_in_the_growing_cache(make_exact, make_prompt):
    model = make_exact()
    expected, _, decoder, start = both_ways(model, {"input_ids": make_prompt(2, 20)}, capture=plain)
    state = decode_steps(model, decoder.decode_steps(start, num_steps=10), num_steps=NEW_TOKENS - 10)
    torch.testing.assert_close(state.logits_BV, expected.logits_BV, rtol=0, atol=1e-5)


def test_the_buffers_stay_where_they_are(make_model, make_prompt):
    model = make_model()
    _, _, decoder, start = both_ways(model, {"input_ids": make_prompt(2, 20)}, capture=plain)
    buffers = [value for value in vars(decoder).values() if isinstance(value, torch.Tensor)]
    before = [buffer.data_ptr() for buffer in buffers]
    decoder.decode_steps(start, num_steps=3)
    assert [value.data_ptr() for value in vars(decoder).values() if isinstance(value, torch.Tensor)] == before
    assert len(before) == 5


def test_a_graph_of_a_model_on_a_cpu_is_refused(make_model):
    with pytest.raises(ValueError, match=r"must be on a CUDA device, got cpu; run it as .* moevlm\.decode_steps"):
        StaticDecoder(make_model(), batch_size=1, max_length=8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("backend", ["moevlm", "grouped_mm", "batched_mm"])
@pytest.mark.parametrize("num_experts", [8, 0])
def test_a_cuda_graph_gives_the_logits_of_its_step_and_of_the_growing_cache(
    make_model, make_prompt, backend, num_experts
):
    """In bfloat16: grouped_mm of other dtypes reads ends on the host, which no graph holds."""
    model = make_model(num_experts=num_experts).cuda().bfloat16()
    set_expert_backend(model, backend)
    _, found, decoder, start = both_ways(model, {"input_ids": make_prompt(2, 20).cuda()}, capture=None)
    plain = decoder.decode_steps(start, num_steps=NEW_TOKENS, replayed=False)
    torch.testing.assert_close(found.logits_BV, plain.logits_BV, rtol=0, atol=1e-2)
    assert torch.equal(found.tokens_BN, plain.tokens_BN)
    first = decoder.decode_steps(start, num_steps=1).logits_BV.double()
    growing = decode_steps(model, start, num_steps=1).logits_BV.double()  # another kernel attends: rounding differs
    assert (first - growing).norm() < 6e-2 * growing.norm()


def test_another_attention_is_refused(make_model):
    model = make_model()
    model.set_attn_implementation("eager")
    with pytest.raises(ValueError, match="a fixed-shape step needs attention 'sdpa', got 'eager'; "):
        StaticDecoder(model, batch_size=1, max_length=8, capture=plain)


@pytest.mark.parametrize(("size", "value"), [("batch_size", 0), ("max_length", 2)])
def test_sizes_that_are_too_small_are_refused(make_model, size, value):
    with pytest.raises(ValueError, match=f"{size} must be at least .*, got {value}; "):
        StaticDecoder(make_model(), capture=plain, **{"batch_size": 1, "max_length": 8, size: value})


def test_a_state_of_another_cache_is_refused(make_model, make_prompt):
    model = make_model()
    decoder = StaticDecoder(model, batch_size=1, max_length=32, capture=plain)
    state = prefill(model, {"input_ids": make_prompt(1, 20)}, max_new_tokens=4)
    with pytest.raises(ValueError, match="must lie in the decoder's memory, got one elsewhere; prefill with memory="):
        decoder.decode_steps(state, num_steps=2)


@pytest.mark.parametrize("shape", [(2, 20), (1, 30)])
def test_a_prompt_that_does_not_fit_the_memory_is_refused(make_model, make_prompt, shape):
    model = make_model()
    decoder = StaticDecoder(model, batch_size=1, max_length=32, capture=plain)
    message = rf"up to 1 samples and 32 tokens, got {shape[0]} x {shape[1] + 4}; take a"
    with pytest.raises(ValueError, match=message):
        prefill(model, {"input_ids": make_prompt(*shape)}, max_new_tokens=4, memory=decoder.memory)
