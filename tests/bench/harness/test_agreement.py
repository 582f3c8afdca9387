"""Tests of checking the arms' answers."""

import pytest

from bench.harness import agreement
from bench.harness.agreement import WrongAnswer, run_checks


def test_each_arm_is_checked_once_and_the_seconds_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    seen: list[str] = []

    def check(arm: str) -> None:
        seen.append(arm)
        now[0] += 1.5

    monkeypatch.setattr(agreement.time, "perf_counter", lambda: now[0])
    assert run_checks(check, ["moe", "dense"]) == 3.0
    assert seen == ["moe", "dense"]


def test_the_first_wrong_answer_is_raised() -> None:
    def check(arm: str) -> None:
        raise WrongAnswer(f"{arm} is wrong")

    with pytest.raises(WrongAnswer, match="moe is wrong"):
        run_checks(check, ["moe", "dense"])
