"""Measure suspects again, each time in a fresh process, until they are confirmed or cleared or the time is up.

A first launch that looks slow was picked because it looks slow, so it does not count: only fresh launches do.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.harness.comparison import Reference, judge_one
from bench.harness.record import ArmSeries, Record, Scenario, load
from bench.harness.verdict import ScenarioVerdict, Verdict

MIN_LAUNCHES = 2  # one fresh process may meet the same bad moment; two rarely do
DECISIVE = 1.5  # times the tolerance: six standard errors
MAX_LAUNCHES = 5  # what is not clear by then is said to be inconclusive
OUTPUT_SHOWN = 800  # last characters of a failed launch's output: pytest's own summary of what went wrong
LAUNCH_MARGIN = 1.02  # a launch is begun if slightly more than the last one took is left; one cut short says nothing


class LaunchFailed(Exception):  # noqa: N818  # named after its verdict, FAILED, as CorruptRecord is
    """A fresh process ended without a record."""

    def __init__(self, message: str, verdict: Verdict) -> None:
        super().__init__(message)
        self.verdict = verdict  # of the scenarios it should have measured


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """How to start a fresh process that measures given scenarios."""

    root: Path
    options: Sequence[str]  # pytest options that select the same machine, model and inputs

    def measure(self, node_ids: Sequence[str], *, timeout_s: float) -> Record:
        """Run the scenarios in a fresh process.

        Raises:
            LaunchFailed: if it ended without a record, or not in time; with the end of its output.
        """
        with tempfile.TemporaryDirectory(prefix="moevlm-launch-") as folder:
            path = Path(folder) / "record.json"
            command = [
                sys.executable,
                "-m",
                "pytest",
                *node_ids,
                *self.options,
                "--compare=off",
                f"--record={path}",
                "-q",
            ]
            try:
                done = subprocess.run(
                    command, cwd=self.root, capture_output=True, text=True, timeout=timeout_s, check=False
                )
            except subprocess.TimeoutExpired as error:
                why = f"a fresh launch did not end within the {timeout_s:.0f} s left; raise --time-budget"
                raise LaunchFailed(why, Verdict.INCONCLUSIVE) from error
            if not path.exists():
                why = f"a fresh launch ended {done.returncode} without a record: {done.stdout[-OUTPUT_SHOWN:]}"
                raise LaunchFailed(why, Verdict.FAILED)
            return load(path)


def extend(known: Scenario | None, fresh: Scenario) -> Scenario:
    """Append the fresh launches of a scenario to those already there."""
    if known is None:
        return fresh
    arms: dict[str, ArmSeries] = {
        arm: replace(series, launches=(*known.arms[arm].launches, *series.launches))
        for arm, series in fresh.arms.items()
    }
    return replace(fresh, arms=arms)


def is_settled(verdict: ScenarioVerdict) -> bool:
    """Tell whether fresh launches have said enough: enough of them, and neither inconclusive nor unfit.

    Two may meet the same bad moment: unless a slowdown is far beyond the tolerance, a third must confirm it.
    """
    if verdict.verdict is Verdict.REGRESSED and not is_decisive(verdict):
        return verdict.num_launches > MIN_LAUNCHES
    return verdict.num_launches >= MIN_LAUNCHES and verdict.verdict not in (Verdict.INCONCLUSIVE, Verdict.UNFIT)


def stands(verdict: ScenarioVerdict) -> bool:
    """Tell whether a verdict holds although time ran out: too noisy each time, or slow in enough launches."""
    confirmed = verdict.verdict is Verdict.REGRESSED and verdict.num_launches >= MIN_LAUNCHES
    return confirmed or (verdict.verdict is Verdict.UNFIT and bool(verdict.why))


def is_decisive(verdict: ScenarioVerdict) -> bool:
    """Tell whether a control is beyond its tolerance by half of it."""
    return any(change.interval.estimate > DECISIVE * change.tolerance for change in verdict.changes)


def retest(
    suspects: Mapping[str, str],
    reference: Reference,
    launcher: Launcher,
    *,
    deadline: float,
    first_guess_s: float,
    on_launch: Callable[[int, int], None],
) -> tuple[dict[str, ScenarioVerdict], dict[str, Scenario]]:
    """Confirm or clear suspects.

    Args:
        suspects: scenario id -> pytest node id.
        reference: the baseline.
        launcher: starts fresh processes.
        deadline: on the monotonic clock, in seconds.
        first_guess_s: expected seconds of the first launch.
        on_launch: told (number of the launch, scenarios in it) before each.

    Returns:
        A verdict for each suspect (with the reason: INCONCLUSIVE where time ran out, FAILED where a process died), and
        its fresh launches.
    """
    open_ids, launch_s = set(suspects), first_guess_s
    verdicts: dict[str, ScenarioVerdict] = {}
    fresh: dict[str, Scenario] = {}
    why, ended = f"still unclear after {MAX_LAUNCHES} fresh launches", Verdict.INCONCLUSIVE
    for number in range(1, MAX_LAUNCHES + 1):
        left_s = deadline - time.monotonic()
        if not open_ids or left_s < LAUNCH_MARGIN * launch_s:
            why = f"the time budget ended after {number - 1} fresh launches; raise --time-budget"
            break
        on_launch(number, len(open_ids))
        started = time.monotonic()
        try:
            record = launcher.measure([suspects[s] for s in sorted(open_ids)], timeout_s=left_s)
        except LaunchFailed as error:
            why, ended = str(error), error.verdict
            break
        launch_s = time.monotonic() - started
        for scenario_id in open_ids & set(record.scenarios):
            fresh[scenario_id] = extend(fresh.get(scenario_id), record.scenarios[scenario_id])
            verdicts[scenario_id] = judge_one(scenario_id, fresh[scenario_id], reference, confirmed=True)
        unmeasured = {s: not_measured(s, record) for s in open_ids - set(record.scenarios)}
        verdicts.update(unmeasured)
        open_ids = {s for s in open_ids - set(unmeasured) if not is_settled(verdicts[s])}
    for scenario_id in open_ids:
        known = verdicts.get(scenario_id, ScenarioVerdict(scenario=scenario_id, verdict=ended))
        if not stands(known):
            verdicts[scenario_id] = replace(known, verdict=ended, why=why)
    return verdicts, fresh


def not_measured(scenario_id: str, record: Record) -> ScenarioVerdict:
    """Say why a fresh launch has left a suspect out: no memory for it now, or it failed."""
    reasons = {entry["scenario"]: str(entry.get("reason", "skipped")) for entry in record.not_fitting}
    if scenario_id in reasons:
        why = f"a fresh launch could not measure it: {reasons[scenario_id]}"
        return ScenarioVerdict(scenario=scenario_id, verdict=Verdict.INCONCLUSIVE, why=why)
    why = "it failed in a fresh launch; run it alone to see how"
    return ScenarioVerdict(scenario=scenario_id, verdict=Verdict.FAILED, why=why)
