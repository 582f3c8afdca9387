"""Two workers without processes, for tests of the dance: answers by kind of message and side."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.gate.ab import lockstep
from bench.gate.ab.channel import Block, Ended, Go, Message, Ready, RunBlock, Warm
from bench.gate.ab.known import Known
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import LaunchTerms, run_launch
from bench.gate.ab.own_tree import OwnTree
from bench.gate.ab.pair import DidNotStart, EndedEarly
from bench.gate.ab.worker_process import Project, Side, WorkerLost

REPOSITORY = Path(__file__).parents[4]  # its bench/ has a worker
READY = Ready(arms=["moe", "dense", "anchor"], metric="tpot_s", hashes={"workload": "w"})
PASSED = Ended(outcome="passed")
FAILED = Ended(outcome="failed", error="AttributeError", why="no such thing")
SKIPPED = Ended(outcome="skipped", error="Skipped", why="does not fit: needs 9 GiB")
WRONG = Ended(outcome="failed", error="WrongAnswer", why="dense: got 0.3")
NO_MEMORY = Ended(outcome="failed", error="OutOfMemoryError", why="tried to allocate 9 GiB")


class ScriptedWorkers:
    """Two workers without processes: answers by kind of message and side; keeps what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"Go": READY, "WarmUp": Warm(block_s=0.01, anchor_calls=3), "Finish": PASSED, **answers}
        self.started: list[Sequence[Side]] = []
        self.asked: list[tuple[Message, tuple[str, ...], float | None]] = []
        self.order: list[str] = []
        self.chosen: Sequence[str] = ()
        self.has = {"f.py::a", "f.py::b"}
        self.lacking: dict[str, set[str]] = {}
        self.abandoned = 0
        self.shared: list[int] = []

    def __call__(self, sides: Sequence[Side], *_: object) -> "ScriptedWorkers":
        self.started.append(sides)
        self.order = [side.name for side in sides]
        return self

    def __enter__(self) -> "ScriptedWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def collected(self) -> dict[str, set[str]]:
        lost = self.answers.get("start", {})
        if here := {side.name: lost[kind] for side in self.started[-1] if (kind := _kind(side)) in lost}:
            raise DidNotStart(here)
        return {name: self.has - (set() if self.on_own() else self.lacking.get(name, set())) for name in self.order}

    def choose(self, node_ids: Sequence[str]) -> None:
        self.chosen = node_ids

    def set_up(self, go: Go) -> dict[str, Any]:
        return self.in_turn(go, Ready)

    def share_cores(self, number: int) -> None:
        assert isinstance(self.asked[-1][0], Go), "before anything is warm"
        self.shared.append(number)

    def abandon(self) -> None:
        self.abandoned += 1

    def in_turn(
        self, message: Message, kind: type[Any], *, timeout_s: float | None = None, turns: Sequence[str] = ()
    ) -> dict[str, Any]:
        self.asked.append((message, tuple(turns), timeout_s))
        answer = self.answers.get(type(message).__name__)
        answer = self.answers.get("Own", answer) if self.on_own() and isinstance(message, Go) else answer
        if isinstance(answer, WorkerLost):
            raise answer
        by_side = answer if isinstance(answer, dict) else dict.fromkeys(self.order, answer)
        if isinstance(message, RunBlock):
            by_side = {name: self.block(name, message) for name in turns}
        ended = {name: value for name, value in by_side.items() if isinstance(value, Ended)}
        if ended and kind is not Ended:
            raise EndedEarly(ended)
        return by_side

    def on_own(self) -> bool:
        return any(side.own for side in self.started[-1])

    def block(self, name: str, asked: RunBlock) -> Block:
        throttled = random.Random(len(self.asked)).random() < self.answers.get("throttled", 0.0)
        return Block(seconds=dict.fromkeys(asked.order, {"base": 1.0, "head": 2.0}[name]), throttled=throttled)

    def blocks(self) -> list[tuple[RunBlock, tuple[str, ...], float | None]]:
        return [(m, turns, timeout) for m, turns, timeout in self.asked if isinstance(m, RunBlock)]


def _kind(side: Side) -> str:
    return "own" if side.own else side.name


def known(*scenarios: str, why: str = "", root: Path = REPOSITORY) -> Known:
    """Base's own tree has these scenarios, in another file."""
    return Known(lambda: OwnTree(root=root, node_ids={name: f"old.py::{name}" for name in scenarios}, why=why))


def terms(folder: Path = Path(), **fields: Any) -> LaunchTerms:
    sides = {name: Side(name=name, folder=folder / name) for name in ("base", "head")}
    given = {
        "project": Project(root=folder, package="pack"),
        "number": 0,
        "seed": 0,
        "budget_s": 0.4,
        "known": known("a", "b"),
        **sides,
        **fields,
    }
    return LaunchTerms(**given)


def launch(
    monkeypatch: pytest.MonkeyPatch, workers: ScriptedWorkers, node_ids: Sequence[str] = ("f.py::a",), **fields: Any
) -> list[PairedLaunch | Trouble]:
    monkeypatch.setattr(lockstep, "Workers", workers)
    return list(run_launch(terms(**fields), node_ids))
