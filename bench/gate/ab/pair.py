"""Both sides' workers while they live: asked in turn, never at once, and stopped together."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from bench.gate.ab.channel import PROTOCOL, Abandon, Chosen, Collected, Ended, Go, Message, Ready, other_protocol
from bench.gate.ab.cores import allowed_cores, shared_cores
from bench.gate.ab.worker_process import EXIT_S, Project, Side, Worker, WorkerLost

M = TypeVar("M")


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds after which a worker is given up."""

    start_s: float = 300.0  # imports and collection on a busy machine
    stage_s: float = 900.0  # set-up, warm-up or assertions: the largest models are minutes in the making
    block_s: float = 30.0  # a block, at least
    block_factor: float = 20.0  # a block, times what it took in the warm-up


class EndedEarly(Exception):  # noqa: N818  # what happened
    """A side ended the scenario before it was asked to; the other has left it too."""

    def __init__(self, ended: Mapping[str, Ended]) -> None:
        super().__init__(str(ended))
        self.ended = ended  # by name of the side


class DidNotStart(Exception):  # noqa: N818  # what happened
    """A side, or both, got no worker."""

    def __init__(self, lost: Mapping[str, WorkerLost]) -> None:
        super().__init__("; ".join(map(str, lost.values())))
        self.lost = lost  # by name of the side


class Workers:
    """Two workers, started in the given order."""

    def __init__(self, sides: Sequence[Side], project: Project, timeouts: Timeouts, node_ids: Sequence[str]) -> None:
        self.sides, self.project, self.timeouts, self.node_ids = sides, project, timeouts, node_ids
        self._workers: dict[str, Worker] = {}
        self._num_threads: dict[str, int] = {}  # by name of the side; 0 is not of a CPU

    def __enter__(self) -> "Workers":
        try:
            for side in self.sides:  # the second imports while the first does: nothing is timed yet
                self._workers[side.name] = Worker(side, self.project, self.node_ids)
        except BaseException:
            self._stop(0.0)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop(0.0 if kind else EXIT_S)  # what is broken gets no time to end by itself

    def collected(self) -> dict[str, set[str]]:
        """Wait until both have collected; return by side which of the scenarios it has, by their node ids.

        Raises:
            DidNotStart: if one did not start, or imports the package from elsewhere; once the other has answered too.
        """
        found, lost = {}, {}
        for side in self.sides:
            try:
                found[side.name] = self._collected(side)
            except WorkerLost as error:
                lost[side.name] = error
        if lost:
            raise DidNotStart(lost)
        return found

    def choose(self, node_ids: Sequence[str]) -> None:
        """Say what both run, in this order."""
        for side in self.sides:
            self._workers[side.name].send(Chosen(node_ids=side.node_ids(node_ids), protocol=PROTOCOL))

    def set_up(self, go: Go) -> dict[str, Ready]:
        """Have both set a scenario up: at once on a CPU with a core for each, where nothing is timed yet.

        Raises:
            EndedEarly: if a side ended the scenario instead.
            WorkerLost: if a worker is gone, hangs, or answers something else.
        """
        if not self._cores(0):
            return self.in_turn(go, Ready)
        self._keep_on(allowed_cores())
        for worker in self._workers.values():
            worker.send(go)
        return self._answered({name: self._receive(name) for name in self._workers}, Ready)

    def share_cores(self, number: int) -> None:
        """Keep both on the cores of the launch of this number, where there is a choice."""
        self._keep_on(self._cores(number))

    def in_turn(
        self, message: Message, kind: type[M], *, timeout_s: float | None = None, turns: Sequence[str] = ()
    ) -> dict[str, M]:
        """Ask one side after the other, by default in the order of their start; return the answers by side.

        Raises:
            EndedEarly: if a side ended the scenario instead.
            WorkerLost: if a worker is gone, hangs, or answers something else.
        """
        answers: dict[str, Message] = {}
        for name in turns or self._workers:
            self._workers[name].send(message)
            answers[name] = self._receive(name, timeout_s)
        return self._answered(answers, kind)

    def abandon(self, names: Sequence[str] = ()) -> None:
        """Have sides leave a scenario for which they are ready; by default both."""
        for name in names or tuple(self._workers):
            self._workers[name].send(Abandon())
            self._expect(name, Ended, self.timeouts.stage_s)

    def _receive(self, name: str, timeout_s: float | None = None) -> Message:
        return self._workers[name].receive(timeout_s or self.timeouts.stage_s)

    def _answered(self, answers: Mapping[str, Message], kind: type[M]) -> dict[str, M]:
        """Return what both answered; where one has ended the scenario, the other leaves it too."""
        ended = {name: answer for name, answer in answers.items() if isinstance(answer, Ended) and kind is not Ended}
        found = {name: _checked(name, answer, kind) for name, answer in answers.items() if name not in ended}
        if ended:
            if found:  # where both have ended, nobody is left to be told
                self.abandon(tuple(found))
            raise EndedEarly(ended)
        return found

    def _cores(self, number: int) -> frozenset[int]:
        """Return the cores of a launch; none where the sides' numbers of threads differ, or are not said."""
        num_threads = set(self._num_threads.values())
        return shared_cores(number, num_threads.pop(), allowed_cores()) if len(num_threads) == 1 else frozenset()

    def _keep_on(self, cores: Collection[int]) -> None:
        for worker in self._workers.values():
            worker.keep_on(cores)

    def _collected(self, side: Side) -> set[str]:
        answer = self._expect(side.name, Collected, self.timeouts.start_s)
        if why := other_protocol(answer.protocol):
            raise WorkerLost(side.name, why)
        if not answer.package_file.startswith(f"{side.folder}/"):
            why = f"{self.project.package} must come from {side.folder}, got {answer.package_file!r}"
            raise WorkerLost(side.name, why)
        self._num_threads[side.name] = answer.num_threads
        found = set(answer.node_ids)
        return {node_id for node_id in self.node_ids if found.intersection(side.node_ids([node_id]))}

    def _expect(self, name: str, kind: type[M], timeout_s: float) -> M:
        return _checked(name, self._workers[name].receive(timeout_s), kind)

    def _stop(self, grace_s: float) -> None:
        """End both, whatever interrupts the first one's ending."""
        try:
            for worker in self._workers.values():
                worker.stop(grace_s)
        finally:
            for worker in self._workers.values():
                worker.stop()


def _checked(name: str, answer: Message, kind: type[M]) -> M:
    if not isinstance(answer, kind):
        raise WorkerLost(name, f"it must answer {kind.__name__}, got {answer}")
    return answer
