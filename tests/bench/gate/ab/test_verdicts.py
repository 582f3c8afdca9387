"""Tests of the decision on launches of plain numbers; how often it errs on noise is tested in test_gate_rates.py."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bench.gate.ab.changes import BASE, MACHINE, MOE_ONLY
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.tolerances import Limits
from bench.gate.ab.verdicts import STAGE_1_LAUNCHES, STAGE_2_LAUNCHES, STAGE_2_LOOK, cleared, decide, suspects
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict

WOBBLE = (0.01, -0.01, 0.008, -0.008, 0.006, -0.006, 0.004, -0.004, 0.002, -0.002)  # of a launch's log ratios
PHASES = {"moe": 0, "dense": 3, "anchor": 6}  # arms do not wobble together
Factors = Mapping[str, float]


def launches(
    num_launches: int, factors: Factors | None = None, *, name: str = "a", noise: float = 1.0, sign: float = 1.0
) -> list[PairedLaunch]:
    """Return launches in which head's arms take their factor of base's time, give or take a wobble."""
    return [
        PairedLaunch(
            scenario=name,
            arms={
                arm: ([1.0], [(factors or {}).get(arm, 1.0) * math.exp(noise * WOBBLE[(i + phase) % len(WOBBLE)])])
                for arm, phase in PHASES.items()
            },
            is_placebo=False,
            sign=sign,
            counted=False,
        )
        for i in range(num_launches)
    ]


def stage_1(factors: Factors | None = None, *, name: str = "a", noise: float = 1.0) -> list[PairedLaunch]:
    return launches(STAGE_1_LAUNCHES, factors, name=name, noise=noise)


def stage_2(factors: Factors | None = None, *, name: str = "a", noise: float = 1.0) -> list[PairedLaunch]:
    return launches(STAGE_2_LAUNCHES, factors, name=name, noise=noise)


def judge(factors: Factors) -> ScenarioVerdict:
    (found,) = decide(stage_1(factors), stage_2(factors))
    return found


def change(found: ScenarioVerdict, control: Control) -> Change:
    return next(one for one in found.changes if one.control == control)


MOE = Control(arm="moe", against=BASE)


def test_unchanged_code_is_ok_after_stage_1() -> None:
    assert suspects(stage_1()) == []
    (found,) = decide(stage_1(), [])
    assert (found.verdict, found.num_launches, found.where, found.why) == (Verdict.OK, STAGE_1_LAUNCHES, "", "")


@pytest.mark.parametrize(("factor", "is_suspect"), [(1.012, False), (1.02, True), (0.8, False)])
def test_a_slowdown_of_about_one_and_a_half_percent_is_suspect(factor: float, is_suspect: bool) -> None:
    assert suspects(stage_1({"dense": factor})) == (["a"] if is_suspect else [])


def test_what_stage_1_is_too_noisy_to_clear_is_measured_again() -> None:
    noisy = stage_1({"moe": 0.98}, noise=10)
    assert suspects(noisy) == ["a"]
    (found,) = decide(noisy, stage_2({"moe": 0.98}))
    assert found.verdict is Verdict.OK


def test_suspects_are_served_slowest_first() -> None:
    measured = [*stage_1({"moe": 1.03}, name="a"), *stage_1({"dense": 1.2}, name="b"), *stage_1(name="c")]
    assert suspects(measured) == ["b", "a"]


def test_stage_1_accuses_nobody() -> None:
    (found,) = decide(stage_1({"moe": 1.5}), [])
    assert (found.verdict, found.num_launches) == (Verdict.INCONCLUSIVE, 0)
    assert found.why == "the time budget ended after 0 of 20 fresh launches; raise --budget"
    assert change(found, MOE).interval.estimate == pytest.approx(math.log(1.5), abs=0.005)  # still shown


def test_fresh_launches_alone_decide() -> None:
    (cleared,) = decide(stage_1({"moe": 1.5}), stage_2())
    assert (cleared.verdict, cleared.num_launches) == (Verdict.OK, STAGE_2_LAUNCHES)
    (confirmed,) = decide(stage_1({"moe": 1.02}), stage_2({"moe": 1.5}))
    assert (confirmed.verdict, confirmed.num_launches) == (Verdict.REGRESSED, STAGE_2_LAUNCHES)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.10, Verdict.REGRESSED),
        (1.03, Verdict.REGRESSED),  # within the tolerance, and certain
        (1.017, Verdict.OK),  # certain, and below the smallest effect
        (0.985, Verdict.OK),
        (0.90, Verdict.IMPROVED),
    ],
)
def test_size_of_a_certain_change_decides(factor: float, expected: Verdict) -> None:
    assert judge({"moe": factor, "dense": factor}).verdict is expected


@pytest.mark.parametrize(
    ("factors", "where"),
    [
        ({"moe": 1.05}, "MoE"),
        ({"dense": 1.05}, "dense"),
        ({"moe": 1.05, "dense": 1.05}, "shared code"),
        ({"moe": 1.10, "dense": 1.03}, "MoE"),  # the twin moved less than half as far
        ({"moe": 1.05, "dense": 0.95}, "MoE"),
    ],
)
def test_cause_is_found_by_which_arms_moved_together(factors: Factors, where: str) -> None:
    found = judge(factors)
    assert (found.verdict, found.where) == (Verdict.REGRESSED, where)


def test_where_the_anchor_moved_too_it_is_the_machine_and_nothing_passes() -> None:
    found = judge({"moe": 1.06, "dense": 1.06, "anchor": 1.05})
    assert (found.verdict, found.where) == (Verdict.UNFIT, "machine")
    assert "the anchor, which no code of ours touches, moved by +5.0 % too" in found.why


def test_an_anchor_that_moved_alone_is_no_verdict_on_the_code() -> None:
    assert judge({"anchor": 1.2}).verdict is Verdict.OK


def test_change_of_the_moe_alone_is_shown() -> None:
    found = judge({"moe": 1.10, "dense": 1.04})
    assert change(found, MOE_ONLY).interval.estimate == pytest.approx(math.log(1.10 / 1.04), abs=0.005)
    assert change(found, MACHINE).interval.estimate == pytest.approx(0.0, abs=0.005)


def test_what_20_noisy_launches_leave_open_names_the_smallest_change_that_could_have_been_seen() -> None:
    noisy = stage_1({"moe": 1.04}, noise=20), stage_2({"moe": 1.04}, noise=20)
    (found,) = decide(*noisy)
    assert (found.verdict, found.why) == (Verdict.INCONCLUSIVE, "")
    seen = change(found, MOE)
    assert seen.tolerance == pytest.approx(seen.interval.estimate - seen.interval.low)
    assert seen.tolerance > 0.05


def test_smallest_change_seen_is_never_below_the_smallest_effect() -> None:
    assert {one.tolerance for one in judge({}).changes} == {math.log(1.02)}


def test_a_budget_that_ends_in_stage_2_leaves_the_unclear_inconclusive_and_keeps_the_clear() -> None:
    first = [*stage_1({"moe": 1.3}, name="clear"), *stage_1({"moe": 1.04}, name="unclear", noise=5)]
    second = [*launches(12, {"moe": 1.3}, name="clear"), *launches(8, {"moe": 1.04}, name="unclear", noise=5)]
    clear, unclear = decide(first, second)
    assert (clear.verdict, clear.num_launches) == (Verdict.REGRESSED, 12)
    assert unclear.verdict is Verdict.INCONCLUSIVE
    assert unclear.why == "the time budget ended after 8 of 20 fresh launches; raise --budget"


def test_a_budget_that_ends_in_stage_1_leaves_everything_inconclusive() -> None:
    (found,) = decide(launches(4), [])  # four launches cannot exclude anything with 95 %
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "after 0 of 20 fresh launches" in found.why


def test_suspects_without_a_fresh_launch_make_the_others_harder_to_accuse() -> None:
    measured = launches(10, {"moe": 1.1}, name="s0")  # p = 2**-10 at best; times 60 it is 0.059
    first = [one for i in range(60) for one in stage_1({"moe": 1.1}, name=f"s{i}")]
    assert decide(first, measured)[0].verdict is Verdict.INCONCLUSIVE
    assert decide(first[: 50 * STAGE_1_LAUNCHES], measured)[0].verdict is Verdict.REGRESSED


def test_limits_are_those_of_the_scenario() -> None:
    lax = {"a": Limits(tolerance=math.log(1.2), smallest_effect=math.log(1.1))}
    slow = {"moe": 1.09}
    assert suspects(stage_1(slow), lax) == ["a"]
    (found,) = decide(stage_1(slow), stage_2(slow), limits=lax)
    assert found.verdict is Verdict.OK
    assert suspects(stage_1({"moe": 1.07}), lax) == []


def test_where_higher_is_better_a_fall_is_a_regression() -> None:
    fallen = {"moe": 0.9}
    (found,) = decide(launches(6, fallen, sign=-1.0), launches(20, fallen, sign=-1.0))
    assert (found.verdict, found.where) == (Verdict.REGRESSED, "MoE")


def test_blocks_are_no_replicates() -> None:
    steady = [
        replace(one, arms={arm: (list(base) * 200, list(head) * 200) for arm, (base, head) in one.arms.items()})
        for one in launches(3, {"moe": 1.3})
    ]
    (found,) = decide(steady, steady)
    assert found.verdict is Verdict.INCONCLUSIVE


def counted(moe: float, dense: float = 1.0, *, name: str = "m", num_launches: int = 1) -> list[PairedLaunch]:
    arms = {"moe": ([100.0], [100.0 * moe]), "dense": ([100.0], [100.0 * dense])}
    one = PairedLaunch(scenario=name, arms=arms, is_placebo=False, sign=1.0, counted=True)
    return [one] * num_launches


@pytest.mark.parametrize(
    ("measured", "expected", "where"),
    [
        (counted(1.0), Verdict.OK, ""),
        (counted(1.01, num_launches=6), Verdict.OK, ""),
        (counted(1.03), Verdict.REGRESSED, "MoE"),
        (counted(1.03, 1.03, num_launches=6), Verdict.REGRESSED, "shared code"),
        (counted(0.9, 0.9), Verdict.IMPROVED, ""),
        (counted(1.0) + counted(1.1), Verdict.INCONCLUSIVE, ""),  # it was not the same each time
    ],
)
def test_counted_values_need_no_second_stage(measured: list[PairedLaunch], expected: Verdict, where: str) -> None:
    assert suspects(measured) == []
    (found,) = decide(measured, [])
    assert (found.verdict, found.where) == (expected, where)


def placebos(shift: float, name: str = "a") -> list[PairedLaunch]:
    shifted = launches(2, dict.fromkeys(PHASES, math.exp(shift)), name=name)
    return [replace(one, is_placebo=True) for one in shifted]


def test_a_slowdown_no_larger_than_what_the_placebo_saw_is_unfit_and_a_larger_one_stands() -> None:
    slow, slower = {"moe": 1.22}, {"moe": 1.3}
    measured = [*stage_1(name="a"), *stage_1(slow, name="b"), *stage_1(slower, name="c"), *placebos(0.2), *counted(1.0)]
    fresh = [*stage_2(slow, name="b"), *stage_2(slower, name="c")]
    found = {one.scenario: one for one in decide(measured, fresh)}
    assert {name: one.verdict for name, one in found.items()} == {
        "a": Verdict.OK,  # head's side was slowed, and is not slower
        "b": Verdict.UNFIT,
        "c": Verdict.REGRESSED,
        "m": Verdict.OK,
    }
    assert (found["b"].where, found["c"].where) == ("", "MoE")
    assert "base against itself moved by" in found["b"].why


def test_a_machine_that_favours_head_acquits_nothing_and_finds_no_improvement() -> None:
    measured = [*stage_1(name="a"), *stage_1({"moe": 0.85}, name="b"), *placebos(-0.2)]
    assert [one.verdict for one in decide(measured, [])] == [Verdict.UNFIT, Verdict.UNFIT]


def test_a_placebo_that_stays_is_not_judged_as_a_change() -> None:
    measured = [*stage_1(), *placebos(0.0)]
    assert [one.verdict for one in decide(measured, [])] == [Verdict.OK]
    assert decide(placebos(0.3, name="only"), []) == []


@pytest.mark.parametrize("verdict", [Verdict.NEW, Verdict.FAILED, Verdict.UNFIT, Verdict.NOT_COMPARABLE])
def test_a_scenario_that_met_trouble_has_its_verdict_and_reason(verdict: Verdict) -> None:
    trouble = Trouble(scenario="gone", verdict=verdict, why="because")
    measured, gone = decide(stage_1(), [], troubles=[trouble])
    assert measured.verdict is Verdict.OK
    assert (gone.scenario, gone.verdict, gone.why, gone.num_launches) == ("gone", verdict, "because", 0)


def test_the_more_severe_of_trouble_and_verdict_stands() -> None:
    failed = Trouble(scenario="a", verdict=Verdict.FAILED, why="killed by signal 9")
    (cleared,) = decide(stage_1(), [], troubles=[failed])
    assert (cleared.verdict, cleared.why) == (Verdict.FAILED, "killed by signal 9")
    slow = {"moe": 1.3}
    (regressed,) = decide(stage_1(slow), stage_2(slow), troubles=[failed])
    assert (regressed.verdict, regressed.where) == (Verdict.REGRESSED, "MoE")


def test_a_suspect_that_looks_unchanged_after_the_look_is_let_go() -> None:
    calm, slow = launches(STAGE_2_LOOK, name="calm"), launches(STAGE_2_LOOK, {"moe": 1.05}, name="slow")
    slow_twin = launches(STAGE_2_LOOK, {"dense": 1.03}, name="slow twin")
    assert cleared([*calm, *slow, *slow_twin]) == {"calm"}


def test_a_suspect_that_may_still_be_slower_than_the_tolerance_stays() -> None:
    assert cleared(launches(STAGE_2_LOOK, noise=20.0)) == set()


def test_what_was_let_go_is_judged_on_the_launches_up_to_the_look() -> None:
    (found,) = decide(stage_1({"moe": 1.02}), launches(STAGE_2_LOOK))
    assert (found.verdict, found.num_launches) == (Verdict.OK, STAGE_2_LOOK)
