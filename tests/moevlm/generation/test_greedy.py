"""Greedy choice: Python's own maximum, the first of equal logits, and a row that is no number shows."""

import math

import pytest
import torch

from moevlm.generation.greedy import greedy_token


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_first_of_the_largest_is_taken(dtype):
    logits = torch.randn(5, 4099, generator=torch.Generator().manual_seed(0)).to(dtype)  # in bfloat16 many are equal
    logits[1] = -1.0
    logits[2, [7, 4098]] = 9.0
    logits[3, 4098] = 9.0
    expected = [max(range(len(row)), key=row.__getitem__) for row in logits.tolist()]
    assert expected[1:4] == [0, 7, 4098]
    assert greedy_token(logits).tolist() == [[token] for token in expected]


def test_what_is_no_number_is_taken_as_torch_takes_it():
    logits = torch.tensor([[1.0, math.nan, 2.0]])
    assert greedy_token(logits).item() == 1
