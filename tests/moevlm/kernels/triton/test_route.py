"""A router's choice in one launch against float64."""

import pytest
import torch

from tests.moevlm.kernels.triton.where import BOUNDS, DEVICE, drawn, needs_kernels

route = pytest.importorskip("moevlm.kernels.triton.route", reason="Triton is not installed", exc_type=ImportError)
pytestmark = needs_kernels
SIZES = {"2/8": (8, 2), "8/64": (64, 8), "3/12": (12, 3), "1/5": (5, 1), "all": (6, 6)}
DAMPING = 1 / 64


def routed(logits, top_k, *, steering=None, normalises=True, num_open=None):
    return route.route(
        logits, steering, damping=DAMPING, top_k=top_k, normalises=normalises, num_open=num_open or logits.shape[1]
    )


def expected(logits, top_k, *, normalises=True):
    weights, ids = logits.double().softmax(-1).topk(top_k)
    return (weights / weights.sum(-1, keepdim=True) if normalises else weights), ids


@pytest.mark.parametrize("normalises", [True, False])
@pytest.mark.parametrize("num_tokens", [1, 9])
@pytest.mark.parametrize("sizes", SIZES)
def test_the_best_experts_and_their_shares_are_chosen(sizes, num_tokens, normalises):
    num_experts, top_k = SIZES[sizes]
    logits = 3 * drawn(num_tokens, num_experts)
    ids, weights = routed(logits, top_k, normalises=normalises)
    wanted_weights, wanted_ids = expected(logits, top_k, normalises=normalises)
    assert torch.equal(ids, wanted_ids)
    torch.testing.assert_close(weights.double(), wanted_weights, rtol=1e-5, atol=0)
    assert (ids.dtype, weights.dtype) == (torch.int64, logits.dtype)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("table_dtype", BOUNDS)
def test_a_profile_steers_by_the_tokens_rows(dtype, table_dtype):
    if torch.float32 in (dtype, table_dtype) or dtype == table_dtype:
        logits, table = drawn(4, 64, dtype=dtype), drawn(7, 64, dtype=table_dtype, seed=1)
        rows = torch.tensor([0, 6, 3, 3], device=DEVICE)
        sums = torch.add(table[rows], logits, alpha=DAMPING).to(table_dtype)
        ids, weights = routed(logits, 8, steering=(table, rows))
        wanted = sums.double().softmax(-1)
        assert torch.equal(wanted.gather(1, ids), wanted.topk(8).values)  # whichever of equal ones
        shares = wanted.gather(1, ids)
        torch.testing.assert_close(weights.double(), shares / shares.sum(-1, keepdim=True), rtol=BOUNDS[dtype], atol=0)


def test_closed_experts_are_never_chosen():
    logits = drawn(9, 12)
    logits[:, 5:] += 100
    ids, weights = routed(logits, 3, num_open=5)
    wanted_weights, wanted_ids = expected(logits[:, :5], 3)
    assert torch.equal(ids, wanted_ids)
    torch.testing.assert_close(weights.double(), wanted_weights, rtol=1e-5, atol=0)


def test_the_first_of_equal_experts_is_taken():
    assert routed(torch.zeros(2, 12, device=DEVICE), 3).ids_TK.tolist() == [[0, 1, 2]] * 2


def test_nan_reaches_its_token_alone_and_its_experts_are_real_ones():
    logits = drawn(3, 12)
    logits[1, 4] = torch.nan
    ids, weights = routed(logits, 3)
    assert weights.isnan().all(1).tolist() == weights.isnan().any(1).tolist() == [False, True, False]
    assert ids.min() >= 0
    assert ids.max() < 12
    assert len(ids[1].unique()) == 3
