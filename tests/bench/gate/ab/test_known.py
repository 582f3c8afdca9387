"""Tests of what launches learn of the sides: when base runs its own tree, and what is not tried again."""

from pathlib import Path
from typing import Any

import pytest

from bench.gate.ab import lockstep
from bench.gate.ab.channel import Ended, Ready
from bench.gate.ab.known import Known
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import run_launch
from bench.gate.ab.worker_process import Side, WorkerLost
from bench.gate.verdict import Verdict
from tests.bench.gate.ab.scripted_workers import (
    FAILED,
    READY,
    REPOSITORY,
    WRONG,
    ScriptedWorkers,
    known,
    launch,
    terms,
)

OTHER_INPUTS = Ready(arms=READY.arms, metric="tpot_s", hashes={"workload": "v"})
OTHER_METRIC = Ready(arms=READY.arms, metric="ttft_s", hashes=READY.hashes)
NO_ARM = Ready(arms=["old"], metric="tpot_s", hashes=READY.hashes)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (OTHER_INPUTS, "base and head do not get the same inputs: another workload hash"),
        (OTHER_METRIC, "base and head do not measure the same: ttft_s and tpot_s"),
        (NO_ARM, "base and head have no arm in common"),
    ],
)
@pytest.mark.parametrize("on_own", [False, True])
def test_other_work_is_not_comparable(monkeypatch: pytest.MonkeyPatch, other: Ready, why: str, *, on_own: bool) -> None:
    sides = {"base": other, "head": READY}
    workers = ScriptedWorkers(Go={"base": FAILED, "head": READY}, Own=sides) if on_own else ScriptedWorkers(Go=sides)
    (trouble,) = launch(monkeypatch, workers)
    assert trouble == Trouble(scenario="a", verdict=Verdict.NOT_COMPARABLE, why=why)
    assert workers.abandoned == 1


@pytest.mark.parametrize(
    "answers",
    [
        {"Go": {"base": FAILED, "head": READY}},
        {"Go": {"base": WRONG, "head": READY}},
        {"Go": WorkerLost("base", "its worker ended 3", 3)},
        {"start": {"base": WorkerLost("base", "it did not start", 1)}},
        {"start": {"base": WorkerLost("base", "it hung")}},
        {"lacking": {"base": {"f.py::a"}}},
    ],
)
def test_where_heads_scenario_fails_on_base_its_own_is_compared(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]
) -> None:
    own = known("a")
    workers = ScriptedWorkers(Own=READY, **answers)
    workers.lacking = answers.get("lacking", {})
    monkeypatch.setattr(lockstep, "Workers", workers)
    for number in range(2):
        (result,) = run_launch(terms(known=own, number=number), ["f.py::a"])
        assert isinstance(result, PairedLaunch), result
    sides = [sorted((side.name, str(side.folder), side.own is not None) for side in pair) for pair in workers.started]
    heads, owns = ("head", "head", False), ("base", str(REPOSITORY), True)
    assert sides == [[("base", "base", False), heads], [owns, heads], [owns, heads]]  # what failed is not tried again
    base, head = (Side(name=name, folder=Path(name)) for name in ("base", "head"))
    assert own.sides_for("a", base, head) == (own.on_own_tree(base), head)  # a profile is of the sides that measured
    assert own.sides_for("b", base, head) == (base, head)
    assert len(own.notes()) == 1
    assert own.notes()[0].startswith("base ran its own bench/ and fixtures/ for a, for head's fail there: ")


def test_a_placebo_of_its_own_tree_has_it_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = ScriptedWorkers(Go={"base": FAILED, "head": FAILED}, Own=READY)
    (result,) = launch(monkeypatch, workers, is_placebo=True)
    assert isinstance(result, PairedLaunch)
    assert result.is_placebo
    assert [side.own is not None for pair in workers.started for side in pair] == [False, False, True, True]


@pytest.mark.parametrize(
    ("own", "answer", "verdict", "why"),
    [
        (known(), READY, Verdict.NEW, "base's own tree does not have it; head's scenario fails on it: no such thing"),
        (known("b"), READY, Verdict.NEW, "base's own tree does not have it"),
        (known("a"), {"base": FAILED, "head": READY}, Verdict.NOT_COMPARABLE, "base's own scenario fails: no such"),
        (
            known("a"),
            {"base": WRONG, "head": READY},
            Verdict.NEW,
            "base answers wrongly: dense: got 0.3; nothing to compare with",
        ),
        (known("a"), {"base": READY, "head": WRONG}, Verdict.WRONG, "head: dense: got 0.3"),
        (known(why="pytest says no"), READY, Verdict.NOT_COMPARABLE, "what base's own tree has is not known: pytest"),
    ],
)
def test_only_what_base_s_own_tree_does_not_have_or_answers_wrongly_is_new(
    monkeypatch: pytest.MonkeyPatch, own: Known, answer: object, verdict: Verdict, why: str
) -> None:
    workers = ScriptedWorkers(Go={"base": FAILED, "head": READY}, Own=answer)
    (trouble,) = launch(monkeypatch, workers, known=own)
    assert isinstance(trouble, Trouble)
    assert (trouble.scenario, trouble.verdict) == ("a", verdict)
    assert trouble.why.startswith(why)


def test_a_base_from_before_the_worker_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()
    workers = ScriptedWorkers(Go={"base": FAILED, "head": READY})
    (trouble,) = launch(monkeypatch, workers, known=known("a", root=tmp_path))
    assert isinstance(trouble, Trouble)
    assert trouble.verdict is Verdict.NOT_COMPARABLE
    assert trouble.why.startswith("base's own tree has no worker, bench/gate/ab/child.py; take a later --base")
    assert len(workers.started) == 1


@pytest.mark.parametrize("end", [FAILED, WRONG])
def test_a_placebo_is_never_put_down_to_head(monkeypatch: pytest.MonkeyPatch, end: Ended) -> None:
    ends = {"base": end, "head": end}
    (trouble,) = launch(monkeypatch, ScriptedWorkers(Go=ends, Own=ends), is_placebo=True)
    assert isinstance(trouble, Trouble)
    assert trouble.verdict is (Verdict.NEW if end is WRONG else Verdict.NOT_COMPARABLE)
    assert "head answers" not in trouble.why


def test_the_rest_is_run_beside_what_base_does_not_collect(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = ScriptedWorkers()
    workers.lacking = {"base": {"f.py::a"}}
    result, trouble = launch(monkeypatch, workers, ["f.py::a", "f.py::b"], known=known())
    assert isinstance(trouble, Trouble)
    assert (trouble.scenario, trouble.verdict) == ("a", Verdict.NEW)
    assert (result.scenario, workers.chosen) == ("b", ["f.py::b"])


LONG = "its worker ended 4: " + 20 * "no such option. "
HEADS, BASES = WorkerLost("head", LONG, 4), WorkerLost("base", LONG, 1)


@pytest.mark.parametrize(
    ("start", "verdict", "num_starts"),
    [
        ({"head": HEADS}, Verdict.FAILED, 1),
        ({"base": BASES, "head": HEADS}, Verdict.FAILED, 1),  # head's goes first
        ({"base": BASES, "own": BASES}, Verdict.NOT_COMPARABLE, 2),
        ({"base": BASES, "own": WorkerLost("base", f"killed {LONG}", -9)}, Verdict.FAILED, 2),
    ],
)
def test_a_side_that_does_not_start_speaks_for_every_scenario_and_once(
    monkeypatch: pytest.MonkeyPatch, start: dict[str, WorkerLost], verdict: Verdict, num_starts: int
) -> None:
    workers, own = ScriptedWorkers(start=start), known("a", "b")
    monkeypatch.setattr(lockstep, "Workers", workers)
    node_ids = ["f.py::a", "f.py::b"]
    first, second = ([*run_launch(terms(known=own, number=number), node_ids)] for number in (0, 1))
    assert first == second
    assert len(workers.started) == num_starts  # what failed is not tried again
    troubles = [one for one in first if isinstance(one, Trouble)]
    assert [(one.scenario, one.verdict) for one in troubles] == [("a", verdict), ("b", verdict)]
    assert LONG in troubles[0].why
    assert LONG not in troubles[1].why
    assert "... (in full at a)" in troubles[1].why


@pytest.mark.parametrize(("side", "verdict"), [("head", Verdict.FAILED), ("base", Verdict.NOT_COMPARABLE)])
def test_a_worker_that_ends_at_every_first_scenario_is_not_started_for_each(
    monkeypatch: pytest.MonkeyPatch, side: str, verdict: Verdict
) -> None:
    lost = WorkerLost(side, "its worker ended 3: no device", 3)
    workers = ScriptedWorkers(Go=lost, Own=lost)
    names = [f"f.py::{letter}" for letter in "abcdef"]
    workers.has = set(names)
    troubles = launch(monkeypatch, workers, names, known=known(*"abcdef"))
    assert [one.scenario for one in troubles] == list("abcdef")
    assert {one.verdict for one in troubles if isinstance(one, Trouble)} == {verdict}
    assert len(workers.started) == (2 if side == "head" else 4)


def test_a_worker_that_is_killed_costs_its_scenario_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = ScriptedWorkers(Go=WorkerLost("base", "its worker died of SIGKILL", -9))
    names = [f"f.py::{letter}" for letter in "abc"]
    workers.has = set(names)
    troubles = launch(monkeypatch, workers, names)
    assert [(one.scenario, one.verdict) for one in troubles if isinstance(one, Trouble)] == [
        (name, Verdict.FAILED) for name in "abc"
    ]
    assert len(workers.started) == 3
