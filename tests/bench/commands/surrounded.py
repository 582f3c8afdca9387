"""Run a command as a process of its own whose surroundings are other than a test's; forked, so it costs no imports."""

import ctypes
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.__main__ import main
from fixtures.programs.program import run_program

TIMEOUT_S = 240  # a command takes less than a second; a hanging one must not hang the tests
MOST_DESCRIPTORS = 1024  # more than a test opens
REFUSED = 77  # exit code: the system does not let us have such surroundings
CLONE_NEWNS, MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 1, 32, 4096, 16384, 1 << 18  # <sys/mount.h>


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    printed: str  # to standard output
    said: str  # to standard error


class Refused(Exception):  # noqa: N818  # what happened
    """The system does not let us have such surroundings."""


def run_surrounded(enter: Callable[[], object], arguments: Sequence[str], *, encoding: str = "utf-8") -> Ended:
    """Run a command in the current folder.

    Args:
        enter: called in its process before it begins and has its standard output.
        arguments: the command's.
        encoding: of what it prints.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                signal.alarm(TIMEOUT_S)
                os.dup2(output.fileno(), 1)
                os.dup2(errors.fileno(), 2)
                os.closerange(3, MOST_DESCRIPTORS)
                code = _become(enter, arguments, encoding)
            except Refused:
                code = REFUSED
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        said = []
        for file in (output, errors):
            file.seek(0)
            said.append(file.read().decode(encoding))
        return Ended(os.waitstatus_to_exitcode(status), *said)


def _become(enter: Callable[[], object], arguments: Sequence[str], encoding: str) -> int:
    """Be what `python -m bench` is there."""
    enter()
    sys.stdout, sys.stderr = _stream(1, encoding), _stream(2, encoding)
    sys.argv = ["bench", *arguments]
    tempfile.tempdir = None  # it is looked for anew
    try:
        return run_program(main)
    except SystemExit as ended:  # argparse
        return ended.code if isinstance(ended.code, int) else 1
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()


def _stream(descriptor: int, encoding: str) -> Any:
    """Return what Python prints to; None where it is closed, as Python has it."""
    try:
        return open(descriptor, "w", encoding=encoding)  # as long as the process lives
    except OSError:
        return None


def make_read_only() -> None:
    """Make the current folder read-only for this process, whoever it runs as.

    Raises:
        Refused: the system does not let us mount.
    """
    folder = Path.cwd()
    if os.geteuid():
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    here = bytes(folder)
    answers = (
        libc.unshare(CLONE_NEWNS),
        libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None),
        libc.mount(here, here, None, MS_BIND, None),
        libc.mount(None, here, None, MS_BIND | MS_REMOUNT | MS_RDONLY, None),
    )
    if any(answers):
        raise Refused
    os.chdir(folder)  # what is mounted there now
