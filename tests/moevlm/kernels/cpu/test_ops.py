"""CPU kernels: each tier against a float64 sum over all experts, at every point of the grid and at its edges."""

import pytest
import torch
from torch.nn.functional import silu

from moevlm.kernels.cpu import ops
from moevlm.kernels.cpu.build import load

GRID_TOKENS = (1, 2, 4, 8, 16, 32, 64, 256, 1024, 2048)
GRID_EXPERTS = ((2, 16), (8, 64), (8, 128))  # chosen, all
RELATIVE_BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 5e-3}  # asked: 1e-3 and 1e-2

pytestmark = pytest.mark.skipif(load() is not None, reason=f"the kernels could not be compiled: {load()}")
TIERS_AND_DTYPES = [
    pytest.param(tier, dtype, id=f"{tier}-{dtype}") for tier in ops.tiers() for dtype in RELATIVE_BOUNDS
]


def make_weights(num_experts, width, hidden_size, dtype):
    generator = torch.Generator().manual_seed(num_experts + width)
    gate_up = torch.randn(num_experts, 2 * width, hidden_size, generator=generator) * hidden_size**-0.5
    return gate_up.to(dtype), torch.randn(num_experts, width, hidden_size, generator=generator).to(dtype)


def make_tokens(num_tokens, hidden_size, dtype, seed=7):
    return torch.randn(num_tokens, hidden_size, generator=torch.Generator().manual_seed(seed)).to(dtype)


def choose(num_tokens, top_k, num_experts, dtype):
    weights_TK, ids_TK = torch.rand(num_tokens, num_experts, generator=torch.Generator().manual_seed(5)).topk(top_k)
    return ids_TK, weights_TK.to(dtype)


def slow_sum(gate_up, down, hidden, ids, weights):
    """Send every token through every expert in float64; its weight is zero where it was not chosen."""
    gate_up, down, hidden = gate_up.double(), down.double(), hidden.double()
    share_TE = torch.zeros(len(hidden), len(down) + 1, dtype=torch.float64).scatter_add(1, ids, weights.double())
    output = torch.zeros_like(hidden)
    for expert in range(len(down)):
        gate, up = (hidden @ gate_up[expert].T).chunk(2, dim=-1)
        output += share_TE[:, expert, None] * ((silu(gate) * up) @ down[expert])
    return output


def assert_agrees(actual, expected, dtype):
    assert actual.dtype == dtype
    assert actual.shape == expected.shape
    error = (actual.double() - expected).norm() / expected.norm()
    assert error < RELATIVE_BOUNDS[dtype]


@pytest.mark.parametrize("num_tokens", GRID_TOKENS)
@pytest.mark.parametrize(("top_k", "num_experts"), GRID_EXPERTS)
@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_every_tier_agrees_with_float64_at_every_grid_point(tier, dtype, top_k, num_experts, num_tokens):
    weights = make_weights(num_experts, 32, 64, dtype)
    hidden, (ids, by) = make_tokens(num_tokens, 64, dtype), choose(num_tokens, top_k, num_experts, dtype)
    actual = ops.swiglu_experts(*weights, hidden, ids, by, tier=tier)
    assert_agrees(actual, slow_sum(*weights, hidden, ids, by), dtype)


@pytest.mark.parametrize("num_tokens", [1, 5, 7, 17, 48, 257, 600])  # 257, 600: more than the kernels take at a time
@pytest.mark.parametrize(  # hidden size, width: odd multiples, more than a block has, more than a part of a row
    "sizes", [(320, 96), (64, 544), (512, 64), (2112, 64)], ids=str
)
@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_one_expert_may_take_all_tokens_and_others_none_at_any_size(tier, dtype, sizes, num_tokens):
    hidden_size, width = sizes
    weights = make_weights(3, width, hidden_size, dtype)
    hidden, ids = make_tokens(num_tokens, hidden_size, dtype), torch.ones(num_tokens, 1, dtype=torch.int64)
    by = torch.rand(num_tokens, 1, generator=torch.Generator().manual_seed(1)).to(dtype)
    actual = ops.swiglu_experts(*weights, hidden, ids, by, tier=tier)
    assert_agrees(actual, slow_sum(*weights, hidden, ids, by), dtype)


@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_experts_of_unlike_counts_are_taken_in_chunks_of_their_own(tier, dtype):
    counts = torch.tensor([300, 256, 1, 0, 520])  # of vectors: in two, one, one, none and three
    weights = make_weights(len(counts), 32, 64, dtype)
    mixed = torch.randperm(int(counts.sum()), generator=torch.Generator().manual_seed(2))
    ids = torch.arange(len(counts)).repeat_interleave(counts)[mixed][:, None]
    hidden, by = make_tokens(len(ids), 64, dtype), torch.ones(len(ids), 1, dtype=dtype)
    actual = ops.swiglu_experts(*weights, hidden, ids, by, tier=tier)
    assert_agrees(actual, slow_sum(*weights, hidden, ids, by), dtype)


@pytest.mark.parametrize("num_tokens", [1, 7, 40, 600])
@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_the_dense_twin_is_all_experts_with_weight_one(tier, dtype, num_tokens):
    weights = make_weights(5, 64, 128, dtype)
    hidden, ids = make_tokens(num_tokens, 128, dtype), torch.arange(5).expand(num_tokens, 5)
    actual = ops.swiglu_dense(*weights, hidden, tier=tier)
    assert_agrees(actual, slow_sum(*weights, hidden, ids, torch.ones(num_tokens, 5)), dtype)


@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_two_threads_agree_with_float64_and_with_themselves(tier, dtype):
    weights = make_weights(16, 96, 128, dtype)
    hidden, (ids, by) = make_tokens(40, 128, dtype), choose(40, 2, 16, dtype)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        first, second = (ops.swiglu_experts(*weights, hidden, ids, by, tier=tier) for _ in range(2))
    finally:
        torch.set_num_threads(before)
    assert_agrees(first, slow_sum(*weights, hidden, ids, by), dtype)
    assert torch.equal(first, second)


@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_no_tokens_give_no_rows(tier, dtype):
    weights, hidden = make_weights(4, 32, 64, dtype), torch.empty(0, 64, dtype=dtype)
    no_ids = torch.empty(0, 2, dtype=torch.int64)
    assert ops.swiglu_experts(*weights, hidden, no_ids, torch.empty(0, 2), tier=tier).shape == (0, 64)
    assert ops.swiglu_dense(*weights, hidden, tier=tier).shape == (0, 64)


@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_rows_need_not_be_contiguous(tier, dtype):
    weights, wide = make_weights(4, 32, 64, dtype), make_tokens(9, 128, dtype)
    ids, by = choose(9, 2, 4, dtype)
    hidden, ids, by = wide[:, ::2], ids.T.contiguous().T, by.T.contiguous().T
    actual = ops.swiglu_experts(*weights, hidden, ids, by, tier=tier)
    assert_agrees(actual, slow_sum(*weights, hidden, ids, by), dtype)


@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_a_choice_marked_as_anothers_adds_nothing(tier, dtype):
    weights, hidden = make_weights(4, 32, 64, dtype), make_tokens(6, 64, dtype)
    ids, by = choose(6, 2, 4, dtype)
    ids[2, 0] = ids[3, 0] = ids[3, 1] = 4  # transformers marks experts of other devices so
    actual = ops.swiglu_experts(*weights, hidden, ids, by, tier=tier)
    assert_agrees(actual, slow_sum(*weights, hidden, ids, by), dtype)
    assert (actual[3] == 0).all()


@pytest.mark.parametrize("num_tokens", [3, 40])
@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_a_token_that_is_not_a_number_spoils_no_other(tier, dtype, num_tokens):
    weights, hidden = make_weights(2, 32, 64, dtype), make_tokens(num_tokens, 64, dtype)
    hidden[1] = torch.nan
    ids, by = choose(num_tokens, 2, 2, dtype)
    actual = ops.swiglu_experts(*weights, hidden, ids, by, tier=tier)
    assert actual[1].isnan().all()
    assert actual[[token for token in range(num_tokens) if token != 1]].isfinite().all()


@pytest.mark.parametrize("num_tokens", [3, 40])
@pytest.mark.parametrize("at", [("gate_up", 3), ("gate_up", 35), ("down", 7)], ids=["gate", "up", "down"])
@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_nan_in_an_expert_reaches_the_tokens_that_chose_it_and_no_other(tier, dtype, at, num_tokens):
    (gate_up, down), hidden = make_weights(4, 32, 64, dtype), make_tokens(num_tokens, 64, dtype)
    ids, by = choose(num_tokens, 2, 4, dtype)
    part, row = at
    (gate_up if part == "gate_up" else down)[2, row, 5] = torch.nan  # of a row of down: one column of the output
    is_nan = ops.swiglu_experts(gate_up, down, hidden, ids, by, tier=tier).isnan()
    expected = torch.zeros_like(is_nan)
    expected[(ids == 2).any(1), slice(5, 6) if part == "down" else slice(None)] = True
    assert expected.any()
    assert torch.equal(is_nan, expected)


@pytest.mark.parametrize("num_tokens", [3, 40])
@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_nan_in_a_choices_weight_reaches_its_token_alone(tier, dtype, num_tokens):
    weights, hidden = make_weights(4, 32, 64, dtype), make_tokens(num_tokens, 64, dtype)
    ids, by = choose(num_tokens, 2, 4, dtype)
    by[1, 0] = torch.nan
    is_nan = ops.swiglu_experts(*weights, hidden, ids, by, tier=tier).isnan()
    assert is_nan[1].all()
    assert is_nan.any(1).sum() == 1


@pytest.mark.parametrize(("tier", "dtype"), TIERS_AND_DTYPES)
def test_gates_far_beyond_exps_range_are_right(tier, dtype):
    weights, hidden = make_weights(2, 32, 64, dtype), 300 * make_tokens(9, 64, dtype)
    ids, by = choose(9, 2, 2, dtype)
    actual = ops.swiglu_experts(*weights, hidden, ids, by, tier=tier)
    assert_agrees(actual, slow_sum(*weights, hidden, ids, by), dtype)


@pytest.mark.parametrize("expert", [-1, 5])
def test_an_expert_that_is_not_there_is_an_error(expert):
    weights, hidden = make_weights(4, 32, 64, torch.float32), make_tokens(1, 64, torch.float32)
    with pytest.raises(RuntimeError, match=rf"expert ids must be in \[0, 4\], got {expert}"):
        ops.swiglu_experts(*weights, hidden, torch.tensor([[expert]]), torch.ones(1, 1))


def test_an_unknown_tier_names_the_known_ones():
    weights, hidden = make_weights(4, 32, 64, torch.float32), make_tokens(1, 64, torch.float32)
    with pytest.raises(ValueError, match=r"tier must be one of generic.* on this machine, got 'best'; choose"):
        ops.swiglu_dense(*weights, hidden, tier="best")


def test_torch_knows_the_operators_schema_and_shape():
    weights, hidden = make_weights(4, 32, 64, torch.float32), make_tokens(3, 64, torch.float32)
    ids, by = choose(3, 2, 4, torch.float32)
    checks = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.moevlm.swiglu_experts, (*weights, hidden, ids, by, 0), test_utils=checks)
    torch.library.opcheck(torch.ops.moevlm.swiglu_dense, (*weights, hidden, 0), test_utils=checks)


def test_kernels_take_only_what_they_compute():
    (_, down), hidden = make_weights(4, 32, 64, torch.float32), make_tokens(3, 64, torch.float32)
    assert ops.takes(down, hidden)
    assert not ops.takes(down.double(), hidden.double())
    assert not ops.takes(down.half(), hidden.half())
    assert not ops.takes(down[:, :, :32], hidden[:, :32])
    assert not ops.takes(down[:, :24], hidden)
    assert not ops.takes(down.to("meta"), hidden.to("meta"))


def test_more_tokens_than_threads_may_sum_are_left_to_torch():
    (_, down), one = make_weights(4, 32, 64, torch.float32), torch.zeros(1, 64)
    most = 2**29 // (4 * 64 * torch.get_num_threads())
    assert ops.takes(down, one.expand(most, 64))
    assert not ops.takes(down, one.expand(most + 1, 64))


@pytest.mark.parametrize(("best", "most"), [("generic", 64), ("dot", None), ("tiles", 64)])
def test_float32_of_many_tokens_an_expert_is_left_to_torch_where_that_was_faster(monkeypatch, best, most):
    monkeypatch.setattr(ops, "tiers", lambda: (best,))
    assert ops.is_best(torch.float32, 64)
    assert ops.is_best(torch.float32, 65) == (most is None)
    assert ops.is_best(torch.bfloat16, 4096)
