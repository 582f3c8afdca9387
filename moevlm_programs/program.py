"""A program as a process: signals, printing, and the last net under what nobody foresaw."""

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from moevlm_programs.codes import UNEXPECTED
from moevlm_programs.ending import ended
from moevlm_programs.interrupt import end_on_signals
from moevlm_programs.terminal import note, print_in_any_encoding

SAID_SHOWN = 300  # characters: the trace has all of it


def run_program(main: Callable[[], int | None]) -> int:
    """Be a program; return the exit code that `ended` gives it, UNEXPECTED after a mistake of ours.

    Args:
        main: what this process was started for.
    """
    end_on_signals()
    print_in_any_encoding()
    try:
        return ended(main)
    except Exception as error:
        _tell(error)
        return UNEXPECTED


def _tell(error: Exception) -> None:
    """Say in one line what happened, and where the full trace is; where no folder takes it, the trace itself."""
    trace = f"{sys.argv}\n{''.join(traceback.format_exception(error))}"
    said = f"{type(error).__name__}: {error}".partition("\n")[0][:SAID_SHOWN]
    path = next(filter(None, (_kept(trace, folder) for folder in _folders())), None)
    place = f"the full trace is in {path}" if path else f"no folder takes the full trace, so here it is:\n{trace}"
    note(f"error: a mistake of this program, please report it: {said}; {place}")


def _folders() -> Iterator[Path]:
    """List where a trace may lie: with the system's temporary files, else here."""
    with suppress(OSError):  # there may be none that can be written
        yield Path(tempfile.gettempdir())
    yield Path()


def _kept(trace: str, folder: Path) -> Path | None:
    """Write a trace to a new file of a folder; nothing stays there of one that was not written whole."""
    path: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix="moevlm-bench-", suffix=".trace", dir=folder)
        path = Path(name)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123  # no path
            file.write(trace)
        return path
    except OSError:
        if path:
            path.unlink(missing_ok=True)
        return None
