"""The record of suites, one JSON document a line, that grows by a launch at a time: what is whole is never lost.

The first line is the head; then a line begins a suite, and a line holds a launch of it. A last line that an interrupted
call has left torn is passed over, and cut off before anything is added.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from msgspec import UNSET

from bench.gate.qualify.forms import SCHEMA_VERSION, HeadForm, LineForm
from bench.gate.qualify.suites import Launch, Measured, Qualification, Suite
from bench.harness.documents import DocumentError, content_of, document_of, parse_json
from bench.harness.forms import checked
from bench.harness.writing import append_line, replace_text, whole_lines

REMEDY = "name another --record, or remove the file to begin anew"


def begin(path: Path, qualification: Qualification) -> None:
    """Write the head of a new record.

    Raises:
        RecordWriteError: if the file system refuses.
    """
    replace_text(path, _head(qualification))


def lengthened(path: Path, qualification: Qualification, num_launches: int) -> Qualification:
    """Return what a record holds with suites of so many launches, not fewer than now, and have it say so.

    Raises:
        RecordWriteError: if the file system refuses.
    """
    longer = replace(qualification, num_launches=num_launches)
    if longer != qualification:
        _, _, lines = whole_lines(content_of(path)).partition(b"\n")
        replace_text(path, _head(longer) + lines.decode())
    return longer


def _head(qualification: Qualification) -> str:
    head = {name: value for name, value in vars(qualification).items() if name != "suites"}
    return f"{_line({'schema_version': SCHEMA_VERSION, **head})}\n"


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
    with document_of(path, remedy=REMEDY):
        try:
            content = whole_lines(content_of(path))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{path} must hold suites, and is not there; leave --report out to measure some"
            ) from error
        if not content:
            raise DocumentError("must hold suites that `qualify` wrote, got nothing")
        head, *lines = content[:-1].split(b"\n")
        with _line_of(1):
            found = checked(parse_json(head), HeadForm)
        suites: dict[int, Suite] = {}
        for number, line in enumerate(lines, start=2):
            with _line_of(number):
                _add(checked(parse_json(line), LineForm), suites)
        fields = {name: getattr(found, name) for name in ("machine", "scenarios", "arguments", "num_launches")}
        return Qualification(**fields, suites=list(suites.values()))


@contextmanager
def _line_of(number: int) -> Iterator[None]:
    """Name the line in what is wrong with it."""
    try:
        yield
    except DocumentError as error:
        raise DocumentError(error.rule, place=f"line {number}{'.' if error.place else ''}{error.place}") from error


def _add(line: LineForm, suites: dict[int, Suite]) -> None:
    """Begin a suite, or add a launch to one that was begun."""
    if line.suite is not UNSET:
        if line.suite.number in suites:
            raise DocumentError(f"must be begun once, got {line.suite.number} twice", place="suite.number")
        suites[line.suite.number] = line.suite.suite()
    if line.launch is not UNSET:
        suite = suites.get(line.launch.suite)
        if suite is None:
            raise DocumentError(f"must be a suite that was begun, got {line.launch.suite}", place="launch.suite")
        launches = [*suite.launches, line.launch.launch()]
        suites[suite.number] = replace(suite, launches=launches)


def _line(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
