"""Tests of what verdicts mean: which is the most severe, and how a process ends with it."""

import pytest

from bench.gate.verdict import EXIT_CODES, Verdict, exit_code, worst

EXPECTED_EXIT = {
    "OK": 0,
    "IDENTICAL": 0,
    "IMPROVED": 0,
    "NEW": 0,
    "REGRESSED": 10,
    "WRONG": 17,
    "INCONCLUSIVE": 0,
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
    assert exit_code([verdict]) == EXPECTED_EXIT[verdict.value]
    assert set(EXIT_CODES) == set(Verdict)


def test_inconclusive_counts_only_when_strict() -> None:
    assert exit_code([Verdict.OK, Verdict.INCONCLUSIVE]) == 0
    assert exit_code([Verdict.OK, Verdict.INCONCLUSIVE], strict=True) == 11
    assert exit_code([Verdict.UNFIT, Verdict.INCONCLUSIVE], strict=True) == 12


@pytest.mark.parametrize("rank", range(len(FROM_WORST)))
def test_the_most_severe_verdict_wins_in_the_documented_order(rank: int) -> None:
    milder = [Verdict(name) for name in FROM_WORST[rank:]]
    assert worst(reversed(milder)) is milder[0]


def test_the_worst_of_nothing_is_ok() -> None:
    assert worst([]) is Verdict.OK
    assert exit_code([]) == 0
