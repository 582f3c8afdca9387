"""Two sides' answers: another order of sums is none, a real change is, and a near-tie leaves open what follows it."""

import dataclasses
import math
from typing import Any

import pytest
import torch

from bench.gate.ab.answers import difference, differing_answers, relative_error
from bench.harness.agreement import BOUNDS, bound_of
from bench.harness.answers import Answer, Sample, sample_of

WIDTH = 500


def logits(num_rows: int = 4, seed: int = 1, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(num_rows, WIDTH, generator=torch.Generator().manual_seed(seed)).to(dtype)


def sampled(rows_TD: torch.Tensor, tokens: tuple[int, ...] = (), **fields: Any) -> Sample:
    answer = Answer("logits, sample 0 of 2", rows_TD, bound_of(rows_TD.dtype), tokens)
    return dataclasses.replace(sample_of(answer, seed=3), **fields)


def chosen(rows_TD: torch.Tensor) -> Sample:
    return sampled(rows_TD, tuple(rows_TD.argmax(-1).tolist()))


@pytest.mark.parametrize("dtype", list(BOUNDS))
def test_the_same_answer_does_not_differ_in_any_dtype(dtype: torch.dtype) -> None:
    assert difference(chosen(logits(dtype=dtype)), chosen(logits(dtype=dtype))) == ""


@pytest.mark.parametrize(("dtype", "parts"), [(torch.float32, 2000), (torch.bfloat16, 8)])
def test_another_order_of_the_same_sums_is_no_change(dtype: torch.dtype, parts: int) -> None:
    terms = torch.randn(2000, 3, WIDTH, generator=torch.Generator().manual_seed(4))
    sums = terms.unflatten(0, (parts, -1)).sum(1).to(dtype)  # of parts, each rounded, as a tiling leaves them
    forwards, backwards = torch.zeros_like(sums[0]), torch.zeros_like(sums[0])
    for part in range(parts):
        forwards, backwards = forwards + sums[part], backwards + sums[parts - 1 - part]
    assert not torch.equal(forwards, backwards)
    assert difference(sampled(forwards), sampled(backwards)) == ""


@pytest.mark.parametrize("dtype", list(BOUNDS))
def test_the_bound_is_that_of_the_dtype(dtype: torch.dtype) -> None:
    exact, bound = logits().double(), BOUNDS[dtype]
    base = dataclasses.replace(sampled(exact), bound=bound)
    for share, differs in ((0.9, False), (1.1, True)):
        head = dataclasses.replace(sampled(exact * (1 + share * bound)), bound=bound)
        assert bool(difference(base, head)) is differs


def test_a_change_is_told_with_its_size_and_the_bound() -> None:
    said = difference(sampled(logits()), sampled(logits() * 1.02))
    assert said == "logits, sample 0 of 2 differ by 0.02 of their length, 0.0001 is the bound for float32"


def test_one_row_of_many_that_is_longer_is_a_change_wherever_values_are_sampled() -> None:
    base = logits(300)
    head = base.clone()
    head[217] *= 1.001
    assert "differ by 0.001" in difference(sampled(base), sampled(head))


def test_values_that_change_places_are_a_change_though_lengths_stay() -> None:
    base = logits()
    assert relative_error(sampled(base), sampled(base.roll(1, dims=1))) == pytest.approx(math.sqrt(2), abs=0.3)


def test_the_error_estimates_the_length_of_the_difference() -> None:
    base, noise = logits(seed=1), logits(seed=2)
    assert relative_error(sampled(base), sampled(base + 0.05 * noise)) == pytest.approx(0.05, rel=0.3)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("poisoned", ["base", "head", "both"])
def test_what_is_not_finite_is_a_change(value: float, poisoned: str) -> None:
    sides = {"base": logits(), "head": logits()}
    for name in sides if poisoned == "both" else [poisoned]:
        sides[name][2, 7] = value
    assert difference(sampled(sides["base"]), sampled(sides["head"]))


def test_a_row_of_zeros_must_be_met_exactly() -> None:
    zeros = torch.zeros(2, WIDTH)
    assert difference(sampled(zeros), sampled(zeros)) == ""
    assert difference(sampled(zeros), sampled(zeros + 1e-30))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (sampled(logits(3)), "shape of the answer is [4, 500] on base and [3, 500] on head"),
        (sampled(logits(dtype=torch.float16)), "dtype of the answer is float32 on base and float16 on head"),
        (sampled(logits(), what="logits, sample 1 of 2"), "what of the answer is logits, sample 0 of 2 on base"),
    ],
)
def test_another_shape_dtype_or_thing_is_a_change(head: Sample, said: str) -> None:
    assert difference(sampled(logits()), head).startswith(said)


def tied(gap: float) -> torch.Tensor:
    """Return logits whose second row has tokens 5 and 9 so far apart."""
    rows = logits()
    rows[1, 5], rows[1, 9] = 8.0, 8.0 - gap
    return rows


def test_a_near_tie_may_choose_another_token_and_what_follows_may_differ() -> None:
    base, head = tied(1e-5), tied(-1e-5)
    head[2:] = logits(2, seed=8)
    assert chosen(base).tokens[1] == 5
    assert chosen(head).tokens[1] == 9
    assert difference(chosen(base), chosen(head)) == ""


def test_rows_up_to_a_near_tie_must_agree() -> None:
    base, head = tied(1e-5), tied(-1e-5)
    head[0] *= 1.01
    assert "differ by 0.01" in difference(chosen(base), chosen(head))


def test_another_token_that_no_tie_leaves_open_is_a_change() -> None:
    base, tokens = tied(0.5), tuple(tied(0.5).argmax(-1).tolist())
    other = (tokens[0], 9, *tokens[2:])
    assert "token 1 is 5 on base and 9 on head, no near-tie" in difference(sampled(base, tokens), sampled(base, other))


def test_fewer_tokens_are_a_change() -> None:
    tokens = tuple(logits().argmax(-1).tolist())
    assert difference(sampled(logits(), tokens), sampled(logits(), tokens[:3])) == "4 tokens on base and 3 on head"


def test_arms_that_both_sides_answered_are_compared_and_named() -> None:
    same, other = sampled(logits()), sampled(logits() * 2)
    base = {"moe": same, "dense": same, "old": same}
    assert differing_answers(base, {"moe": same, "dense": other, "new": same}) == [
        "dense: logits, sample 0 of 2 differ by 1 of their length, 0.0001 is the bound for float32"
    ]
