"""What travels of an answer: the same places for the same seed, each row's length, and what a near-tie leaves open."""

import json
import math

import pytest
import torch

from bench.harness.answers import NUM_VALUES, Answer, joined, open_tokens, sample_of


def answer(rows_TD: torch.Tensor, bound: float = 0.01, tokens: tuple[int, ...] = ()) -> Answer:
    return Answer("logits", rows_TD, bound, tokens)


def rows(num_rows: int = 3, width: int = 100) -> torch.Tensor:
    return torch.randn(num_rows, width, generator=torch.Generator().manual_seed(2))


def test_a_sample_holds_what_stands_at_places_that_the_seed_draws() -> None:
    given = rows()
    found = sample_of(answer(given), seed=5)
    assert len(set(found.positions)) == NUM_VALUES
    assert found.values == [float(given[place // 100, place % 100]) for place in found.positions]
    assert found.positions == sample_of(answer(given + 1), seed=5).positions
    assert found.positions != sample_of(answer(given), seed=6).positions


def test_a_small_answer_is_sampled_whole() -> None:
    assert sample_of(answer(torch.tensor([[1.0, 2.0], [3.0, 4.0]])), seed=1).values == [1.0, 2.0, 3.0, 4.0]


def test_a_sample_holds_each_rows_length_shape_and_dtype() -> None:
    found = sample_of(answer(torch.tensor([[3.0, 4.0], [5.0, 12.0]]).bfloat16()), seed=0)
    assert (found.norms, list(found.shape), found.dtype) == ([5.0, 13.0], [2, 2], "bfloat16")


def test_a_sample_is_the_same_after_a_journey_as_json() -> None:
    found = sample_of(answer(torch.tensor([[0.1, math.inf]]), tokens=(1,)), seed=0)
    assert json.loads(json.dumps(vars(found))) == vars(found)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([4.0, 3.99, 0.0, 0.0], [0, 1]),  # their spread is 1.997: 0.01 lies within three bounds of it
        ([4.0, 3.9, 0.0, 0.0], [0]),
        ([2.0, 2.0, 2.0], [0, 1, 2]),
    ],
)
def test_open_are_the_tokens_that_rounding_may_bring_forward(logits: list[float], expected: list[int]) -> None:
    assert open_tokens(torch.tensor(logits, dtype=torch.float64), bound=0.01) == expected


def test_only_rows_that_chose_a_token_have_open_ones() -> None:
    found = sample_of(answer(torch.eye(3), tokens=(0, 1)), seed=0)
    assert found.open_tokens == [[0], [1]]


def test_joined_answers_are_one_below_the_other() -> None:
    prompt, steps = answer(rows(1), tokens=(7,)), answer(rows(2), tokens=(8, 9))
    both = joined([prompt, steps])
    assert torch.equal(both.rows_TD, torch.cat([prompt.rows_TD, steps.rows_TD]))
    assert (both.what, both.bound, both.tokens) == ("logits", 0.01, (7, 8, 9))
