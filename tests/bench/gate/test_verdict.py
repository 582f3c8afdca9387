"""Tests of what verdicts mean: which is the most severe, and how a process ends with it."""

import math
from dataclasses import replace

import pytest

from bench.gate.verdict import EXIT_CODES, NOTHING_COMPARED, ScenarioVerdict, Verdict, closed, exit_code, fails, worst
from tests.bench.sample_verdicts import NAME, change, said_of

EXPECTED_EXIT = {
    "OK": 0,
    "IDENTICAL": 0,
    "IMPROVED": 0,
    "NEW": 13,  # alone: nothing was compared
    "REGRESSED": 10,
    "WRONG": 17,
    "INCONCLUSIVE": 11,
    "UNFIT": 12,
    "MISSING": 13,
    "CORRUPT": 14,
    "NOT_COMPARABLE": 15,
    "FAILED": 16,
    "CHANGED": 18,
}
FROM_WORST = (
    *("CORRUPT", "WRONG", "REGRESSED", "CHANGED", "FAILED", "MISSING", "NOT_COMPARABLE", "UNFIT", "INCONCLUSIVE"),
    *("NEW", "IDENTICAL", "OK"),
)


@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_has_its_exit_code(verdict: Verdict) -> None:
    assert exit_code([said_of(verdict)]) == EXPECTED_EXIT[verdict.value]
    assert set(EXIT_CODES) == set(Verdict)


def test_what_was_not_compared_beside_what_was_ends_0() -> None:
    assert exit_code([said_of(Verdict.NEW), said_of(Verdict.OK)]) == 0


@pytest.mark.parametrize("allow_inconclusive", [False, True])
def test_nothing_compared_ends_13(*, allow_inconclusive: bool) -> None:
    unmeasured = said_of(Verdict.INCONCLUSIVE, num_launches=0)
    for verdicts in ([], [said_of(Verdict.NEW)] * 2, [unmeasured, said_of(Verdict.NEW)] if allow_inconclusive else []):
        assert exit_code(verdicts, allow_inconclusive=allow_inconclusive) == 13
        assert closed(verdicts, allow_inconclusive=allow_inconclusive) == [*verdicts, NOTHING_COMPARED]


def test_nothing_compared_hides_no_other_reason_to_fail() -> None:
    assert exit_code([said_of(Verdict.UNFIT)]) == 12
    assert exit_code([said_of(Verdict.INCONCLUSIVE, num_launches=0), said_of(Verdict.NEW)]) == 11


def test_what_cannot_be_judged_is_let_through_on_demand_alone() -> None:
    unclear = [said_of(Verdict.OK), said_of(Verdict.INCONCLUSIVE, change(Verdict.INCONCLUSIVE, estimate=0.09))]
    assert exit_code(unclear) == 11
    assert exit_code(unclear, allow_inconclusive=True) == 0
    assert exit_code([*unclear, said_of(Verdict.UNFIT)], allow_inconclusive=True) == 12


@pytest.mark.parametrize(
    ("estimate", "tolerance", "decides", "is_red"),
    [
        (math.log(1.09), math.log(1.10), True, False),
        (math.log(1.11), math.log(1.10), True, True),
        (math.log(1.14), math.inf, True, False),
        (math.log(1.16), math.inf, True, True),  # whatever the noise: beyond what any tolerance may be
        (math.log(1.16), math.log(1.40), True, True),
        (math.nan, math.log(1.10), True, True),
        (math.log(1.50), math.log(1.10), False, False),  # it only says where a change comes from
    ],
)
def test_what_looks_slower_is_never_let_through(
    estimate: float, tolerance: float, *, decides: bool, is_red: bool
) -> None:
    seen = replace(change(Verdict.INCONCLUSIVE, estimate), tolerance=tolerance, decides=decides)
    assert fails(said_of(Verdict.INCONCLUSIVE, seen), allow_inconclusive=True) is is_red


def test_identical_sides_are_the_one_green_run_that_measured_nothing() -> None:
    same = ScenarioVerdict(scenario=NAME, verdict=Verdict.IDENTICAL)
    assert exit_code([same]) == 0
    assert closed([same]) == [same]


@pytest.mark.parametrize("rank", range(len(FROM_WORST)))
def test_the_most_severe_verdict_wins_in_the_documented_order(rank: int) -> None:
    milder = [Verdict(name) for name in FROM_WORST[rank:]]
    assert worst(reversed(milder)) is milder[0]


def test_the_worst_of_nothing_is_ok() -> None:
    assert worst([]) is Verdict.OK
