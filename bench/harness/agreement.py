"""Whether what is to be timed agrees with an oracle: rows within a bound, choices and tokens but for near-ties.

An error is relative, of a whole row: the length of the difference over the length of what was expected. A choice may
differ only where the oracle's own scores leave it open: where what was chosen instead lies so little behind
that errors of that size can bring it forward.

Shapes: T rows, D width of a row, E candidates, K chosen.
"""

import math
import time
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

import torch

BOUNDS = {  # the largest relative error of a row: 50 times what reordered sums gave, in 16 bits about twice
    torch.float64: 1e-5,  # transformers' norms and routers compute in float32 at most
    torch.float32: 1e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 6e-2,
}
BOUND_LAYERS = 16  # up to which these hold: errors of more layers add up as their square root (measured from 1 to 8)
TIE_SPREADS = 3.0  # a gap of two scores is open below so many bounds of their spread: four deviations at half a bound

Place = Callable[[int], str]  # names row t in a message
A = TypeVar("A")


class WrongAnswer(AssertionError):  # noqa: N818  # named after its verdict, WRONG
    """An arm's answer lies outside the bound around the oracle's: the scenario is not timed, its verdict is WRONG."""


class Checked(NamedTuple, Generic[A]):
    """What the checks of a scenario's arms found, and what they took."""

    answers: dict[str, A]  # by arm
    seconds: float


def run_checks(check: Callable[[str], A], arms: Iterable[str]) -> Checked[A]:
    """Check each arm's answer once; return what the checks return, and the seconds that they took.

    Raises:
        WrongAnswer: an arm's answer does not agree.
    """
    started = time.perf_counter()
    answers = {arm: check(arm) for arm in arms}
    return Checked(answers, time.perf_counter() - started)


class Scores(NamedTuple):
    """Candidates' scores of each row, and the chosen ones."""

    scores_TE: torch.Tensor
    ids_TK: torch.Tensor


def bound_of(dtype: torch.dtype, num_layers: int = 1) -> float:
    """Return the largest relative error of a row that so many layers may leave.

    >>> bound_of(torch.float32, 8), round(bound_of(torch.bfloat16, 64), 3)
    (0.0001, 0.12)
    """
    return BOUNDS[dtype] * max(1.0, math.sqrt(num_layers / BOUND_LAYERS))


def check_rows(found_TD: torch.Tensor, expected_TD: torch.Tensor, *, bound: float, what: str, place: Place) -> None:
    """Check that every row is the oracle's within a relative error, as `bound_of` says.

    Raises:
        WrongAnswer: A row is further off, or not finite; names the worst.
    """
    if found_TD.shape != expected_TD.shape:
        raise WrongAnswer(
            f"{what} must have the oracle's shape {tuple(expected_TD.shape)}, got {tuple(found_TD.shape)}"
        )
    error_T = relative_errors(found_TD, expected_TD)
    if not bool((error_T <= bound).all()):
        worst = int(error_T.nan_to_num(nan=float("inf")).argmax())
        raise WrongAnswer(
            f"{what} must agree within {bound:g}, got a relative error of {error_T[worst]:.3g} at "
            f"{place(worst)}{_elsewhere(error_T, bound)}"
        )


def relative_errors(found_TD: torch.Tensor, expected_TD: torch.Tensor) -> torch.Tensor:
    """Return |found - expected| / |expected| of each row, float64, (T,); a row of zeros must be met exactly."""
    expected = expected_TD.double()
    length_T = expected.norm(dim=-1).clamp_min(torch.finfo(torch.float64).tiny)
    error_T: torch.Tensor = (found_TD.double() - expected).norm(dim=-1) / length_T
    return error_T


def check_choices(found: Scores, expected: Scores, *, bound: float, what: str, place: Place) -> torch.Tensor:
    """Check that every row chooses the oracle's K candidates, or others where its scores leave that open.

    Scores must be as close as a tie within the bound, as `bound_of` says.

    Returns:
        True where the choice differs, bool, (T,).

    Raises:
        WrongAnswer: Scores are further off than the bound, or a choice differs that is not open.
    """
    spread_T = expected.scores_TE.double().std(dim=-1, correction=0)
    difference_T = (found.scores_TE.double() - expected.scores_TE.double()).abs().amax(dim=-1)
    limit = TIE_SPREADS * bound
    if not bool((difference_T <= limit * spread_T).all()):
        error_T = difference_T / spread_T
        worst = int(error_T.nan_to_num(nan=float("inf")).argmax())
        raise WrongAnswer(
            f"scores of {what} must agree with the oracle's within {limit:g} of their spread, got {error_T[worst]:.3g} "
            f"at {place(worst)}{_elsewhere(error_T, limit)}"
        )
    differs_T = (found.ids_TK.sort(dim=-1).values != expected.ids_TK.sort(dim=-1).values).any(dim=-1)
    lead_T = leads(expected, found.ids_TK)
    is_wrong_T = differs_T & (lead_T > limit * spread_T)
    if bool(is_wrong_T.any()):
        first = int(is_wrong_T.nonzero()[0])
        raise WrongAnswer(
            f"{what} must choose {_ids(expected, first)} as the oracle does, whose last choice leads by "
            f"{lead_T[first] / spread_T[first]:.3g} of the scores' spread where {limit:g} would be open, got "
            f"{_ids(found, first)} at {place(first)}; {int(is_wrong_T.sum())} of {len(is_wrong_T)} rows choose wrongly"
        )
    return differs_T


def leads(scores: Scores, others_TK: torch.Tensor) -> torch.Tensor:
    """Return how far the worst of the chosen leads the worst of other choices, by the same scores, (T,).

    Below 0 where the others are better; infinite where they name one candidate twice.
    """
    all_TE = scores.scores_TE.double()
    lead_T = all_TE.gather(-1, scores.ids_TK).amin(dim=-1) - all_TE.gather(-1, others_TK).amin(dim=-1)
    ordered_TK = others_TK.sort(dim=-1).values
    repeats_T = (ordered_TK[..., 1:] == ordered_TK[..., :-1]).any(dim=-1)
    return lead_T.masked_fill(repeats_T, float("inf"))


def check_choice(token: int, expected_V: torch.Tensor, *, bound: float, place: str) -> None:
    """Check one greedy choice against the oracle's logits: the best token, or one as good but for rounding.

    Raises:
        WrongAnswer: The oracle's token leads by more.
    """
    expected = expected_V.double()
    lead = float((expected.max() - expected[token]) / expected.std(correction=0))
    limit = TIE_SPREADS * bound
    if not lead <= limit:
        raise WrongAnswer(
            f"the token must be {int(expected_V.argmax())}, which leads by {lead:.3g} of the logits' spread where "
            f"{limit:g} would be open, got {token} at {place}"
        )


def _ids(scores: Scores, row: int) -> str:
    return ", ".join(map(str, sorted(scores.ids_TK[row].tolist())))


def _elsewhere(error_T: torch.Tensor, bound: float) -> str:
    too_far = int((~(error_T <= bound)).sum())
    return f"; {too_far} of {len(error_T)} rows are off" if len(error_T) > 1 else ""
