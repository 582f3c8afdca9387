"""Suites that were measured, as one JSON file that grows by one suite at a time: launches as single numbers.

A launch of a scenario is one log ratio of head and base an arm: what the gate judges. Its blocks are judged by the
rules that the gate is compared with as long as they are at hand, and are not kept.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.gate.ab.changes import BASE, launch_changes
from bench.gate.ab.launches import PairedLaunch
from bench.gate.verdict import Verdict
from bench.harness.record import CorruptRecord, replace_text

SCHEMA_VERSION = 1
DIGITS = 6  # after the decimal point: a millionth is far below any spread between launches
REMEDY = "name another --record, or remove the file to begin anew"


@dataclass(frozen=True, kw_only=True)
class LaunchRatios:
    """One scenario in one launch."""

    scenario: str
    is_placebo: bool
    arms: Mapping[str, float]  # arm -> log(head / base), above 0 where head is worse

    def launch(self) -> PairedLaunch:
        """Return what the gate judges, as if it had been measured in a single block."""
        blocks = {arm: ((1.0,), (math.exp(ratio),)) for arm, ratio in self.arms.items()}
        return PairedLaunch(scenario=self.scenario, arms=blocks, is_placebo=self.is_placebo, sign=1.0, counted=False)


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One run of the gate."""

    injected: Mapping[str, float]  # arm of head -> factor of its time; empty: unchanged code
    commit: str
    started: str  # ISO 8601
    seconds: float
    load: Sequence[float]  # average over a minute, before and after
    verdicts: Mapping[str, str]  # scenario -> Verdict's value
    where: Mapping[str, str]  # scenario -> what became slower, where it is REGRESSED
    flagged: Mapping[str, Sequence[str]]  # other rule -> scenarios that it calls slower
    stage_1: Sequence[LaunchRatios]
    stage_2: Sequence[LaunchRatios]

    def scenarios_with(self, verdict: Verdict) -> list[str]:
        """Name the scenarios that ended so."""
        return [name for name, found in self.verdicts.items() if found == verdict.value]


@dataclass(frozen=True, kw_only=True)
class Qualification:
    """All suites of one machine over the same scenarios."""

    machine: Mapping[str, Any]
    scenarios: Sequence[str]
    arguments: Sequence[str]  # pytest's
    suites: Sequence[Suite] = ()

    def with_injected(self, injected: Mapping[str, float]) -> list[Suite]:
        """Return the suites of one kind."""
        return [suite for suite in self.suites if dict(suite.injected) == dict(injected)]


def condense(launches: Sequence[PairedLaunch]) -> list[LaunchRatios]:
    """Keep one number for each arm of each timed launch."""
    return [
        LaunchRatios(
            scenario=launch.scenario,
            is_placebo=launch.is_placebo,
            arms={
                control.arm: round(ratio, DIGITS)
                for control, ratio in launch_changes(launch).items()
                if control.against == BASE
            },
        )
        for launch in launches
        if not launch.counted
    ]


def write_qualification(path: Path, qualification: Qualification) -> None:
    """Replace the file; one suite a line.

    Raises:
        RecordWriteError: if the file system refuses.
    """
    head = {"schema_version": SCHEMA_VERSION, **{k: v for k, v in asdict(qualification).items() if k != "suites"}}
    suites = ",\n".join(json.dumps(asdict(suite)) for suite in qualification.suites)
    replace_text(path, f'{json.dumps(head)[:-1]}, "suites": [\n{suites}\n]}}\n')


def read_qualification(path: Path) -> Qualification:
    """Read the file.

    Raises:
        FileNotFoundError: if there is none.
        CorruptRecord: if it is not what `write_qualification` leaves.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}")
        return Qualification(**{**document, "suites": [_suite(suite) for suite in document["suites"]]})
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} must hold suites, and is not there; leave --report out to measure some"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptRecord(f"{path} must be suites that `qualify` wrote, got {error!r}; {REMEDY}") from error


def _suite(document: Mapping[str, Any]) -> Suite:
    stages = {stage: [LaunchRatios(**one) for one in document[stage]] for stage in ("stage_1", "stage_2")}
    return Suite(**{**document, **stages})
