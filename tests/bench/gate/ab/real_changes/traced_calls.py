"""A pytest plugin that notes which lines of some files the timed calls run: `python -m pytest -p` this module.

It runs in a copy of the project, whose own `bench` must be the first to be imported: so this imports none of it.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

Tracer = Callable[[FrameType, str, Any], Any]


class Traced:
    """Lines that were run, by scenario."""

    def __init__(self, files: list[str], out: Path, *, from_the_start: bool) -> None:
        self.files = {str(Path(name).resolve()): name for name in files}
        self.out = out
        self.lines: dict[str, set[tuple[str, int]]] = {}
        self.scenario = "all"
        if from_the_start:
            sys.settrace(self._enter)

    @contextmanager
    def tracing(self, scenario: str) -> Iterator[None]:
        """Note what the body runs."""
        self.scenario = scenario
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Tracer | None:
        return self._step if frame.f_code.co_filename in self.files else None

    def _step(self, frame: FrameType, event: str, _argument: Any) -> Tracer:
        if event == "line":
            line = (self.files[frame.f_code.co_filename], frame.f_lineno)
            self.lines.setdefault(self.scenario, set()).add(line)
        return self._step

    def write(self) -> None:
        """Leave the lines where they are asked for."""
        self.out.write_text(json.dumps({name: sorted(lines) for name, lines in self.lines.items()}))


traced: Traced | None = None


def trace(files: list[str], out: str, *, from_the_start: bool) -> None:
    """Say what is traced, before pytest starts: each timed call once, or everything from now on."""
    global traced  # pytest makes its plugin of this module, and hands it nothing
    traced = Traced(files, Path(out), from_the_start=from_the_start)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Trace what `paired.measure` is given to time, and not the checks that run the same before."""
    if traced is None or sys.gettrace() is not None:
        return
    from bench.harness.paired import Paired

    plain = Paired.measure

    def measure(self: Any, call: Callable[[str], Any], **rest: Any) -> Any:
        return plain(self, partial(_traced_call, self.benchmark.name, call), **rest)

    Paired.measure = measure  # type: ignore[method-assign]


def _traced_call(scenario: str, call: Callable[[str], Any], arm: str) -> Any:
    assert traced is not None, "tracing was begun"
    with traced.tracing(scenario):
        return call(arm)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Write what was seen."""
    if traced is not None:
        traced.write()
