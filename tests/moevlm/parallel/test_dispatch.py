"""Tests of dispatch: rows against slow plain loops, bytes there and back, sums by row."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moevlm.parallel.dispatch import COPIES, own_pairs, pack, plan_dispatch, row_bytes, sum_by_row, unpack

NUM_DEVICES = 3


@st.composite
def routings(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw expert ids (T, K), weights (T, K) and the devices of experts (E,); there may be no token."""
    num_experts, num_tokens = draw(st.integers(1, 8)), draw(st.integers(0, 10))
    top_k = draw(st.integers(1, num_experts))
    ids = [draw(st.permutations(range(num_experts)))[:top_k] for _ in range(num_tokens)]
    devices = draw(st.lists(st.integers(0, NUM_DEVICES - 1), min_size=num_experts, max_size=num_experts))
    ids_TK = torch.tensor(ids, dtype=torch.int64).reshape(num_tokens, top_k)
    return ids_TK, torch.rand(num_tokens, top_k), torch.tensor(devices)


@given(routings())
def test_once_a_device_a_token_goes_where_it_has_an_expert(
    routing: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    ids_TK, weights_TK, device_of_expert_E = routing
    dispatch = plan_dispatch(COPIES["device"](ids_TK, weights_TK), device_of_expert_E, NUM_DEVICES)
    expected = [
        (device, token)
        for device in range(NUM_DEVICES)
        for token, ids in enumerate(ids_TK.tolist())
        if device in {int(device_of_expert_E[expert]) for expert in ids}
    ]
    assert dispatch.token_R.tolist() == [token for _, token in expected]
    assert dispatch.rows_N.tolist() == [sum(to == device for to, _ in expected) for device in range(NUM_DEVICES)]
    assert torch.equal(dispatch.ids_RC, ids_TK[dispatch.token_R])
    assert torch.equal(dispatch.weights_RC, weights_TK[dispatch.token_R])


@given(routings())
def test_once_an_expert_each_choice_is_a_row_of_its_own(
    routing: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    ids_TK, weights_TK, device_of_expert_E = routing
    dispatch = plan_dispatch(COPIES["expert"](ids_TK, weights_TK), device_of_expert_E, NUM_DEVICES)
    rows = [
        (device, token, expert)
        for device in range(NUM_DEVICES)
        for token, ids in enumerate(ids_TK.tolist())
        for expert in ids
        if device_of_expert_E[expert] == device
    ]
    assert list(zip(dispatch.token_R.tolist(), dispatch.ids_RC.flatten().tolist(), strict=True)) == [
        row[1:] for row in rows
    ]
    assert dispatch.rows_N.tolist() == [sum(row[0] == device for row in rows) for device in range(NUM_DEVICES)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("num_rows", [0, 1, 5])
def test_bytes_give_back_the_rows(num_rows: int, dtype: torch.dtype) -> None:
    hidden_RH, weights_RC = torch.randn(num_rows, 7).to(dtype), torch.rand(num_rows, 3).to(dtype)
    ids_RC = torch.randint(0, 200, (num_rows, 3))
    packed_RW = pack(hidden_RH, ids_RC, weights_RC)
    assert packed_RW.shape == (num_rows, row_bytes(7, 3, dtype))
    assert packed_RW.dtype == torch.uint8
    rows = unpack(packed_RW, 3, dtype)
    assert torch.equal(rows.hidden_RH, hidden_RH)
    assert torch.equal(rows.ids_RC, ids_RC)
    assert torch.equal(rows.weights_RC, weights_RC)


def test_a_device_takes_the_choices_that_are_its_own_experts() -> None:
    ids_RC = torch.tensor([[0, 5], [5, 2], [1, 3]])
    rows = unpack(pack(torch.zeros(3, 2), ids_RC, torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])), 2, torch.float32)
    pairs = own_pairs(rows, torch.tensor([-1, -1, 0, -1, -1, 1]))  # experts 2 and 5
    assert pairs.row_P.tolist() == [0, 1, 1]
    assert pairs.ids_P1.tolist() == [[1], [1], [0]]
    assert pairs.weights_P1.tolist() == [[2.0], [3.0], [4.0]]


def test_rows_are_summed_in_float32_and_a_row_of_none_is_zero() -> None:
    ones_PH = torch.ones(300, 1, dtype=torch.bfloat16)  # one by one, bfloat16 would stop at 256
    sums_RH = sum_by_row(ones_PH, torch.zeros(300, dtype=torch.int64), 2)
    assert sums_RH.tolist() == [[300.0], [0.0]]
    assert sums_RH.dtype == torch.bfloat16
    assert sum_by_row(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 1]), 2).tolist() == [[0, 0], [4, 6]]
