"""One worker process as the parent sees it: started in a session of its own, asked, and killed with all it started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bench.gate.ab.channel import Channel, Message
from bench.gate.ab.cores import keep_on
from bench.gate.ab.own_tree import OwnTree
from bench.gate.inherited import fresh_environment, import_path
from bench.gate.launch import WITHOUT
from bench.harness.measuring import scenario_of
from bench.harness.tied import tied

HARNESS_ROOT = Path(__file__).parents[3]  # holds bench/: a worker runs the parent's own harness, or its tree's
CHILD = f"{__package__}.child"
EXIT_S = 20.0  # for a worker that has nothing left to do, and for one that closed its channel, to end by itself
OUTPUT_SHOWN = 800  # last characters of a lost worker's output
OWN_OPTIONS = ("--compare=off", "--continue-on-collection-errors", *WITHOUT, "-q")
PINNED_GPU = "--device=cuda"  # the only one that a worker then sees
GPU_QUERY = "import sys, torch; print(torch.cuda.get_device_properties(sys.argv[1]).uuid)"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One slot of a launch."""

    name: str  # base or head
    folder: Path  # holds the package
    arguments: Sequence[str] = ()  # pytest's, for this side alone
    own: OwnTree | None = None  # whose scenarios it runs, where they are not the project's

    def node_ids(self, node_ids: Iterable[str]) -> list[str]:
        """Return what this side calls the scenarios that the project calls so; what it does not have is left out."""
        if self.own is None:
            return list(node_ids)
        return [self.own.node_ids[name] for name in map(scenario_of, node_ids) if name in self.own.node_ids]


@dataclass(frozen=True, kw_only=True)
class Project:
    """What both sides share: the scenarios and how pytest runs them."""

    root: Path  # of the working tree that holds bench/ and fixtures/
    package: str  # what the sides differ in
    arguments: Sequence[str] = ()  # pytest's: device, scales and inputs
    environment: Mapping[str, str] = field(default_factory=dict)  # in addition to this process's


class Pinned(NamedTuple):
    """How both sides get one and the same device."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


class WorkerLost(Exception):  # noqa: N818  # what happened to it; FAILED is the verdict
    """A worker died, hung, or answered what it was not asked."""

    def __init__(self, side: str, why: str, code: int | None = None) -> None:
        super().__init__(f"{side}: {why}")
        self.side, self.code = side, code  # its exit code, negative for a signal; None while it lived

    @property
    def has_refused(self) -> bool:
        """Tell whether it ended by itself, and would do so again."""
        return self.code is not None and self.code > 0

    @property
    def was_killed(self) -> bool:
        """Tell whether a signal ended it."""
        return self.code is not None and self.code < 0


class Worker:
    """A started worker."""

    def __init__(self, side: Side, project: Project, node_ids: Iterable[str]) -> None:
        self.side = side
        root = side.own.root if side.own else project.root
        harness = root if side.own and side.own.has_harness else HARNESS_ROOT
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `stop`
        with theirs:  # the worker's copy is then the only one: its death closes the channel
            self._process = subprocess.Popen(
                tied(_command(side, project, files_of(side.node_ids(node_ids)), theirs.fileno())),
                cwd=root,
                env=fresh_environment(**project.environment, **import_path(harness)),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is the parent's to handle, and one signal reaches all it has started
            )

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            WorkerLost: if the worker is gone.
        """
        try:
            self._channel.send(message)
        except OSError as error:
            raise self._gone() from error

    def receive(self, timeout_s: float) -> Message:
        """Wait for the worker's next message.

        Raises:
            WorkerLost: if it does not come in time, or the worker is gone.
        """
        try:
            return self._channel.receive(timeout_s)
        except TimeoutError as error:
            why = f"its worker hung: no answer within {timeout_s:.0f} s; run the scenario alone to see where"
            raise WorkerLost(self.side.name, why) from error
        except (EOFError, OSError) as error:
            raise self._gone() from error

    def keep_on(self, cores: Collection[int]) -> None:
        """Keep the worker's threads on some cores."""
        keep_on(self._process.pid, cores)

    def stop(self, grace_s: float = 0.0) -> None:
        """Close the channel, wait for the worker to end, then kill what is left of it and of what it started."""
        self._channel.close()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._output.close()

    def _gone(self) -> WorkerLost:
        try:
            code = self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            return WorkerLost(self.side.name, f"its worker closed its channel and stayed alive: {self._said()}")
        if code < 0:
            name = signal.Signals(-code).name
            hint = (
                "; the kernel kills so when memory runs out, run the scenario alone" if -code == signal.SIGKILL else ""
            )
            return WorkerLost(self.side.name, f"its worker died of {name}{hint}: {self._said()}", code)
        return WorkerLost(self.side.name, f"its worker ended {code}: {self._said()}", code)

    def _said(self) -> str:
        """Return the end of the worker's output."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), OUTPUT_SHOWN, max(0, size - OUTPUT_SHOWN)).decode(errors="replace")


def pin_device(name: str) -> Pinned:
    """Name one GPU for both sides by its UUID; GPUs of one model differ by several percent.

    Args:
        name: what the scenarios' --device takes: auto, cpu, cuda or cuda:N.

    Returns:
        Arguments and environment under which every worker finds that GPU and no other; for a CPU nothing is hidden.
    """
    asked = "cuda" if name == "auto" else name
    if not asked.startswith("cuda"):
        return Pinned((f"--device={name}",), {})
    query = tied([sys.executable, "-c", GPU_QUERY, asked])
    answer = subprocess.run(
        query, capture_output=True, encoding="utf-8", errors="replace", check=False, start_new_session=True
    )
    if answer.returncode:  # no GPU: auto is then the CPU, and the workers refuse a name that does not exist
        return Pinned((f"--device={name}",), {})
    return Pinned((PINNED_GPU,), {"CUDA_VISIBLE_DEVICES": f"GPU-{answer.stdout.strip()}"})


def files_of(node_ids: Iterable[str]) -> list[str]:
    """Return the files that hold the scenarios, each once.

    >>> files_of(["a.py::x", "b.py::y", "a.py::z"])
    ['a.py', 'b.py']
    """
    return list(dict.fromkeys(node_id.partition("::")[0] for node_id in node_ids))


def _command(side: Side, project: Project, files: Sequence[str], descriptor: int) -> list[str]:
    own = [f"--ab-worker={descriptor}", f"--ab-package={project.package}", *OWN_OPTIONS]
    pytest_arguments = [*files, *project.arguments, *side.arguments, *own]
    return [sys.executable, "-m", CHILD, project.package, str(side.folder), *pytest_arguments]
