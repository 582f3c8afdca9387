"""What GitHub Actions shows beside the log: an annotation for each scenario that fails, the comment as summary."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.gate.sentences import explain
from bench.gate.verdict import EXIT_CODES, ScenarioVerdict, closed, fails
from fixtures.programs.errors import write_error
from fixtures.programs.visible import visible_lines

IN_ACTIONS, SUMMARY = "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"  # variables that a job has


def annotations(verdicts: Iterable[ScenarioVerdict], *, allow_inconclusive: bool = False) -> list[str]:
    """Return workflow commands as GitHub reads them from the log: an error for what fails, a warning if allowed."""
    return [
        f"::{'error' if fails(verdict, allow_inconclusive=allow_inconclusive) else 'warning'} "
        f"title={_property(verdict)}::{_message(explain(verdict))}"
        for verdict in closed(verdicts, allow_inconclusive=allow_inconclusive)
        if EXIT_CODES[verdict.verdict]
    ]


def publish(
    comment: str,
    verdicts: Iterable[ScenarioVerdict],
    environment: Mapping[str, str],
    *,
    allow_inconclusive: bool = False,
) -> list[str]:
    """Add the comment to the job's summary, if there is one; return annotations to print within GitHub Actions.

    Raises:
        RecordWriteError: if the summary cannot be written.
    """
    if environment.get(SUMMARY):
        try:
            with Path(environment[SUMMARY]).open("a", encoding="utf-8") as summary:
                summary.write(f"{comment}\n")
        except OSError as error:
            raise write_error(environment[SUMMARY], error) from error
    is_there = environment.get(IN_ACTIONS) == "true"
    return annotations(verdicts, allow_inconclusive=allow_inconclusive) if is_there else []


def _message(text: str) -> str:
    r"""Encode what would end a workflow command; its text is shown in a log, which colours would steer.

    >>> _message("50 %\n\x1b[31m")
    '50 %25%0A\\x1b[31m'
    """
    return visible_lines(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(verdict: ScenarioVerdict) -> str:
    return _message(f"{verdict.verdict.value}: {verdict.scenario}").replace(":", "%3A").replace(",", "%2C")
