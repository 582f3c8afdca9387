"""Tests of one launch of both sides: the dance, with scripted workers in place of processes."""

import dataclasses
import itertools
from collections import Counter
from typing import Any

import pytest
import torch

from bench.gate.ab.channel import Finish, Go, Ready, RunBlock, Warm, WarmUp
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.verdict import Verdict
from bench.harness.answers import Answer, sample_of
from bench.harness.blocks import MAX_BLOCKS, MIN_BLOCKS
from tests.bench.gate.ab.scripted_workers import (
    FAILED,
    NO_MEMORY,
    PASSED,
    READY,
    SKIPPED,
    WRONG,
    ScriptedWorkers,
    launch,
)


def test_both_sides_run_the_same_blocks_in_balanced_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = ScriptedWorkers()
    (result,) = launch(monkeypatch, workers)
    assert isinstance(result, PairedLaunch)
    assert [type(message) for message, _, _ in workers.asked] == [Go, WarmUp, *[RunBlock] * 20, Finish]
    firsts = Counter(turns[0] for _, turns, _ in workers.blocks())
    assert firsts == {"base": 10, "head": 10}
    followed = {(a[0], b[0]) for (_, a, _), (_, b, _) in itertools.pairwise(workers.blocks())}
    assert len(followed) == 4  # neither a fixed order nor strict alternation
    places = Counter((place, arm) for m, _, _ in workers.blocks()[:18] for place, arm in enumerate(m.order))
    assert set(places.values()) == {6}
    assert {m.anchor_calls for m, _, _ in workers.blocks()} == {3}
    assert workers.shared == [0]  # cores, those of this launch
    assert result == PairedLaunch(
        scenario="a",
        arms={arm: ([1.0] * 20, [2.0] * 20) for arm in READY.arms},
        is_placebo=False,
        sign=1.0,
        counted=False,
        metric="tpot_s",
    )


def seeds(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> list[int]:
    workers = ScriptedWorkers()
    launch(monkeypatch, workers, ["f.py::a", "f.py::b"], **fields)
    return [message.seed for message, _, _ in workers.asked if isinstance(message, Go)]


def test_samples_are_drawn_anew_in_each_launch_and_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    first = seeds(monkeypatch)
    assert first == seeds(monkeypatch)
    assert len({*first, *seeds(monkeypatch, number=1), *seeds(monkeypatch, seed=1)}) == 6


def answering(value: float) -> Ready:
    answer = vars(sample_of(Answer("logits", torch.full((1, 4), value), bound=1e-4), seed=0))
    return dataclasses.replace(READY, answers={"moe": answer})


CHANGED_ANSWERS = {"base": answering(1.0), "head": answering(1.02)}


def test_what_answers_otherwise_is_changed_and_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = ScriptedWorkers(Go=CHANGED_ANSWERS)
    (result,) = launch(monkeypatch, workers)
    assert isinstance(result, Trouble)
    assert result.verdict is Verdict.CHANGED
    assert "moe: logits differ by 0.02 of their length, 0.0001 is the bound" in result.why
    assert (workers.abandoned, workers.blocks()) == (1, [])


def test_accepted_answers_are_timed_and_what_differs_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    (result,) = launch(monkeypatch, ScriptedWorkers(Go=CHANGED_ANSWERS), accepts_answers=True)
    assert isinstance(result, PairedLaunch)
    assert result.changed.startswith("head answers otherwise than base: moe: logits differ by 0.02")
    assert "--accept-answers" not in result.changed


@pytest.mark.parametrize("accepts_answers", [True, False])
def test_another_library_is_not_comparable_whatever_is_accepted(
    monkeypatch: pytest.MonkeyPatch, accepts_answers: bool
) -> None:
    sides = {
        name: dataclasses.replace(READY, libraries={"torch": torch_version})
        for name, torch_version in (("base", "2.12.0"), ("head", "2.13.0"))
    }
    (result,) = launch(monkeypatch, ScriptedWorkers(Go=sides), accepts_answers=accepts_answers)
    assert isinstance(result, Trouble)
    assert result.verdict is Verdict.NOT_COMPARABLE


def test_orders_differ_from_launch_to_launch_and_repeat_with_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for number, seed in ((0, 0), (0, 0), (1, 0), (0, 1)):
        workers = ScriptedWorkers()
        launch(monkeypatch, workers, number=number, seed=seed)
        seen.append([(tuple(m.order), turns) for m, turns, _ in workers.blocks()])
    assert seen[0] == seen[1]
    assert seen[0] != seen[2] != seen[3] != seen[0]


@pytest.mark.parametrize(("number", "first"), [(0, "base"), (1, "head"), (2, "base")])
def test_the_side_started_first_alternates(monkeypatch: pytest.MonkeyPatch, number: int, first: str) -> None:
    workers = ScriptedWorkers()
    launch(monkeypatch, workers, number=number)
    assert workers.order[0] == first


@pytest.mark.parametrize(
    ("block_s", "num_blocks", "timeout_s"), [(1e-6, MAX_BLOCKS, 30.0), (0.01, 20, 30.0), (9.0, MIN_BLOCKS, 180.0)]
)
def test_the_warm_up_sizes_the_run_and_its_patience(
    monkeypatch: pytest.MonkeyPatch, block_s: float, num_blocks: int, timeout_s: float
) -> None:
    workers = ScriptedWorkers(WarmUp=Warm(block_s=block_s, anchor_calls=1))
    launch(monkeypatch, workers)
    assert len(workers.blocks()) == num_blocks
    assert {timeout for _, _, timeout in workers.blocks()} == {timeout_s}


def test_the_anchor_lasts_as_long_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    warm = {"base": Warm(block_s=0.01, anchor_calls=2), "head": Warm(block_s=0.03, anchor_calls=5)}
    workers = ScriptedWorkers(WarmUp=warm)
    launch(monkeypatch, workers)
    assert {m.anchor_calls for m, _, _ in workers.blocks()} == {5}
    assert len(workers.blocks()) == 10


@pytest.mark.parametrize(("base", "head", "both"), [(True, True, True), (False, True, False), (True, False, False)])
def test_untimed_calls_are_made_on_both_sides_or_on_none(
    monkeypatch: pytest.MonkeyPatch, *, base: bool, head: bool, both: bool
) -> None:
    """A side whose blocks are longer, or whose own tree knows of none, would find colder caches than the other."""
    warm = {
        name: Warm(block_s=0.01, anchor_calls=1, is_brief=brief) for name, brief in (("base", base), ("head", head))
    }
    workers = ScriptedWorkers(WarmUp=warm)
    launch(monkeypatch, workers)
    assert {m.is_brief for m, _, _ in workers.blocks()} == {both}


def test_what_is_counted_runs_no_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = {
        name: Ready(arms=["moe"], metric="accuracy", hashes={}, counts={"moe": value})
        for name, value in (("base", 0.5), ("head", 0.75))
    }
    workers = ScriptedWorkers(Go=counted)
    (result,) = launch(monkeypatch, workers)
    assert not workers.blocks()
    assert isinstance(result, PairedLaunch)
    assert (result.arms, result.counted, result.sign) == ({"moe": ([0.5], [0.75])}, True, -1.0)


def test_only_arms_that_both_have_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = Ready(arms=["moe", "anchor"], metric="tpot_s", hashes={"workload": "w"})
    workers = ScriptedWorkers(Go={"base": fewer, "head": READY})
    (result,) = launch(monkeypatch, workers)
    assert isinstance(result, PairedLaunch)
    assert list(result.arms) == ["moe", "anchor"]


def test_throttled_blocks_are_dropped_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    (result,) = launch(monkeypatch, ScriptedWorkers(throttled=0.2))
    assert isinstance(result, PairedLaunch)
    lengths = {len(values) for sides in result.arms.values() for values in sides}
    assert len(lengths) == 1
    assert 10 <= lengths.pop() < 20


@pytest.mark.parametrize(
    ("answers", "verdict", "why"),
    [
        ({"Go": {"base": READY, "head": FAILED}}, Verdict.FAILED, "head: no such thing"),
        ({"Go": {"base": FAILED, "head": FAILED}}, Verdict.FAILED, "head: no such thing"),
        ({"Go": {"base": READY, "head": SKIPPED}}, Verdict.UNFIT, "head: does not fit: needs 9 GiB"),
        ({"Go": {"base": PASSED, "head": PASSED}}, Verdict.FAILED, "head: it ended without measuring; a scenario must"),
        ({"WarmUp": {"base": NO_MEMORY, "head": READY}}, Verdict.FAILED, "base: tried to allocate 9 GiB"),
        ({"Finish": {"base": PASSED, "head": FAILED}}, Verdict.FAILED, "head: no such thing"),
        ({"Go": {"base": READY, "head": WRONG}}, Verdict.WRONG, "head: dense: got 0.3"),
        ({"Go": {"base": FAILED, "head": WRONG}}, Verdict.WRONG, "head: dense: got 0.3"),
        ({"Go": {"base": WRONG, "head": FAILED}}, Verdict.FAILED, "head: no such thing"),
        ({"Finish": {"base": PASSED, "head": WRONG}}, Verdict.WRONG, "head: dense: got 0.3"),
        (
            {"Go": {"base": WRONG, "head": WRONG}},
            Verdict.WRONG,
            "head: dense: got 0.3; base answers wrongly too: dense: got 0.3",
        ),
        ({"throttled": 1.0}, Verdict.UNFIT, "the device was throttled in 20 of 20 blocks; let it cool"),
    ],
)
def test_what_a_side_cannot_do_is_named(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], verdict: Verdict, why: str
) -> None:
    workers = ScriptedWorkers(**answers)
    (trouble,) = launch(monkeypatch, workers)
    assert isinstance(trouble, Trouble)
    assert (trouble.scenario, trouble.verdict) == ("a", verdict)
    assert trouble.why.startswith(why)
    assert len(workers.started) == 1
