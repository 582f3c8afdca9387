"""Annotations and job summary as GitHub Actions documents them."""

from pathlib import Path

from bench.gate.annotations import annotations, publish
from bench.gate.verdict import ScenarioVerdict, Verdict

SLOW = ScenarioVerdict(scenario="bench_x[a,b]", verdict=Verdict.REGRESSED, where="MoE", why="50 %\nslower")
FINE = ScenarioVerdict(scenario="bench_y", verdict=Verdict.OK)
OPEN = ScenarioVerdict(scenario="bench_z", verdict=Verdict.INCONCLUSIVE, why="no time")


def levels(*verdicts: ScenarioVerdict, **options: bool) -> list[str]:
    return [line.split(" ")[0] for line in annotations(verdicts, **options)]


def test_what_fails_is_an_error_and_what_is_let_through_a_warning() -> None:
    assert levels(SLOW, FINE, OPEN) == ["::error", "::error"]
    assert levels(SLOW, FINE, OPEN, allow_inconclusive=True) == ["::error", "::warning"]


def test_a_run_that_compared_nothing_is_an_error() -> None:
    (line,) = annotations([ScenarioVerdict(scenario="bench_x", verdict=Verdict.NEW)])
    assert line.startswith("::error title=MISSING%3A comparison::")


def test_nothing_in_a_name_or_reason_ends_the_command() -> None:
    (line,) = annotations([SLOW])
    assert line.startswith("::error title=REGRESSED%3A bench_x[a%2Cb]::")
    assert "50 %25%0Aslower" in line
    assert "\n" not in line
    coloured = ScenarioVerdict(scenario="bench_x[\x1b[31m]", verdict=Verdict.FAILED, why="\u202e::error::x\r")
    (line,) = annotations([coloured])
    assert line == "::error title=FAILED%3A bench_x[\\x1b[31m]::bench_x[\\x1b[31m]: FAILED: \\u202e::error::x\\r"


def test_the_summary_is_appended_to_and_annotations_are_for_actions_alone(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    assert publish("### text", [SLOW], {"GITHUB_STEP_SUMMARY": str(summary)}) == []
    assert summary.read_text() == "before\n### text\n"
    assert len(publish("x", [SLOW], {"GITHUB_ACTIONS": "true"})) == 1
    assert publish("x", [SLOW], {}) == []
