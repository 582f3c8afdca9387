"""Workers of `ab` forked from a process that has torch loaded: as real as started ones, without their four seconds."""

import gc
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import bench.plugin  # noqa: F401  # every worker needs it: imported once
from bench.gate.ab import child, collect, worker_process
from bench.gate.ab.brief import Brief
from bench.gate.ab.own_tree import OwnTree
from bench.harness.measuring import scenario_of

POLL_S = 0.01
MOST_DESCRIPTORS = 1024  # more than a test opens


class Forked:
    """Stands for subprocess.Popen where a worker is started."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: IO[bytes],
        pass_fds: Sequence[int],
        **_same: Any,
    ) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                code = become(arguments, cwd, env, stdout.fileno(), pass_fds[0])
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait as Popen does."""
        deadline = time.monotonic() + (1e9 if timeout is None else timeout)
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("worker", timeout or 0.0)
            else:
                time.sleep(POLL_S)
        return self.returncode


def become(arguments: Sequence[str], cwd: Path, env: Mapping[str, str], output: int, channel: int) -> int:
    """Be what `python -m bench.gate.ab.child` is: its session, folder, environment and open files."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # the command's own handlers are no worker's
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, channel)
    os.closerange(channel + 1, MOST_DESCRIPTORS)
    return child.main(arguments[arguments.index(worker_process.CHILD) + 1 :])


def use_forked_workers() -> None:
    """Fork workers from now on, on a machine without a GPU, and list the fake project's scenarios without pytest."""
    gc.freeze()  # what is loaded by now is garbage in no worker: its collections need not look
    names = ("DEVNULL", "STDOUT", "TimeoutExpired", "run")
    worker_process.subprocess = SimpleNamespace(Popen=Forked, **{name: getattr(subprocess, name) for name in names})  # type: ignore[assignment, attr-defined]
    worker_process.GPU_QUERY = "raise SystemExit(1)"
    collect.collect = listed
    collect.collect_own = lambda brief, root: OwnTree(
        root=root, node_ids={scenario_of(node_id): node_id for node_id in listed(brief)}
    )


def listed(brief: Brief) -> list[str]:
    """Return the fake project's scenarios that an expression selects."""
    names = (f"bench/bench_x.py::bench_x[{size}]" for size in range(1, 5))
    return [name for name in names if brief.expression in name]
