"""Processes apart: what is asked runs in a fork of a process that was forked before anything was measured.

Whatever the measuring process has run, kept and cached by then is not there, and no import is paid for again.
"""

import contextlib
import gc
import os
import pickle
import signal
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any, NoReturn, ParamSpec, TypeVar

import torch

from bench.harness.tied import die_with

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_S = 1800.0  # for one call: what takes longer hangs
FIRST_FILE = 3  # after standard input, output and error
MOST_FILES = 1 << 20  # beyond any limit that a machine sets
SAID_SHOWN = 800  # last bytes of what a lost process has written


class LostProcess(RuntimeError):  # noqa: N818  # what happened to it
    """A process apart died or hung."""


class Apart:
    """The process that others are forked from; it waits, and computes nothing.

    What is imported before it begins none of them has to import.
    """

    def __init__(self) -> None:
        self._origin = self._running = 0  # process ids; 0: none
        self._channel: Connection | None = None

    def begin(self) -> None:
        """Fork it now: torch must not have computed anything yet on more than one thread, nor on a GPU."""
        self._channel, theirs = Pipe()
        parent = os.getpid()
        self._origin = os.fork()
        if not self._origin:
            _serve(theirs, parent)
        theirs.close()

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a process of its own, on as many threads as torch uses here.

        Args:
            function: is found there by its name, as what it takes and returns is pickled.

        Raises:
            LostProcess: it died or hung.
            Exception: whatever the function raises.
        """
        if self._channel is None:
            self.begin()
        assert self._channel is not None, "begun above"
        self._channel.send_bytes(pickle.dumps((torch.get_num_threads(), function, args, kwargs)))
        self._running = self._next()
        answer = self._next()
        self._running = 0
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]  # as the function's

    def end(self) -> None:
        """End it, and what it may still be running."""
        if self._channel is None:
            return
        self._channel.close()
        for pid in filter(None, (self._running, self._origin)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(self._origin, 0)
        self._channel, self._origin, self._running = None, 0, 0

    def _next(self) -> Any:
        assert self._channel is not None, "asked before"
        try:
            if self._channel.poll(LONGEST_S):
                return pickle.loads(self._channel.recv_bytes())
        except (EOFError, ConnectionError) as error:
            raise LostProcess("the process that others are forked from is gone; run again") from error
        self.end()
        raise LostProcess(f"a process apart hung: no answer within {LONGEST_S:.0f} s; run the scenario alone")


def _serve(channel: Connection, parent: int) -> NoReturn:
    """Fork a process for each call that is asked for, until nobody can ask any more."""
    try:
        die_with(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the asking process's to handle
        gc.freeze()  # nothing from before is ever collected here: a file closed below would be closed twice
        os.closerange(FIRST_FILE, channel.fileno())  # `ab` takes its worker for dead when its socket is closed
        os.closerange(channel.fileno() + 1, MOST_FILES)
        origin = os.getpid()
        while True:
            asked = channel.recv_bytes()
            with tempfile.TemporaryFile() as output:  # not the terminal, where progress is drawn
                if not (pid := os.fork()):
                    os.dup2(output.fileno(), 1)
                    os.dup2(output.fileno(), 2)
                    _answer(channel, asked, origin)
                _, status = os.waitpid(pid, 0)
                if status:
                    channel.send_bytes(pickle.dumps(_lost(os.waitstatus_to_exitcode(status), output.fileno())))
    except (EOFError, ConnectionError):
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _answer(channel: Connection, asked: bytes, origin: int) -> NoReturn:
    """Tell the process's id, then what the function returns or raises."""
    die_with(origin)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    channel.send_bytes(pickle.dumps(os.getpid()))
    try:
        num_threads, function, args, kwargs = pickle.loads(asked)
        torch.set_num_threads(num_threads)
        answer = pickle.dumps(function(*args, **kwargs))
    except Exception as error:
        error.add_note(traceback.format_exc())
        answer = _pickled(error)
    channel.send_bytes(answer)
    os._exit(0)


def _pickled(error: Exception) -> bytes:
    """Pickle an error, or one that says the same where its own class cannot travel."""
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return pickled


def _lost(code: int, output: int) -> LostProcess:
    """Say how a process ended that gave no answer, and what it wrote last."""
    said = os.pread(output, SAID_SHOWN, max(0, os.fstat(output).st_size - SAID_SHOWN)).decode(errors="replace")
    if code >= 0:
        return LostProcess(f"a process apart ended {code}: {said}")
    hint = "; the kernel kills so when memory runs out" if -code == signal.SIGKILL else ""
    return LostProcess(f"a process apart died of {signal.Signals(-code).name}{hint}: {said}")
