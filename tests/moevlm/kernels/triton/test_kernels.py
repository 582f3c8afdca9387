"""Triton's kernels against the float64 oracle, on a GPU or, with TRITON_INTERPRET=1, in Triton's interpreter."""

import pytest
import torch

from moevlm.kernels.backends import reference_experts
from moevlm.kernels.tilings import Tile, Tiling
from tests.moevlm.kernels.triton.where import BOUNDS, DEVICE, error, needs_kernels

ops = pytest.importorskip("moevlm.kernels.triton.ops", reason="Triton is not installed", exc_type=ImportError)
many = pytest.importorskip("moevlm.kernels.triton.many", exc_type=ImportError)

pytestmark = needs_kernels
TILES = {
    "few": (Tile(16, 32, 32, 4, 2), Tile(16, 64, 16, 4, 2)),
    "many": (Tile(16, 16, 32, 4, 2), Tile(32, 32, 16, 4, 2)),
    "persistent": (Tile(16, 16, 32, 4, 2), Tile(32, 32, 16, 4, 2)),
}
SIZES = {"2/16": (16, 2, 64, 32), "8/64": (64, 8, 32, 16)}  # experts, top K, hidden size, width


def tiling(way):
    return Tiling(way=way, tiles=TILES[way], is_measured=False)


def weights_of(num_experts, hidden_size, width, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = (num_experts, 2 * width, hidden_size), (num_experts, width, hidden_size)
    return [(0.3 * torch.randn(shape, generator=generator)).to(DEVICE, dtype) for shape in shapes]


def routed(num_tokens, num_experts, top_k, hidden_size, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(num_tokens, hidden_size, generator=generator)
    weights, ids = torch.rand(num_tokens, num_experts, generator=generator).topk(top_k)
    return hidden.to(DEVICE, dtype), ids.to(DEVICE), weights.to(DEVICE, dtype)


def check(way, weights, inputs, dtype=torch.float32):
    output = ops.run_experts(tiling(way), *weights, *inputs)
    assert output.dtype is dtype
    assert error(output, reference_experts(*weights, *inputs)) < BOUNDS[dtype]


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("num_tokens", [1, 2, 3, 8, 17, 64])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("way", TILES)
def test_kernels_agree_with_the_oracle(way, sizes, num_tokens, dtype):
    num_experts, top_k, hidden_size, width = SIZES[sizes]
    weights = weights_of(num_experts, hidden_size, width, dtype)
    check(way, weights, routed(num_tokens, num_experts, top_k, hidden_size, dtype), dtype)


@pytest.mark.parametrize("way", TILES)
def test_sizes_that_tiles_do_not_divide(way):
    check(way, weights_of(6, 40, 20), routed(9, 6, 3, 40))


@pytest.mark.parametrize("way", TILES)
def test_one_expert_takes_every_token(way):
    hidden, _, weights = routed(40, 8, 1, 64)
    check(way, weights_of(8, 64, 32), (hidden, torch.full_like(weights, 5, dtype=torch.int64), weights))


@pytest.mark.parametrize("way", TILES)
def test_most_experts_are_empty(way):
    hidden, ids, weights = routed(12, 64, 2, 32)
    check(
        way,
        weights_of(64, 32, 16),
        (hidden, torch.where(ids < 32, 3, 61) + torch.tensor([0, 1], device=DEVICE), weights),
    )


@pytest.mark.parametrize("way", TILES)
def test_no_tokens_give_no_rows(way):
    assert ops.run_experts(tiling(way), *weights_of(8, 64, 32), *routed(0, 8, 2, 64)).shape == (0, 64)


@pytest.mark.parametrize("way", TILES)
def test_strided_inputs_and_wider_weights(way):
    hidden, ids, weights = routed(10, 16, 4, 64)
    wide = torch.randn(10, 160, device=DEVICE)
    for strided in (wide[:, 32:96], hidden.t().contiguous().t()):
        check(way, weights_of(16, 64, 32), (strided, ids[:, ::2], weights[:, ::2]))


@pytest.mark.parametrize("way", TILES)
def test_a_choice_marked_as_anothers_adds_nothing(way):
    weights = weights_of(8, 64, 32)
    hidden, ids, shares = routed(9, 8, 2, 64)
    here = shares.clone()
    here[2, 0] = here[5] = 0
    expected = reference_experts(*weights, hidden, ids, here)
    marked = ids.masked_fill(here == 0, 8)
    output = ops.run_experts(tiling(way), *weights, hidden, marked, shares)
    assert error(output, expected) < BOUNDS[torch.float32]
    assert not output[5].any()


@pytest.mark.parametrize("way", TILES)
def test_nan_in_one_token_stays_there(way):
    weights, (hidden, ids, shares) = weights_of(8, 64, 32), routed(6, 8, 2, 64)
    hidden[4] = torch.nan
    output = ops.run_experts(tiling(way), *weights, hidden, ids, shares)
    assert output.isnan().any(1).tolist() == [False] * 4 + [True, False]


@pytest.mark.parametrize("at", [("gate_up", 3), ("gate_up", 35), ("down", 7)], ids=["gate", "up", "down"])
@pytest.mark.parametrize("way", TILES)
def test_nan_in_an_expert_reaches_the_tokens_that_chose_it_and_no_other(way, at):
    (gate_up, down), (hidden, ids, shares) = weights_of(8, 64, 32), routed(6, 8, 2, 64)
    part, row = at
    (gate_up if part == "gate_up" else down)[ids[1, 0], row, 5] = torch.nan  # of a row of down: one column
    expected = torch.zeros_like(hidden, dtype=torch.bool)
    expected[(ids == ids[1, 0]).any(1), slice(5, 6) if part == "down" else slice(None)] = True
    assert torch.equal(ops.run_experts(tiling(way), gate_up, down, hidden, ids, shares).isnan(), expected)


@pytest.mark.parametrize("way", TILES)
def test_nan_in_a_choices_weight_reaches_its_token_alone(way):
    hidden, ids, shares = routed(6, 8, 2, 64)
    shares[4, 1] = torch.nan
    output = ops.run_experts(tiling(way), *weights_of(8, 64, 32), hidden, ids, shares)
    assert output.isnan().all(1).tolist() == output.isnan().any(1).tolist() == [False] * 4 + [True, False]


@pytest.mark.parametrize("way", TILES)
def test_rows_beyond_the_bound_are_computed_in_parts(way, monkeypatch):
    monkeypatch.setattr("moevlm.kernels.triton.ops.MOST_ROW_BYTES", 3 * 2 * 64 * 4)  # three tokens at a time
    check(way, weights_of(8, 64, 32), routed(8, 8, 2, 64))


def test_sorted_pairs_are_in_the_order_of_experts_and_tokens():
    ids = torch.tensor([[3, 0], [1, 3], [4, 1]], device=DEVICE)  # 4: another device's
    pairs, counts = many.sort_pairs(ids, 4)
    assert pairs.tolist() == [1, 2, 5, 0, 3, 4]
    assert counts.tolist() == [1, 2, 0, 2]


def test_sorting_asks_the_device_for_no_value():
    pairs, counts = many.sort_pairs(torch.empty(5, 2, dtype=torch.int64, device="meta"), 4)
    assert (pairs.shape, counts.shape) == ((10,), (4,))


@pytest.mark.parametrize("counts", [[7, 0, 1, 16], [1, 1, 1, 1], [0, 0, 0, 4], [4, 4, 4, 4], [5, 9, 13, 2]])
def test_blocks_are_enough_for_any_routing(counts):
    needed = sum(-(-count // 4) for count in counts)
    assert needed <= many.most_blocks(sum(counts), 4, 4) <= needed + 4


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("num_tokens", [0, 1, 5, 35])
@pytest.mark.parametrize("sizes", [(4, 64, 32), (3, 40, 20)])
def test_the_fused_dense_twin_equals_all_experts_with_weight_one(sizes, num_tokens, dtype):
    num_blocks, hidden_size, width = sizes
    weights = weights_of(num_blocks, hidden_size, width, dtype)
    hidden, ids, ones = routed(num_tokens, num_blocks, num_blocks, hidden_size, dtype)
    expected = reference_experts(*weights, hidden, ids, torch.ones_like(ones))
    fused = Tiling(way="fused", tiles=(Tile(16, 16, 32, 4, 2),), is_measured=False)
    output = ops.run_dense(fused, *weights, hidden)
    assert output.shape == (num_tokens, hidden_size)
    assert num_tokens == 0 or error(output, expected) < BOUNDS[dtype]


@pytest.mark.parametrize("row", [3, 35], ids=["gate", "up"])
def test_nan_in_the_fused_dense_twin_reaches_every_token(row):
    (gate_up, down), (hidden, _, _) = weights_of(4, 64, 32), routed(5, 4, 1, 64)
    gate_up[1, row, 7] = torch.nan
    fused = Tiling(way="fused", tiles=(Tile(16, 16, 32, 4, 2),), is_measured=False)
    assert ops.run_dense(fused, gate_up, down, hidden).isnan().all()
