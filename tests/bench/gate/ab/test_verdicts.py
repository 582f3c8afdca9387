"""Tests of the decision on launches of plain numbers; how often it errs on noise is tested in test_gate_rates.py."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from bench.gate.ab import verdicts
from bench.gate.ab.changes import BASE, MACHINE
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.tolerances import Limits
from bench.gate.ab.verdicts import Judgement, decide, settled
from bench.gate.stats import Interval
from bench.gate.telling import moved
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict
from tests.bench.gate.ab.suites import changed, effects, launches_of, names_of

MOE = Control(arm="moe", against=BASE)
NUM_SCENARIOS = 12
DECIDED = 9  # launches, two of them placebos, after which a quiet machine has decided everything


def drawn(num_launches: int = DECIDED, *, sd: float = 0.01, seed: int = 0) -> np.ndarray:
    return sd * np.random.default_rng(seed).normal(size=(num_launches, NUM_SCENARIOS, 2))


def judge(
    percent: Mapping[tuple[int | None, str], float], num_launches: int = DECIDED, *, sd: float = 0.01
) -> Judgement:
    """Judge launches of a head that is slower by so many percent, by (place of a scenario or None for all, arm)."""
    return decide(launches_of(changed(drawn(num_launches, sd=sd), effects(NUM_SCENARIOS, percent))))


def verdict(found: Judgement, place: int) -> ScenarioVerdict:
    return found.scenarios[place]


def change(found: ScenarioVerdict, control: Control) -> Change:
    return next(one for one in found.changes if one.control == control)


def slower(found: Judgement) -> set[str]:
    return {group.scenario for group in found.groups if group.verdict is Verdict.REGRESSED}


def test_unchanged_code_is_ok() -> None:
    found = judge({})
    assert {one.verdict for one in (*found.scenarios, *found.groups)} == {Verdict.OK}
    assert found.open_scenarios == set()


def noisier(sd: float) -> Judgement:
    """Judge the launches of unchanged code, and then as many that spread by so much."""
    later = np.random.default_rng(7).normal(size=(DECIDED, NUM_SCENARIOS, 2)) * sd
    return decide(launches_of(np.concatenate([drawn(), later])))


def test_what_has_passed_is_not_opened_again_by_noisier_launches() -> None:
    passed, now = judge({}), noisier(0.3)
    assert now.open_scenarios
    found = settled(passed, now)
    assert found.open_scenarios == set()
    assert {one.verdict for one in found.groups} == {Verdict.OK}
    assert verdict(found, 0) == verdict(passed, 0)


def test_what_never_passed_stays_open_and_what_became_slower_is_said() -> None:
    assert settled(judge({}, num_launches=2), noisier(0.3)).open_scenarios == noisier(0.3).open_scenarios
    found = settled(judge({}), judge({(3, "moe"): 30.0}))
    assert verdict(found, 3).verdict is Verdict.REGRESSED
    assert slower(settled(judge({}), judge({(None, "moe"): 30.0})))


def test_nothing_is_said_before_base_has_met_itself() -> None:
    found = judge({(0, "moe"): 30.0}, num_launches=1)
    assert {one.verdict for one in found.scenarios} == {Verdict.INCONCLUSIVE}
    assert found.groups == []


def test_a_slow_arm_is_told_after_two_launches_and_no_other() -> None:
    found = judge({(3, "moe"): 30.0}, num_launches=3)
    assert [one.scenario for one in found.scenarios if one.verdict is Verdict.REGRESSED] == [names_of(NUM_SCENARIOS)[3]]
    assert verdict(found, 3).where == "MoE"
    assert verdict(found, 3).num_launches == 2


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (30.0, Verdict.REGRESSED),
        (8.0, Verdict.REGRESSED),
        (1.5, Verdict.OK),
        (0.0, Verdict.OK),
        (-8.0, Verdict.IMPROVED),
    ],
)
def test_size_of_a_certain_change_decides(percent: float, expected: Verdict) -> None:
    assert verdict(judge({(5, "moe"): percent}, num_launches=15), 5).verdict is expected


@pytest.mark.parametrize(
    ("percent", "where"),
    [
        ({(None, "moe"): 10.0}, "MoE"),
        ({(None, "dense"): 10.0}, "dense"),
        ({(None, "moe"): 10.0, (None, "dense"): 9.0}, "shared code"),
    ],
)
def test_a_general_slowdown_is_found_in_the_suite_its_groups_and_scenarios(
    percent: Mapping[tuple[int | None, str], float], where: str
) -> None:
    found = judge(percent)
    assert "suite" in slower(found)
    assert {one.where for one in (*found.groups, *found.scenarios) if one.verdict is Verdict.REGRESSED} == {where}
    assert all(one.verdict is Verdict.REGRESSED for one in found.scenarios)


def test_what_a_scenario_leaves_open_of_the_cause_its_group_says() -> None:
    found = judge({(None, "moe"): 35.0, (0, "dense"): 20.0}, num_launches=3, sd=0.02)
    dense = change(verdict(found, 0), Control(arm="dense", against=BASE))
    # open, so likelier moved
    assert (dense.verdict, dense.interval.estimate > 0.5 * math.log(1.35)) == (Verdict.INCONCLUSIVE, True)
    assert verdict(found, 0).where == "MoE"


@pytest.mark.parametrize("faster", [{"moe"}, {"dense"}])
def test_what_stays_as_it_was_while_the_other_arm_became_faster_is_not_slower(faster: set[str]) -> None:
    found = judge({(None, arm): -8.0 for arm in faster}, num_launches=15)
    assert slower(found) == set()
    assert {one.verdict for one in found.scenarios} == {Verdict.IMPROVED}


def test_a_group_is_told_of_what_none_of_its_scenarios_is_sure_of() -> None:
    found = judge({(place, "moe"): 3.0 for place in range(3)}, num_launches=12, sd=0.015)
    assert slower(found) == {"x at s0"}
    assert {one.verdict for one in found.scenarios[3:]} == {Verdict.OK}


def test_once_a_group_is_known_to_be_slower_a_scenario_needs_no_more_than_its_own_interval() -> None:
    found = judge({(None, "moe"): 6.0}, num_launches=7, sd=0.02)
    assert found.evidence is not None
    assert not found.evidence.is_slower_SA[:, 0].all()
    assert [one.verdict for one in found.scenarios].count(Verdict.REGRESSED) > found.evidence.is_slower_SA[:, 0].sum()


@pytest.mark.parametrize(
    ("percent", "verdict", "where"),
    [
        ({}, Verdict.OK, ""),
        ({(0, "moe"): 30.0}, Verdict.INCONCLUSIVE, ""),
        ({(None, "moe"): 30.0}, Verdict.REGRESSED, "MoE"),
    ],
)
def test_what_is_undecided_of_a_group_is_what_all_its_scenarios_are(
    monkeypatch: pytest.MonkeyPatch, percent: Mapping[tuple[int | None, str], float], verdict: Verdict, where: str
) -> None:
    undecided = Change(
        control=MOE, interval=Interval(0.2, 0.1, 0.3), tolerance=0.1, verdict=Verdict.INCONCLUSIVE, suspect=True
    )
    suite = ScenarioVerdict(scenario="suite", verdict=Verdict.INCONCLUSIVE, changes=(undecided,))
    monkeypatch.setattr(verdicts, "_groups", lambda _evidence: [suite])
    (found,) = judge(percent).groups
    assert (found.verdict, found.where) == (verdict, where)


def test_smaller_changes_of_the_whole_suite_are_seen_sooner_than_of_one_scenario() -> None:
    assert "suite" in slower(judge({(None, "moe"): 2.5}, num_launches=12))
    assert slower(judge({(0, "moe"): 2.5}, num_launches=12)) == set()


def test_what_the_machine_does_to_every_launch_alike_is_no_change_of_code() -> None:
    states = np.array([0.06, 0.06, 0.06, -0.06, -0.06, -0.06, 0.06, 0.06, 0.06, 0.06])
    found = decide(launches_of(drawn(10) + states[:, None, None]))
    assert Verdict.REGRESSED not in {one.verdict for one in (*found.scenarios, *found.groups)}


def test_a_slot_that_favours_head_acquits_nothing() -> None:
    biased = drawn() - 0.04  # base against itself shows it too
    found = decide(launches_of(changed(biased, effects(NUM_SCENARIOS, {(None, "moe"): 8.0, (None, "dense"): 8.0}))))
    assert Verdict.OK not in {one.verdict for one in found.scenarios}
    assert "suite" in slower(found)


def test_intervals_hold_the_change_and_name_the_smallest_one_that_could_have_been_seen() -> None:
    moved = change(verdict(judge({(5, "moe"): 8.0}), 5), MOE)
    assert moved.interval.low < math.log(1.08) < moved.interval.high
    assert moved.tolerance == pytest.approx(moved.interval.estimate - moved.interval.low)


def test_where_the_anchor_moved_too_it_is_the_machine_and_nothing_passes() -> None:
    values = changed(drawn(), effects(NUM_SCENARIOS, {(2, "moe"): 30.0}))
    with_anchor = np.concatenate([values, values[:, :, :1]], axis=2)
    found = decide(launches_of(with_anchor, arms=("moe", "dense", "anchor")))
    assert verdict(found, 2).verdict is Verdict.UNFIT
    assert "the anchor" in verdict(found, 2).why


def test_an_anchor_that_moved_alone_is_no_verdict_on_the_code() -> None:
    values = np.concatenate([drawn(), np.full((DECIDED, NUM_SCENARIOS, 1), 0.2)], axis=2)
    found = decide(launches_of(values, arms=("moe", "dense", "anchor")))
    assert {one.verdict for one in found.scenarios} == {Verdict.OK}
    assert change(found.scenarios[0], MACHINE).interval.estimate == pytest.approx(0.2)


def test_another_projects_arm_is_never_judged() -> None:
    values = np.concatenate([drawn(), np.full((DECIDED, NUM_SCENARIOS, 1), 0.5)], axis=2)
    found = decide(launches_of(values, arms=("moe", "dense", "transformers/eager")))
    assert {one.verdict for one in found.scenarios} == {Verdict.OK}


def test_limits_are_those_of_the_scenario() -> None:
    lax = {names_of(NUM_SCENARIOS)[0]: Limits(tolerance=math.log(1.2), smallest_effect=math.log(1.15))}
    values = changed(drawn(15), effects(NUM_SCENARIOS, {(0, "moe"): 10.0, (1, "moe"): 10.0}))
    found = decide(launches_of(values), limits=lax)
    assert [one.verdict for one in found.scenarios[:2]] == [Verdict.OK, Verdict.REGRESSED]


def test_where_higher_is_better_a_fall_is_a_regression() -> None:
    values = changed(drawn(), effects(NUM_SCENARIOS, {(0, "moe"): 20.0}))
    assert verdict(decide(launches_of(values, sign=-1.0)), 0).verdict is Verdict.REGRESSED


def test_a_scenario_that_is_no_longer_measured_keeps_what_its_launches_said() -> None:
    values = changed(drawn(12), effects(NUM_SCENARIOS, {(0, "moe"): 30.0}))
    values[5:, 0] = np.nan
    found = decide(launches_of(values))
    assert verdict(found, 0).verdict is Verdict.REGRESSED
    assert verdict(found, 0).num_launches == 4


def test_blocks_are_no_replicates() -> None:
    noisy = [
        PairedLaunch(
            scenario="bench_x[s-1]",
            arms={arm: ([1.0] * 200, [1.05] * 200) for arm in ("moe", "dense")},
            is_placebo=False,
            number=0,
            sign=1.0,
            counted=False,
        )
    ]
    assert decide(noisy).scenarios[0].verdict is Verdict.INCONCLUSIVE


def counted(bytes_of_head: Mapping[str, float]) -> Sequence[PairedLaunch]:
    arms = {arm: ([1e6], [value]) for arm, value in bytes_of_head.items()}
    return [PairedLaunch(scenario="a", arms=arms, is_placebo=False, sign=1.0, counted=True)]


@pytest.mark.parametrize(
    ("measured", "expected", "where"),
    [
        (counted({"moe": 1e6, "dense": 1e6}), Verdict.OK, ""),
        (counted({"moe": 1.5e6, "dense": 1e6}), Verdict.REGRESSED, "MoE"),
        (counted({"moe": 1.5e6, "dense": 1.5e6}), Verdict.REGRESSED, "shared code"),
        (counted({"moe": 0.5e6, "dense": 1e6}), Verdict.IMPROVED, ""),
    ],
)
def test_counted_values_are_judged_by_one_launch(measured: list[PairedLaunch], expected: Verdict, where: str) -> None:
    (found,) = decide(measured).scenarios
    assert (found.verdict, found.where) == (expected, where)


def test_accuracy_is_told_in_points() -> None:
    arms = {"moe": ([0.8], [0.6]), "dense": ([0.8], [0.8])}
    fallen = PairedLaunch(
        scenario="bench_accuracy[charts]", arms=arms, is_placebo=False, sign=-1.0, counted=True, metric="accuracy"
    )
    (found,) = decide([fallen]).scenarios
    assert (found.verdict, found.where) == (Verdict.REGRESSED, "MoE")
    assert moved(change(found, MOE)) == "-20.0 points"


@pytest.mark.parametrize("worse", [Verdict.FAILED, Verdict.WRONG, Verdict.CHANGED])
def test_a_scenario_that_met_trouble_has_its_verdict_and_reason(worse: Verdict) -> None:
    name = names_of(NUM_SCENARIOS)[0]
    found = decide(launches_of(drawn()), troubles=[Trouble(scenario=name, verdict=worse, why="so")])
    assert (verdict(found, 0).verdict, verdict(found, 0).why) == (worse, "so")


def test_the_more_severe_of_trouble_and_verdict_stands() -> None:
    values = changed(drawn(), effects(NUM_SCENARIOS, {(0, "moe"): 30.0}))
    trouble = Trouble(scenario=names_of(NUM_SCENARIOS)[0], verdict=Verdict.UNFIT, why="hot")
    assert verdict(decide(launches_of(values), troubles=[trouble]), 0).verdict is Verdict.REGRESSED
