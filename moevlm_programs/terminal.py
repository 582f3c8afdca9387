"""The one way in which a command prints: in any encoding, to a reader that may have gone, or a full disk."""

import io
import os
import sys
from typing import TextIO

from moevlm_programs.errors import write_error
from moevlm_programs.visible import visible_lines


class ReaderGone(BaseException):  # no failure that a handler of failures may catch, as KeyboardInterrupt
    """Nobody reads any more what is printed; whatever is printed from now on is dropped."""


def print_in_any_encoding() -> None:
    """Have this process's output escape what its encoding lacks: that character alone comes as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str = "") -> None:
    """Print a result's line, at once.

    Raises:
        ReaderGone: whoever read standard output has ended.
        RecordWriteError: it cannot be written, to a full disk for instance, or is closed.
    """
    if sys.stdout is None:
        raise write_error("standard output", OSError("a closed one"))
    try:
        print(text, file=sys.stdout, flush=True)
    except BrokenPipeError:
        _drop_the_rest(sys.stdout)
        raise ReaderGone from None
    except OSError as error:
        _drop_the_rest(sys.stdout)
        raise write_error("standard output", error) from error


def note(text: str) -> None:
    """Print what is no result, of how things go, to standard error; what it cannot take costs nothing else.

    Names in it, whoever gave them, steer no terminal.
    """
    if sys.stderr is not None:
        try:
            print(visible_lines(text), file=sys.stderr, flush=True)
        except OSError:
            _drop_the_rest(sys.stderr)


def _drop_the_rest(stream: TextIO) -> None:
    """Let what is left in a stream's buffer go nowhere: Python would complain of it as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
