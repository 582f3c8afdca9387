"""The record of suites, one JSON document a line, that grows by a launch at a time: what is whole is never lost.

The first line is the head; then a line begins a suite, and a line holds a launch of it. A last line that an interrupted
call has left torn is passed over, and cut off before anything is added.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.gate.qualify.suites import Kind, Launch, Measured, Qualification, Sample, Suite
from bench.harness.record import CorruptRecord
from bench.harness.writing import append_line, replace_text, whole_lines

SCHEMA_VERSION = 2
REMEDY = "name another --record, or remove the file to begin anew"


def begin(path: Path, qualification: Qualification) -> None:
    """Write the head of a new record.

    Raises:
        RecordWriteError: if the file system refuses.
    """
    head = {name: value for name, value in asdict(qualification).items() if name != "suites"}
    replace_text(path, f"{_line({'schema_version': SCHEMA_VERSION, **head})}\n")


def append_suite(path: Path, suite: Suite) -> None:
    """Begin a suite, without launches yet.

    Raises:
        RecordWriteError: if the file system refuses.
    """
    begun = {name: value for name, value in asdict(suite).items() if name != "launches"}
    append_line(path, _line({"suite": begun}))


def append_launch(path: Path, suite: Suite, launch: Launch) -> None:
    """Add a launch of a suite.

    Raises:
        RecordWriteError: if the file system refuses.
    """
    scenarios = {name: _shortened(measured) for name, measured in launch.scenarios.items()}
    append_line(path, _line({"launch": {"suite": suite.number, **vars(launch), "scenarios": scenarios}}))


def _shortened(measured: Measured) -> dict[str, Any]:
    """Leave out what is empty."""
    arms = {arm: sample if sample.base_mean else sample[:1] for arm, sample in measured.arms.items()}
    return {name: value for name, value in {**vars(measured), "arms": arms}.items() if value}


def read_qualification(path: Path) -> Qualification:
    """Read the record.

    Raises:
        FileNotFoundError: if there is none.
        CorruptRecord: if it is not what `qualify` writes.
    """
    try:
        head, *lines = _documents(path)
        if head.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}")
        suites: dict[int, Suite] = {}
        for line in lines:
            if "suite" in line:
                suite = _suite(line["suite"])
                suites[suite.number] = suite
            else:
                suite = suites[line["launch"].pop("suite")]
                launches = [*suite.launches, _launch(line["launch"])]
                suites[suite.number] = replace(suite, launches=launches)
        return Qualification(**head, suites=list(suites.values()))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} must hold suites, and is not there; leave --report out to measure some"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptRecord(f"{path} must be suites that `qualify` wrote, got {error!r}; {REMEDY}") from error


def _documents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in whole_lines(path.read_bytes()).decode().splitlines()]


def _suite(document: Mapping[str, Any]) -> Suite:
    return Suite(**{**document, "kind": Kind(**document["kind"])})


def _launch(document: Mapping[str, Any]) -> Launch:
    return Launch(**{**document, "scenarios": {name: _measured(one) for name, one in document["scenarios"].items()}})


def _measured(document: Mapping[str, Any]) -> Measured:
    arms = {arm: Sample(*values) for arm, values in document.get("arms", {}).items()}
    return Measured(**{**document, "arms": arms})


def _line(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
