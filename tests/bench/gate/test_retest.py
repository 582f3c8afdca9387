"""Tests of measuring suspects again, with a launcher that returns what a test scripts."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from msgspec import structs

from bench.gate.launch import Launcher, LaunchFailed
from bench.gate.retest import (
    LAUNCHES_TO_SETTLE,
    MAX_LAUNCHES,
    SMALL,
    STARTUP_S,
    expected_s,
    extend,
    is_settled,
    retest,
)
from bench.gate.stats import Interval
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict
from bench.harness.record import ArmSeries, Record, Scenario
from bench.harness.run import ScenarioTest
from tests.bench.sample_records import opened_baseline, record_of, scenario

BASE = {"moe": 0.002, "dense": 0.001, "anchor": 0.0005}
SLOW, SLIGHT, UNCLEAR, SAME = 1.5, 1.07, 1.048, 1.0  # factors of the MoE arm; the tolerance is 5 %


def times(factor: float) -> dict[str, float]:
    return {**BASE, "moe": factor * BASE["moe"]}


ENOUGH = MAX_LAUNCHES  # of what a launch may be asked for
BASELINE = opened_baseline(*(scenario(*[times(1.005), times(0.995)] * 4, name=name) for name in ("a", "b")))


@dataclass(frozen=True, kw_only=True)
class ScriptedLauncher(Launcher):
    """Measures by a script: node id -> factor of the MoE arm in each launch; raises what it finds instead of one."""

    script: Mapping[str, Sequence[float | Exception | str]]  # a text says in what the answer is wrong
    launch_s: float = 0.0
    voided: int = 0
    root: Path = Path()
    options: Sequence[str] = ()
    asked: list[list[str]] = field(default_factory=list)  # node ids of each launch
    given: list[list[str]] = field(default_factory=list)  # options of each launch
    advance: Callable[[float], None] = lambda _seconds: None

    def measure(self, node_ids: Sequence[str], *, timeout_s: float) -> Record:
        assert timeout_s > 0
        self.asked.append(list(node_ids))
        self.given.append(list(self.options))
        self.advance(self.launch_s)
        found = {node_id: self.script[node_id][len(self.asked) - 1] for node_id in node_ids}
        wrong = {node_id.removeprefix("f.py::"): why for node_id, why in found.items() if isinstance(why, str)}
        right = [self._scenario(node_id, said) for node_id, said in found.items() if not isinstance(said, str)]
        return record_of(*right, wrong=wrong)

    def _scenario(self, node_id: str, found: float | Exception) -> Scenario:
        if isinstance(found, Exception):
            raise found
        return _fresh(node_id.removeprefix("f.py::"), found, len(self.asked), voided=self.voided)


def _fresh(name: str, factor: float, number: int, *, voided: int = 0) -> Scenario:
    measured = scenario(times(factor), name=name, voided=voided)
    return replace(measured, arms={arm: _renamed(series, number) for arm, series in measured.arms.items()})


def _renamed(series: ArmSeries, number: int) -> ArmSeries:
    launches = tuple(structs.replace(launch, id=f"fresh-{number}") for launch in series.launches)
    return structs.replace(series, launches=launches)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let monotonic time stand still but for what a test adds."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


Found = tuple[dict[str, ScenarioVerdict], dict[str, Scenario]]


def measure_again(launcher: ScriptedLauncher, *, deadline: float = 1e9) -> Found:
    suspects = {node_id.removeprefix("f.py::"): ScenarioTest(node_id, 4.0) for node_id in launcher.script}
    return retest(suspects, BASELINE, launcher, deadline=deadline, on_launch=lambda *_counts: None)


def test_a_clear_slowdown_is_confirmed_by_two_fresh_launches() -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [SLOW] * ENOUGH})
    verdicts, fresh = measure_again(launcher)
    assert len(launcher.asked) == 2
    assert (verdicts["a"].verdict, verdicts["a"].where, verdicts["a"].num_launches) == (Verdict.REGRESSED, "MoE", 2)
    assert fresh["a"].launch_ids == ("fresh-1", "fresh-2")


def test_a_false_suspicion_is_cleared_by_two_fresh_launches() -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [SAME] * ENOUGH})
    verdicts, _ = measure_again(launcher)
    assert len(launcher.asked) == 2
    assert verdicts["a"].verdict is Verdict.OK


def test_an_ok_that_leaves_room_for_eight_percent_is_not_settled_where_more_launches_can_narrow_it() -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [SAME] * ENOUGH})
    cleared = measure_again(launcher)[0]["a"]
    assert is_settled(cleared)
    to_dense, to_anchor = (
        replace(change, interval=Interval(0.0, -SMALL, 1.1 * SMALL)) for change in cleared.changes[:2]
    )
    assert [c.control.against for c in (to_dense, to_anchor)] == ["dense", "anchor"]
    assert not is_settled(replace(cleared, changes=(to_dense,)))
    assert is_settled(replace(cleared, changes=(to_anchor,)))


def measure_group_again(*factors: float | str) -> tuple[Found, ScriptedLauncher]:
    """Measure a suspect suite of scenarios a, b, ... again; every fresh launch says the same of each."""
    names = "abc"[: len(factors)]
    base = [replace(BASELINE.record.scenarios["a"], id=name) for name in names]
    opened = replace(opened_baseline(*base), groups={"suite": [*names]})
    script = {f"f.py::{name}": [factor] * ENOUGH for name, factor in zip(names, factors, strict=True)}
    tests = {name: ScenarioTest(f"f.py::{name}", 4.0) for name in names}
    launcher = ScriptedLauncher(script=script)
    found = retest(tests, opened, launcher, groups=["suite"], deadline=1e9, on_launch=lambda *_counts: None)
    return found, launcher


def test_a_suspect_group_is_judged_by_fresh_launches() -> None:
    (verdicts, _), _ = measure_group_again(SAME, 1.03)
    assert verdicts["suite"].verdict is Verdict.OK  # 1.5 %, where 3 % is a group's least tolerance
    (verdicts, _), _ = measure_group_again(1.045, 1.045)
    assert (verdicts["suite"].verdict, verdicts["suite"].where) == (Verdict.REGRESSED, "MoE")
    assert verdicts["a"].verdict is not Verdict.REGRESSED  # 4.5 % is within one scenario's tolerance


def test_a_scenario_that_is_cleared_is_measured_on_while_its_group_is_open() -> None:
    (verdicts, fresh), _ = measure_group_again(SAME, 1.045)
    assert (verdicts["a"].verdict, verdicts["suite"].verdict) == (Verdict.OK, Verdict.INCONCLUSIVE)
    assert [len(fresh[name].launch_ids) for name in "ab"] == [MAX_LAUNCHES] * 2


def test_a_group_waits_for_no_scenario_that_cannot_be_had() -> None:
    (verdicts, _), launcher = measure_group_again("dense: got 0.3", SAME)
    assert launcher.asked == [["f.py::a", "f.py::b"], ["f.py::b"]]
    assert verdicts["suite"].verdict is Verdict.INCONCLUSIVE
    (verdicts, _), launcher = measure_group_again("dense: got 0.3", SAME, 1.045)
    assert sum("f.py::a" in asked for asked in launcher.asked) == 1
    assert (verdicts["suite"].verdict, verdicts["suite"].num_launches) == (Verdict.INCONCLUSIVE, MAX_LAUNCHES)


def test_only_open_suspects_are_launched_again() -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [SLOW] * ENOUGH, "f.py::b": [UNCLEAR, UNCLEAR, *[SAME] * ENOUGH]})
    verdicts, _ = measure_again(launcher)
    assert launcher.asked[:2] == [["f.py::a", "f.py::b"]] * 2
    assert all(asked == ["f.py::b"] for asked in launcher.asked[2:])
    assert 2 < len(launcher.asked) <= MAX_LAUNCHES
    assert (verdicts["a"].verdict, verdicts["b"].verdict) == (Verdict.REGRESSED, Verdict.OK)


def test_what_stays_unclear_is_inconclusive_after_the_last_launch() -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [UNCLEAR] * ENOUGH})
    verdicts, _ = measure_again(launcher)
    assert len(launcher.asked) == MAX_LAUNCHES
    assert verdicts["a"].verdict is Verdict.INCONCLUSIVE
    assert verdicts["a"].why == f"still unclear after {MAX_LAUNCHES} fresh launches"
    assert verdicts["a"].changes  # what was seen is still shown


def test_no_launch_is_begun_that_would_outlast_the_deadline(clock: Callable[[float], None]) -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [SLOW] * ENOUGH}, launch_s=25.0, advance=clock)
    verdicts, fresh = measure_again(launcher, deadline=45.0)
    assert len(launcher.asked) == 1  # two of the expected 16 s would fit; one took 25 s, and 20 s are left
    assert verdicts["a"].verdict is Verdict.INCONCLUSIVE
    assert verdicts["a"].why == "the time budget ended after 1 fresh launch; raise --time-budget"
    assert fresh["a"].launch_ids == ("fresh-1",)


def test_without_time_to_confirm_anything_nothing_is_launched(clock: Callable[[float], None]) -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [SLOW] * ENOUGH}, advance=clock)
    verdicts, fresh = measure_again(launcher, deadline=31.0)  # one launch of 16 s would fit, two would not
    assert launcher.asked == []
    assert (verdicts["a"].verdict, fresh) == (Verdict.INCONCLUSIVE, {})
    assert "after 0 fresh launches" in verdicts["a"].why


def test_where_time_is_short_the_most_suspicious_are_confirmed_first(clock: Callable[[float], None]) -> None:
    launcher = ScriptedLauncher(
        script={"f.py::b": [SLOW] * ENOUGH, "f.py::a": [SLOW] * ENOUGH}, launch_s=18.0, advance=clock
    )
    verdicts, _ = measure_again(launcher, deadline=39.0)  # two launches of one suspect fit, of two do not
    assert launcher.asked == [["f.py::b"]] * 2
    assert verdicts["b"].verdict is Verdict.REGRESSED
    assert (verdicts["a"].verdict, verdicts["a"].num_launches) == (Verdict.INCONCLUSIVE, 0)


def test_beside_a_confirmed_slowdown_one_decisive_launch_names_another(clock: Callable[[float], None]) -> None:
    script = {"f.py::a": [SLOW] * ENOUGH, "f.py::b": [SLOW] * ENOUGH}
    launcher = ScriptedLauncher(script=script, launch_s=24.0, advance=clock)
    verdicts, _ = measure_again(launcher, deadline=45.0)  # both once; then 21 s, enough for one of 16 * 1.2 s
    assert launcher.asked == [["f.py::a", "f.py::b"], ["f.py::a"]]
    assert [(v.verdict, v.num_launches) for v in verdicts.values()] == [(Verdict.REGRESSED, 2), (Verdict.REGRESSED, 1)]


@pytest.mark.parametrize("factor", [SLIGHT, SAME])
def test_one_launch_that_is_not_decisive_names_nothing(clock: Callable[[float], None], factor: float) -> None:
    launcher = ScriptedLauncher(
        script={"f.py::a": [SLOW] * ENOUGH, "f.py::b": [factor] * ENOUGH}, launch_s=24.0, advance=clock
    )
    verdicts, _ = measure_again(launcher, deadline=45.0)
    assert (verdicts["b"].verdict, verdicts["b"].num_launches) == (Verdict.INCONCLUSIVE, 1)


def test_the_rest_follows_when_the_first_have_left_time(clock: Callable[[float], None]) -> None:
    launcher = ScriptedLauncher(
        script={"f.py::b": [SLOW] * ENOUGH, "f.py::a": [SLOW] * ENOUGH}, launch_s=8.0, advance=clock
    )
    verdicts, _ = measure_again(launcher, deadline=39.0)
    assert launcher.asked[0] == ["f.py::b"]
    assert [verdict.verdict for verdict in verdicts.values()] == [Verdict.REGRESSED] * 2


def test_what_a_launch_measured_before_it_was_cut_short_counts() -> None:
    partial = record_of(_fresh("a", SLOW, 2))
    cut_short = LaunchFailed("did not end in time", Verdict.INCONCLUSIVE, partial)
    launcher = ScriptedLauncher(script={"f.py::a": [SLOW, cut_short], "f.py::b": [SLIGHT, SLIGHT]})
    verdicts, fresh = measure_again(launcher)
    assert (verdicts["a"].verdict, verdicts["a"].num_launches) == (Verdict.REGRESSED, 2)
    assert fresh["a"].launch_ids == ("fresh-1", "fresh-2")
    assert (verdicts["b"].verdict, verdicts["b"].why) == (Verdict.INCONCLUSIVE, "did not end in time")


def test_what_is_unfit_each_time_stays_unfit_after_the_last_launch() -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [SAME] * ENOUGH}, voided=6)
    verdicts, _ = measure_again(launcher)
    assert len(launcher.asked) == MAX_LAUNCHES
    assert verdicts["a"].verdict is Verdict.UNFIT


@pytest.mark.parametrize("ends", [Verdict.FAILED, Verdict.INCONCLUSIVE])
def test_a_failed_launch_is_named_and_ends_the_retest(ends: Verdict) -> None:
    error = LaunchFailed("a fresh launch ended 139 without a record", ends)
    launcher = ScriptedLauncher(script={"f.py::a": [SLOW, error]})
    verdicts, _ = measure_again(launcher)
    assert (verdicts["a"].verdict, verdicts["a"].why) == (ends, str(error))


@pytest.mark.parametrize("script", [["dense: got 0.3"], [SLOW, "dense: got 0.3"]])
def test_what_a_fresh_launch_finds_wrong_is_wrong_and_not_launched_again(script: list[float | str]) -> None:
    launcher = ScriptedLauncher(script={"f.py::a": script, "f.py::b": [SLOW] * ENOUGH})
    verdicts, _ = measure_again(launcher)
    assert (verdicts["a"].verdict, verdicts["a"].why) == (Verdict.WRONG, "in a fresh launch: dense: got 0.3")
    assert sum("f.py::a" in asked for asked in launcher.asked) == len(script)
    assert verdicts["b"].verdict is Verdict.REGRESSED


def test_what_a_launch_found_wrong_before_it_was_cut_short_is_wrong() -> None:
    partial = record_of(wrong={"a": "dense: got 0.3"})
    cut_short = LaunchFailed("did not end in time", Verdict.INCONCLUSIVE, partial)
    verdicts, _ = measure_again(ScriptedLauncher(script={"f.py::a": [cut_short], "f.py::b": [SLOW]}))
    assert (verdicts["a"].verdict, verdicts["b"].verdict) == (Verdict.WRONG, Verdict.INCONCLUSIVE)


def test_settled_verdicts_survive_a_later_failure() -> None:
    error = LaunchFailed("gone", Verdict.FAILED)
    launcher = ScriptedLauncher(script={"f.py::a": [SLOW] * ENOUGH, "f.py::b": [UNCLEAR, UNCLEAR, error]})
    verdicts, _ = measure_again(launcher)
    assert (verdicts["a"].verdict, verdicts["b"].verdict) == (Verdict.REGRESSED, Verdict.FAILED)


def test_suspects_are_measured_again_where_they_were_measured() -> None:
    launcher = ScriptedLauncher(script={f"f.py::{name}": [SLOW] * ENOUGH for name in "ab"}, options=["--scale=tiny"])
    places = {"a": "cuda:1", "b": "cuda:0"}
    suspects = {name: ScenarioTest(f"f.py::{name}", 4.0, place) for name, place in places.items()}
    verdicts, fresh = retest(suspects, BASELINE, launcher, deadline=1e9, on_launch=lambda *_counts: None)
    assert launcher.asked == [["f.py::a"], ["f.py::b"]] * 2
    assert launcher.given == [["--scale=tiny", f"--measured-on={place}"] for place in places.values()] * 2
    assert [(v.verdict, v.num_launches) for v in verdicts.values()] == [(Verdict.REGRESSED, 2)] * 2
    assert [len(scenario.launch_ids) for scenario in fresh.values()] == [2, 2]


def test_each_device_takes_a_process_with_a_start_of_its_own() -> None:
    one = {name: ScenarioTest(node_id=name, seconds=4.0) for name in "ab"}
    two = {name: suspect._replace(device=name) for name, suspect in one.items()}
    assert expected_s(two, ["a", "b"]) - expected_s(one, ["a", "b"]) == STARTUP_S


def test_nothing_is_launched_without_suspects() -> None:
    launcher = ScriptedLauncher(script={})
    assert measure_again(launcher) == ({}, {})
    assert launcher.asked == []


@pytest.mark.parametrize(
    ("verdict", "num_launches", "settled"),
    [
        (Verdict.REGRESSED, 1, False),
        (Verdict.REGRESSED, LAUNCHES_TO_SETTLE - 1, False),
        (Verdict.REGRESSED, LAUNCHES_TO_SETTLE, True),
        (Verdict.OK, 2, True),
        (Verdict.INCONCLUSIVE, 4, False),
        (Verdict.UNFIT, 4, False),
    ],
)
def test_enough_clear_launches_settle_a_suspect(verdict: Verdict, num_launches: int, settled: bool) -> None:
    assert is_settled(ScenarioVerdict(scenario="a", verdict=verdict, num_launches=num_launches)) is settled


@pytest.mark.parametrize(("shift", "settled"), [(0.14, False), (0.16, True)])
def test_two_launches_settle_a_slowdown_only_far_beyond_the_tolerance(shift: float, settled: bool) -> None:
    seen = Change(
        control=Control(arm="moe", against="dense"),
        interval=Interval(shift, shift, shift),
        tolerance=0.1,
        verdict=Verdict.REGRESSED,
        suspect=True,
    )
    verdict = ScenarioVerdict(scenario="a", verdict=Verdict.REGRESSED, changes=(seen,), num_launches=2)
    assert is_settled(verdict) is settled


def test_a_slowdown_seen_in_two_launches_stands_when_time_runs_out(clock: Callable[[float], None]) -> None:
    launcher = ScriptedLauncher(script={"f.py::a": [SLIGHT] * ENOUGH}, launch_s=16.0, advance=clock)
    verdicts, _ = measure_again(launcher, deadline=34.0)
    assert len(launcher.asked) == 2
    assert verdicts["a"].verdict is Verdict.REGRESSED


def test_fresh_launches_are_appended_arm_by_arm() -> None:
    joined = extend(extend(None, scenario(times(1.0))), scenario(times(2.0)))
    assert [launch.samples for launch in joined.arms["moe"].launches] == [(0.002,), (0.004,)]
    assert [launch.samples for launch in joined.arms["anchor"].launches] == [(0.0005,), (0.0005,)]
