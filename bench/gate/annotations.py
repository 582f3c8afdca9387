"""What GitHub Actions shows beside the log: an annotation for each scenario that fails, the comment as summary."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.gate.sentences import explain
from bench.gate.verdict import EXIT_CODES, ScenarioVerdict, Verdict

IN_ACTIONS, SUMMARY = "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"  # variables that a job has
LEVELS = {Verdict.INCONCLUSIVE: "warning", Verdict.UNFIT: "warning"}  # of other verdicts that fail: error


def annotations(verdicts: Iterable[ScenarioVerdict]) -> list[str]:
    """Return a workflow command for each verdict that is not green, as GitHub reads them from the log."""
    return [
        f"::{LEVELS.get(verdict.verdict, 'error')} title={_property(verdict)}::{_message(explain(verdict))}"
        for verdict in verdicts
        if EXIT_CODES[verdict.verdict]
    ]


def publish(comment: str, verdicts: Iterable[ScenarioVerdict], environment: Mapping[str, str]) -> list[str]:
    """Add the comment to the job's summary, if there is one; return annotations to print within GitHub Actions."""
    if environment.get(SUMMARY):
        with Path(environment[SUMMARY]).open("a", encoding="utf-8") as summary:
            summary.write(f"{comment}\n")
    return annotations(verdicts) if environment.get(IN_ACTIONS) == "true" else []


def _message(text: str) -> str:
    r"""Encode what would end a workflow command.

    >>> _message("50 %\n")
    '50 %25%0A'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(verdict: ScenarioVerdict) -> str:
    return _message(f"{verdict.verdict.value}: {verdict.scenario}").replace(":", "%3A").replace(",", "%2C")
