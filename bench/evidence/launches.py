"""The launches of a baseline, each a fresh `pytest bench`: those that are missing are measured, whole ones are kept."""

import datetime
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.evidence.begun import check_begun
from bench.evidence.processes import run_logged
from bench.gate.launch import LaunchFailed
from bench.gate.promotion import PromotionRefused, problem_of
from bench.gate.verdict import Verdict
from bench.harness.progress import time_left
from bench.harness.record import CorruptRecord, Record, load
from fixtures.programs.codes import USAGE_ERROR

BEGUN = "begun.json"
SELECTING = ("-k", "-m")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """So many launches of the same scenarios, in a folder that keeps them between calls."""

    root: Path
    scenarios: str  # the folder that holds them all, from the root
    folder: Path
    options: Sequence[str]  # of pytest bench, files of bench/ among them
    count: int
    over_s: float  # from the first launch's start to the last one's: what neighbours do to a machine changes by minutes
    begun_with: Mapping[str, object]  # code and machine: launches of others are of another baseline

    @property
    def paths(self) -> list[Path]:
        """Return where the records lie."""
        return [self.folder / f"launch-{number}.json" for number in range(1, self.count + 1)]

    @property
    def apart_s(self) -> float:
        """Return how long after a launch began the next one may."""
        return self.over_s / max(1, self.count - 1)

    @property
    def command(self) -> list[str]:
        """Return the command of a launch, without its record; of all scenarios where no files are named."""
        bench = (self.root / self.scenarios).resolve()
        names = [word for word in self.options if (self.root / word).resolve().is_relative_to(bench)]
        everything = [] if names else [self.scenarios]
        return [sys.executable, "-m", "pytest", *everything, *self.options, "--compare=off"]


def measure_launches(wanted: Wanted, note: Callable[[str], None]) -> list[Path]:
    """Measure the launches that are missing or not whole; `note` tells the user how far it is.

    Returns:
        The records of all launches, each of which may be promoted.

    Raises:
        ValueError: the options select single scenarios or are refused, differ from an earlier call's as code and
            machine may, or a record breaks a rule of promotion; the records that are whole stay.
        LaunchFailed: a launch answered wrongly or failed.
    """
    if selecting := [word for word in wanted.options if word.startswith(SELECTING) or "::" in word]:
        raise ValueError(f"a baseline must hold every scenario, got {' '.join(selecting)}; name whole files")
    whole = [path for path in wanted.paths if _is_whole(path, _first(wanted))]
    if not whole:  # an earlier call has left nothing to go on with
        (wanted.folder / BEGUN).unlink(missing_ok=True)
    check_begun(wanted.folder / BEGUN, {"command": " ".join(wanted.options), **wanted.begun_with})
    note(f"{wanted.folder}: {len(whole)} of {wanted.count} launches are there")
    missing = [path for path in wanted.paths if path not in whole]
    took = [_seconds(path) for path in whole]
    known = len(took)
    for index, path in enumerate(missing):
        each = [max(wanted.apart_s, seconds) for seconds in took[known:] or took]  # of this call: start included
        left = f", {time_left((len(missing) - index) * statistics.median(each))}" if each else ""
        note(f"launch {wanted.paths.index(path) + 1} of {wanted.count}{left}")
        time.sleep(_early_by(wanted, whole))
        started = time.monotonic()
        _measure(wanted, path)
        whole.append(path)
        took.append(time.monotonic() - started)
    return wanted.paths


def _is_whole(path: Path, first: Record | None) -> bool:
    try:
        return not problem_of(load(path), first)
    except (FileNotFoundError, CorruptRecord):
        return False


def _began(path: Path) -> float:
    return datetime.datetime.fromisoformat(load(path).launch["started"]).timestamp()


def _seconds(path: Path) -> float:
    """Return what a launch measured for: a record is written a last time at its end."""
    return max(0.0, path.stat().st_mtime - _began(path))


def _early_by(wanted: Wanted, whole: Sequence[Path]) -> float:
    """Return the seconds until the next launch may begin, by the latest that is whole."""
    return max([0.0, *(_began(path) + wanted.apart_s - time.time() for path in whole)])


def _measure(wanted: Wanted, path: Path) -> None:
    path.unlink(missing_ok=True)  # what an interrupted call has left of this launch
    log = path.with_suffix(".log")
    ended = run_logged([*wanted.command, f"--record={path.resolve()}"], root=wanted.root, log=log)
    if ended.code == USAGE_ERROR:
        raise ValueError(
            f"pytest must accept the options after --, got {' '.join(wanted.options)}; it says: {ended.said}"
        )
    record = load(path) if path.exists() else None
    if record and record.wrong:
        raise LaunchFailed(problem_of(record), Verdict.WRONG)
    if record is None or ended.code:
        raise LaunchFailed(f"a launch ended {ended.code}, see {log}: {ended.said}", Verdict.FAILED)
    if problem := problem_of(record, _first(wanted)):
        raise PromotionRefused(problem)


def _first(wanted: Wanted) -> Record | None:
    try:
        return load(wanted.paths[0])
    except (FileNotFoundError, CorruptRecord):
        return None
