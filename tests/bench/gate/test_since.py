"""Tests of what changed since the result of the last push."""

import json
from pathlib import Path

import pytest

from bench.gate.since import MOST_NAMED, Earlier, SaidForm, SideForm, read_earlier, since
from bench.gate.verdict import ScenarioVerdict, Verdict
from tests.bench.gate.test_comment import comparison_of


def earlier(**said: Verdict) -> Earlier:
    return Earlier(head=SideForm(commit="0123456789ab"), verdicts=tuple(SaidForm(*one) for one in said.items()))


def now(**said: Verdict) -> list[ScenarioVerdict]:
    return [ScenarioVerdict(scenario=name, verdict=verdict) for name, verdict in said.items()]


def test_what_became_worse_comes_first_and_is_named() -> None:
    before = earlier(a=Verdict.REGRESSED, b=Verdict.OK, c=Verdict.INCONCLUSIVE, d=Verdict.OK)
    today = now(a=Verdict.OK, b=Verdict.REGRESSED, c=Verdict.INCONCLUSIVE, d=Verdict.OK, e=Verdict.REGRESSED)
    assert since(before, today) == (
        "Since `0123456789`: 1 OK became REGRESSED (`b`); 1 REGRESSED became OK; 2 scenarios as before."
    )


def test_of_many_the_first_are_named() -> None:
    names = [f"s{i}" for i in range(MOST_NAMED + 1)]
    said = since(earlier(**dict.fromkeys(names, Verdict.OK)), now(**dict.fromkeys(names, Verdict.FAILED)))
    assert said == "Since `0123456789`: 4 OK became FAILED (`s0`, `s1`, `s2`, ...); 0 scenarios as before."


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    comparison_of(*now(a=Verdict.REGRESSED)).write(tmp_path / "ab.json")
    found = read_earlier(tmp_path / "ab.json")
    assert found == Earlier(head=SideForm("0123456789abcdef"), verdicts=(SaidForm("a", Verdict.REGRESSED),))


@pytest.mark.parametrize("content", [None, "{", "[]", json.dumps({"head": {"commit": ""}, "verdicts": []})])
def test_what_is_no_result_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ab.json").write_text(content)
    assert read_earlier(tmp_path / "ab.json") is None
