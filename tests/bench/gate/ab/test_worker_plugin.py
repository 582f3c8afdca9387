"""Tests of a worker's side: what the parent asks is written beforehand, what the worker answers is read afterwards."""

import gc
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.gate.ab.channel import Abandon, Block, Channel, Finish, Go, Message, Ready, RunBlock, Warm, WarmUp
from bench.gate.ab.child import import_from
from bench.gate.ab.worker_plugin import RemotePaired, WorkerSession
from bench.harness.agreement import WrongAnswer
from bench.harness.answers import Answer
from bench.harness.backends import Backend, RanOn
from bench.harness.blocks import Terms
from bench.harness.clock import Timed
from bench.harness.metrics import PEAK_BYTES, TPOT

SECONDS = {"moe": 0.3, "dense": 0.2}
ANCHOR_S = 0.05


class ScriptedClock:
    """Says that a call took what the call scripted, or ANCHOR_S."""

    def __init__(self) -> None:
        self.taken_s = 0.0

    def measure(self, call: Callable[[], object]) -> Timed:
        self.taken_s = 0.0
        result = call()
        return Timed(self.taken_s or ANCHOR_S, result)

    def throttled(self) -> bool:
        return True


class Scripted:
    """A scenario on a scripted clock, and the parent's end of its channel."""

    def __init__(self, ours: socket.socket, theirs: socket.socket) -> None:
        self.parent, self.clock = Channel(ours), ScriptedClock()
        terms = Terms(device=torch.device("cpu"), dtype=torch.float32, budget_s=10.0, seed=0, slowdowns={})
        self.paired = RemotePaired(
            Channel(theirs), SimpleNamespace(params=None), self.clock, terms, lambda: self.ran_on
        )
        self.ran: list[str] = []
        self.wrong = ""  # arm
        self.answers: dict[str, Answer] = {}
        self.ran_on = RanOn({}, {})

    def call(self, arm: str) -> str:
        self.clock.taken_s = SECONDS[arm]
        self.ran.append(arm)
        return f"output of {arm}"

    def check(self, arm: str) -> Answer | None:
        if arm == self.wrong:
            raise WrongAnswer(f"{arm} is wrong")
        return self.answers.get(arm)

    def measure(self, *asked: Message) -> dict[str, str]:
        for message in asked:
            self.parent.send(message)
        return self.paired.measure(
            self.call,
            arms=SECONDS,
            check=self.check,
            metric=TPOT,
            anchor="dispatch",
            num_units=10,
            hashes={"workload": "w"},
        )


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    ours, theirs = socket.socketpair()
    yield Scripted(ours, theirs)
    ours.close()
    theirs.close()


def test_a_scenario_is_announced_warmed_up_and_run_as_told(scripted: Scripted) -> None:
    blocks = (RunBlock(order=["dense", "moe"], anchor_calls=1), RunBlock(order=["moe", "anchor"], anchor_calls=4))
    returned = scripted.measure(WarmUp(), *blocks, Finish())
    assert returned == {"moe": "output of moe", "dense": "output of dense"}
    answers = [scripted.parent.receive(1.0) for _ in range(4)]
    assert answers == [
        Ready(arms=["moe", "dense", "anchor"], metric="tpot_s", hashes={"workload": "w"}),
        Warm(block_s=pytest.approx(0.3 + 0.2 + 4 * 0.05), anchor_calls=4),
        Block(seconds={"dense": pytest.approx(0.02), "moe": pytest.approx(0.03)}, throttled=True),
        Block(seconds={"moe": pytest.approx(0.03), "anchor": pytest.approx(0.05 / 4)}, throttled=True),
    ]
    assert scripted.ran[-3:] == ["dense", "moe", "moe"]


def test_a_brief_block_calls_each_arm_untimed_before_it_is_timed(scripted: Scripted) -> None:
    scripted.measure(
        WarmUp(),
        RunBlock(order=["dense", "moe"], anchor_calls=1, is_brief=True),
        RunBlock(order=["moe", "dense"], anchor_calls=1),
        Finish(),
    )
    assert scripted.ran[-6:] == ["dense", "dense", "moe", "moe", "moe", "dense"]


@pytest.mark.parametrize(("limit_s", "is_brief", "block_s"), [(0.8, True, 0.7 + 0.55), (0.6, False, 0.7)])
def test_a_brief_block_is_told_with_its_untimed_calls(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, limit_s: float, is_brief: bool, block_s: float
) -> None:
    monkeypatch.setattr("bench.harness.blocks.BRIEF_S", limit_s)  # 0.3 s, 0.2 s and four anchors of 0.05 s
    scripted.measure(WarmUp(), Finish())
    scripted.parent.receive(1.0)
    assert scripted.parent.receive(1.0) == Warm(block_s=pytest.approx(block_s), anchor_calls=4, is_brief=is_brief)


def test_a_scenario_is_announced_with_what_its_arms_answered_and_what_they_ran_on(scripted: Scripted) -> None:
    scripted.answers["moe"] = Answer("logits", torch.tensor([[3.0, 4.0]]), bound=1e-4, tokens=(1,))
    scripted.ran_on = RanOn({"torch": "2.13.0"}, {"cpu_kernels": Backend((), "no compiler")})
    scripted.measure(Finish())
    ready = scripted.parent.receive(1.0)
    assert isinstance(ready, Ready)
    assert list(ready.answers) == ["moe"]
    assert (ready.answers["moe"]["norms"], ready.answers["moe"]["tokens"]) == ([5.0], [1])
    assert (ready.libraries, ready.backends) == ({"torch": "2.13.0"}, {"cpu_kernels": [[], "no compiler"]})


def test_a_wrong_answer_is_not_announced(scripted: Scripted) -> None:
    scripted.wrong = "dense"
    with pytest.raises(WrongAnswer, match="dense is wrong"):
        scripted.measure(WarmUp(), Finish())
    assert scripted.ran == []
    with pytest.raises(TimeoutError):
        scripted.parent.receive(0.01)


def test_an_abandoned_scenario_is_skipped_before_its_assertions(scripted: Scripted) -> None:
    with pytest.raises(pytest.skip.Exception, match="the other side did not get as far"):
        scripted.measure(Abandon())
    assert gc.isenabled()


def test_what_a_ready_scenario_cannot_answer_is_refused(scripted: Scripted) -> None:
    with pytest.raises(TypeError, match="takes WarmUp, RunBlock, Profile, Finish or Abandon, got Go"):
        scripted.measure(Go())


def test_a_parent_that_is_gone_ends_the_scenario(scripted: Scripted) -> None:
    scripted.parent.close()
    with pytest.raises(OSError, match="Broken pipe"):
        scripted.measure()


@pytest.mark.parametrize("asked", [Finish(), Abandon()])
def test_what_is_counted_is_announced_with_its_values(scripted: Scripted, asked: Message) -> None:
    scripted.parent.send(asked)

    def observe() -> dict[str, float]:
        return scripted.paired.observe(lambda arm: len(arm), arms=["moe", "dense"], metric=PEAK_BYTES)

    if isinstance(asked, Finish):
        assert observe() == {"moe": 3, "dense": 5}
    else:
        with pytest.raises(pytest.skip.Exception, match="did not get as far"):
            observe()
    counts = {"moe": 3.0, "dense": 5.0}
    assert scripted.parent.receive(1.0) == Ready(arms=list(counts), metric="peak_bytes", hashes={}, counts=counts)


@pytest.fixture
def two_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package "sided" in the side's folder, and one of the same name first on the import path."""
    for name in ("side", "root"):
        folder = tmp_path / name / "sided"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(f"from sided import part\nname = {name!r}")
        (folder / "part.py").write_text(f"name = {name!r}")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "root"), *sys.path])
    yield tmp_path
    for name in ("sided", "sided.part"):
        sys.modules.pop(name, None)


def test_the_package_comes_from_the_sides_folder_whatever_the_path_says(two_packages: Path) -> None:
    import_from("sided", two_packages / "side")
    sys.path.insert(0, str(two_packages / "root"))
    import sided.part  # type: ignore[import-not-found]

    assert (sided.name, sided.part.name) == ("side", "side")


def test_a_side_without_the_package_does_not_fall_back_to_another(two_packages: Path) -> None:
    with pytest.raises(ImportError, match="this side has no package 'sided'"):
        import_from("sided", two_packages)
    assert "sided" not in sys.modules


def test_what_is_free_goes_back_once_the_parent_says_go_and_before_a_scenario_is_set_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []

    def receive() -> Go:
        order.append("go")
        return Go(seed=3)

    session = WorkerSession.__new__(WorkerSession)
    session.channel, session.ended = SimpleNamespace(receive=receive), {}  # type: ignore[assignment]
    monkeypatch.setattr("bench.gate.ab.worker_plugin.give_back", lambda: order.append("give back"))
    session.pytest_runtest_logstart("f.py::a")
    assert order == ["go", "give back"]
    assert session.seed == 3
