"""JUnit XML of a comparison, read back with pytest's own file as the model."""

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from bench.gate.junit import junit
from bench.gate.stats import Interval
from bench.gate.verdict import ScenarioVerdict, Verdict
from tests.bench.sample_verdicts import change, said_of

ALL = [ScenarioVerdict(scenario=f"bench_x[{verdict.value}]", verdict=verdict, why="because") for verdict in Verdict]


def suite_of(text: str) -> ET.Element:
    suite = ET.fromstring(text).find("testsuite")
    assert suite is not None
    return suite


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (Verdict.OK, None),
        (Verdict.IMPROVED, None),
        (Verdict.NEW, "skipped"),
        (Verdict.INCONCLUSIVE, "failure"),
        (Verdict.IDENTICAL, None),
        (Verdict.CHANGED, "failure"),
        (Verdict.REGRESSED, "failure"),
        (Verdict.WRONG, "failure"),
        (Verdict.FAILED, "error"),
        (Verdict.UNFIT, "error"),
        (Verdict.MISSING, "error"),
        (Verdict.CORRUPT, "error"),
        (Verdict.NOT_COMPARABLE, "error"),
    ],
)
def test_each_verdict_has_its_colour(verdict: Verdict, tag: str | None) -> None:
    case, *_ = suite_of(junit([v for v in ALL if v.verdict is verdict], seconds=1.0))
    assert (case.get("classname"), case.get("name")) == ("bench_x", f"bench_x[{verdict.value}]")
    assert [child.tag for child in case] == ([tag] if tag else [])
    assert all("because" in (child.get("message") or "") for child in case)


def test_what_is_undecided_is_skipped_on_demand_unless_it_looks_slower() -> None:
    slower = said_of(Verdict.INCONCLUSIVE, change(Verdict.INCONCLUSIVE, estimate=math.log(1.2)))
    suite = suite_of(junit([*ALL, slower], seconds=1.0, allow_inconclusive=True))
    assert [one.get("type") for one in suite.iter("skipped")] == ["NEW", "INCONCLUSIVE"]
    undecided = [one for one in suite.iter("failure") if one.get("type") == "INCONCLUSIVE"]
    assert ["+20.0 %" in (one.get("message") or "") for one in undecided] == [True]


def test_a_run_that_compared_nothing_is_an_error_and_not_an_empty_success() -> None:
    for verdicts in ([], [v for v in ALL if v.verdict is Verdict.NEW]):
        suite = suite_of(junit(verdicts, seconds=1.0))
        (error,) = suite.iter("error")
        assert "comparison: MISSING: nothing was compared" in (error.get("message") or "")
        assert (suite.get("tests"), suite.get("errors")) == (str(len(verdicts) + 1), "1")


def test_no_number_that_is_none_stands_in_it() -> None:
    endless = Interval(0.01, -math.inf, math.inf)
    seen = [
        replace(change(Verdict.INCONCLUSIVE), interval=interval, tolerance=tolerance)
        for interval in (endless, Interval(math.nan, math.nan, math.nan), Interval(math.inf, math.inf, math.inf))
        for tolerance in (math.inf, math.nan, 0.1)
    ]
    text = junit([said_of(Verdict.INCONCLUSIVE, *seen)], seconds=1.0)
    assert "+1.0 % [no bounds yet]" in text
    assert not re.search(r"\b(inf|nan)\b", text)


def test_counts_are_those_of_the_cases() -> None:
    suite = suite_of(junit(ALL, seconds=1.0))
    counts = {name: int(suite.get(name, "")) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 13, "failures": 4, "errors": 5, "skipped": 1}
    assert counts["failures"] == len(list(suite.iter("failure")))


def test_what_xml_cannot_hold_is_written_out() -> None:
    said = ScenarioVerdict(scenario='a<b>&"\x00', verdict=Verdict.FAILED, why="\x1b[31mred\ud800\ufffe")
    (case,) = suite_of(junit([said], seconds=1.0))
    assert case.get("name") == 'a<b>&"\\x00'
    assert r"\x1b[31mred\ud800\ufffe" in (case[0].text or "")


def test_the_form_is_pytests_own(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_a(): assert 0\n")
    arguments = ["-q", "-p", "no:cacheprovider", "--junitxml=p.xml", "test_a.py"]
    subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=tmp_path, capture_output=True, check=False)
    theirs = suite_of((tmp_path / "p.xml").read_text())
    ours = suite_of(junit([ALL[0], ScenarioVerdict(scenario="a", verdict=Verdict.REGRESSED)], seconds=1.0))
    assert set(ours.attrib) <= set(theirs.attrib)
    for tag in ("testcase", "failure"):
        ours_first, theirs_first = next(ours.iter(tag)), next(theirs.iter(tag))
        assert set(ours_first.attrib) - {"type"} <= set(theirs_first.attrib)
