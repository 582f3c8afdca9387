"""Tests of verdicts on launches of plain numbers; how often they err on noise is tested in test_error_rates.py."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from bench.gate.controls import controls_of
from bench.gate.judging import judge_control, judge_scenario
from bench.gate.tolerance import RUN_SHARE, SMALLEST_TOLERANCE, Bar, typical_variances
from bench.gate.verdict import TOLERANCE_CAP, Control, ScenarioVerdict, Verdict
from bench.harness.record import Scenario
from tests.bench.sample_records import scenario

MOE_DENSE = Control(arm="moe", against="dense")
TIMES = {"moe": 0.002, "dense": 0.001, "anchor": 0.0005}
WOBBLE = (-0.02, 0.02, -0.01, 0.01, -0.02, 0.02, -0.01, 0.01)  # of the log times of eight launches; their mean is 0


def launches_of(num: int = 8, /, **factors: float) -> list[dict[str, float]]:
    """Return launches in which the arms wobble against one another, each arm's time multiplied by its factor."""
    signs = {"moe": 0.5, "dense": -0.5, "anchor": 0.0}
    return [
        {arm: t * factors.get(arm, 1.0) * math.exp(signs[arm] * WOBBLE[i]) for arm, t in TIMES.items()}
        for i in range(num)
    ]


BASE = scenario(*launches_of())
BAR = Bar(4.0)


def judge(new: Scenario, base: Scenario = BASE, **options: Any) -> ScenarioVerdict:
    return judge_scenario(new, base, typical_variances([base]), bar=BAR, **{"confirmed": True, **options})


def slowed(num: int = 4, /, **factors: float) -> Scenario:
    return scenario(*launches_of(num, **factors))


def error_of(sd: float, num_new: int, num_base: int, control: Control = MOE_DENSE, unrest: float = 1.0) -> float:
    """Return the standard error of a change by hand."""
    shared = RUN_SHARE[control.kind]
    return sd * math.sqrt(unrest**2 * (shared + (1 - shared) / num_new) + 1 / num_base)


def test_tolerance_is_so_many_standard_errors_of_the_launches_by_hand() -> None:
    base = [0.0, 0.2, 0.0, 0.2]
    change = judge_control([0.1, 0.1], base, control=MOE_DENSE, sd=0.1, bar=BAR, sign=1.0, confirmed=True)
    error = error_of(0.1, 2, 4)
    assert change.interval == pytest.approx((0.0, -1.96 * error, 1.96 * error), abs=1e-12)
    assert (change.tolerance, change.verdict) == (pytest.approx(4 * error), Verdict.INCONCLUSIVE)  # beyond the cap


def test_a_scenarios_spread_is_drawn_towards_that_of_the_others() -> None:
    wild = [dict(launch, moe=launch["moe"] * math.exp(0.1 * (-1) ** i)) for i, launch in enumerate(launches_of())]
    others = [scenario(*launches_of(), name=name) for name in "bcdefg"]
    alone, among = (
        judge_scenario(scenario(*wild), scenario(*wild), typical_variances(known), bar=BAR).changes[0]
        for known in ([scenario(*wild)], [scenario(*wild), *others])
    )
    assert among.interval.high < alone.interval.high


def test_launches_of_one_run_narrow_the_tolerance_against_a_twin_and_not_against_the_anchor() -> None:
    for against, is_narrower in (("dense", True), ("anchor", False)):
        control = Control(arm="moe", against=against)
        one, four = (
            judge_control([0.9] * num, [0.0] * 8, control=control, sd=0.1, bar=BAR, sign=1.0, confirmed=True).tolerance
            for num in (1, 4)
        )
        assert (one, four) == pytest.approx((4 * error_of(0.1, 1, 8, control), 4 * error_of(0.1, 4, 8, control)))
        assert (four < one) is is_narrower


def test_the_unrest_of_a_kind_of_control_widens_that_kind_alone() -> None:
    calm, restless = (judge(BASE, confirmed=False, unrest=unrest).changes for unrest in ({}, {"anchor": 2.0}))
    is_wider = {
        str(one.control): two.interval.high > one.interval.high for one, two in zip(calm, restless, strict=True)
    }
    assert is_wider == {"moe/dense": False, "moe/anchor": True, "dense/anchor": True}


def test_a_restless_run_has_a_wider_tolerance_and_the_baseline_does_not() -> None:
    arguments = {"control": MOE_DENSE, "sd": 0.01, "bar": BAR, "sign": 1.0, "confirmed": True}
    calm, restless = (judge_control([0.06], [0.0, 0.02] * 4, unrest=unrest, **arguments) for unrest in (1.0, 2.0))
    assert restless.tolerance == pytest.approx(4 * error_of(0.01, 1, 8, unrest=2.0))
    assert (calm.verdict, restless.verdict) == (Verdict.REGRESSED, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("launches", "verdict"),
    [
        ([0.0, 0.2], Verdict.INCONCLUSIVE),  # their centre is beyond 5 %, by one of them
        ([0.0, 0.2, 0.2], Verdict.INCONCLUSIVE),
        ([0.0, 0.2, 0.2, 0.2], Verdict.REGRESSED),
        ([0.03, 0.1], Verdict.REGRESSED),
    ],
)
def test_a_disturbed_launch_alone_accuses_nobody(launches: list[float], verdict: Verdict) -> None:
    change = judge_control(launches, [0.0] * 8, control=MOE_DENSE, sd=0.0, bar=BAR, sign=1.0, confirmed=True)
    assert change.interval.estimate > change.tolerance == SMALLEST_TOLERANCE
    assert change.verdict is verdict


def test_however_noisy_it_is_ok_excludes_a_slowdown_as_large_as_the_cap() -> None:
    arguments = {"control": MOE_DENSE, "sd": 0.05, "bar": BAR, "sign": 1.0, "confirmed": True}
    small, large = (judge_control([shift], [0.0] * 8, **arguments) for shift in (0.04, 0.06))
    error = error_of(0.05, 1, 8)
    assert 0.04 + 1.645 * error < TOLERANCE_CAP < 0.06 + 1.645 * error < 4 * error
    assert (small.verdict, small.tolerance) == (Verdict.OK, TOLERANCE_CAP)
    assert (large.verdict, large.tolerance) == (Verdict.INCONCLUSIVE, pytest.approx(4 * error))


def test_a_ratio_to_the_anchor_is_ok_within_its_own_tolerance() -> None:
    control = Control(arm="moe", against="anchor")
    change = judge_control([0.06], [0.0] * 8, control=control, sd=0.05, bar=BAR, sign=1.0, confirmed=True)
    assert (change.verdict, change.tolerance) == (Verdict.OK, pytest.approx(4 * error_of(0.05, 1, 8, control)))


def test_a_quiet_machine_is_held_to_the_smallest_tolerance() -> None:
    change = judge_control([0.0], [0.0] * 8, control=MOE_DENSE, sd=0.0, bar=BAR, sign=1.0, confirmed=True)
    assert (change.tolerance, change.verdict) == (SMALLEST_TOLERANCE, Verdict.OK)


@pytest.mark.parametrize(
    ("shift", "confirmed", "expected", "suspect"),
    [
        (0.06, True, Verdict.REGRESSED, True),
        (0.06, False, Verdict.INCONCLUSIVE, True),  # one launch only raises suspicion
        (0.047, True, Verdict.INCONCLUSIVE, True),  # its limit reaches beyond the tolerance
        (0.03, True, Verdict.OK, True),  # worth a second look, and slower than the tolerance is excluded
        (0.015, True, Verdict.OK, False),
        (-0.04, True, Verdict.OK, False),
        (-0.06, False, Verdict.IMPROVED, False),
    ],
)
def test_shift_and_confirmation_decide_a_control(
    shift: float, confirmed: bool, expected: Verdict, suspect: bool
) -> None:
    base = [0.004, -0.004] * 4  # standard error 0.0028 of four launches: the tolerance is 5 %
    change = judge_control([shift] * 4, base, control=MOE_DENSE, sd=0.004, bar=BAR, sign=1.0, confirmed=confirmed)
    assert (change.verdict, change.suspect) == (expected, suspect)


def test_where_higher_is_better_the_sign_turns() -> None:
    kwargs: Mapping[str, Any] = {"control": MOE_DENSE, "sd": 0.001, "bar": BAR, "confirmed": True}
    assert judge_control([-0.2], [0.0] * 8, sign=-1.0, **kwargs).verdict is Verdict.REGRESSED
    assert judge_control([0.2], [0.0] * 8, sign=-1.0, **kwargs).verdict is Verdict.IMPROVED


@pytest.mark.parametrize(
    ("factors", "where"),
    [
        ({"moe": 1.3}, "MoE"),
        ({"dense": 1.3}, "dense"),
        ({"moe": 1.3, "dense": 1.3}, "shared code"),
        ({"moe": 4.13, "dense": 1.19}, "MoE"),  # what runs beside a loop over all experts finds cold caches
        ({"moe": 1.19, "dense": 4.13}, "dense"),
        ({"moe": 1.3, "dense": 1.1}, "shared code"),
        ({"moe": 1.3, "dense": 1.3, "anchor": 1.3}, ""),  # the machine, not the code
        ({}, ""),
    ],
)
def test_cause_is_found_by_which_arms_moved_together(factors: dict[str, float], where: str) -> None:
    found = judge(slowed(**factors))
    assert found.where == where
    assert found.verdict is (Verdict.REGRESSED if where else Verdict.OK)


def test_moved_controls_are_those_of_the_slow_arm() -> None:
    moved = [str(c.control) for c in judge(slowed(moe=1.3)).changes if c.verdict is Verdict.REGRESSED]
    assert moved == ["moe/dense", "moe/anchor"]


def test_on_another_machine_of_the_kind_ratios_to_the_anchor_are_advisory() -> None:
    assert judge(slowed(moe=1.3, dense=1.3), same_fingerprint=False).verdict is Verdict.OK
    assert judge(slowed(moe=1.3), same_fingerprint=False).verdict is Verdict.REGRESSED


def test_where_only_advisory_ratios_are_left_nothing_is_called_ok() -> None:
    alone = [{arm: launch[arm] for arm in ("moe", "anchor")} for launch in launches_of()]
    found = judge(scenario(*alone), scenario(*alone), same_fingerprint=False)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "anchor" in found.why


@pytest.mark.parametrize("name", ["workload", "routing"])
def test_other_inputs_are_not_comparable(name: str) -> None:
    other = {"workload": "abc", "routing": "def", name: "changed"}
    found = judge(scenario(*launches_of(2), hashes=other))
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert found.why.startswith(f"another {name} hash than the baseline's; promote")


def test_another_output_is_comparable() -> None:
    hashes = {"workload": "abc", "routing": "def", "output": "rounded otherwise"}
    assert judge(scenario(*launches_of(2), hashes=hashes)).verdict is Verdict.OK


def test_a_launch_throttled_in_half_of_its_blocks_is_unfit() -> None:
    blocks = {arm: [t] * 8 for arm, t in TIMES.items()}
    assert judge(scenario(blocks, voided=7)).verdict is Verdict.OK
    found = judge(scenario(blocks, voided=8))
    assert found.verdict is Verdict.UNFIT
    assert "throttled in 8 blocks" in found.why


def test_a_ratio_that_is_uncertain_by_a_factor_of_two_within_a_launch_is_unfit() -> None:
    def launch_with(deviation: float) -> Scenario:
        moe = [0.002 * math.exp(sign * deviation) for sign in (-1, -1, -1, 1, 1, 1)]
        return scenario({"moe": moe, "dense": [0.001] * 6, "anchor": [0.0005] * 6})

    # standard error of the centre of six blocks: 1.4826 * deviation * sqrt(pi / 2) / sqrt(6), to be at most log(2) / 2
    found = judge(launch_with(0.50))  # 0.379; two of them are a factor of 2.1
    assert (found.verdict, found.why) == (
        Verdict.UNFIT,
        "blocks leave moe/dense uncertain by a factor of 2.1 either way",
    )
    assert judge(launch_with(0.45)).verdict is not Verdict.UNFIT  # 0.341


def test_noise_beyond_the_baselines_widens_the_tolerance() -> None:
    base, arguments = [0.0, 0.02] * 4, {"control": MOE_DENSE, "sd": 0.01, "bar": BAR, "sign": 1.0, "confirmed": True}
    calm = judge_control([0.2, 0.2], base, **arguments)
    noisy = judge_control([0.2, 0.2], base, noise=0.02, **arguments)
    assert (calm.verdict, noisy.verdict) == (Verdict.REGRESSED, Verdict.INCONCLUSIVE)
    assert noisy.tolerance == pytest.approx(4 * math.hypot(error_of(0.01, 2, 8), math.sqrt(0.02 / 2)))


COUNTED: dict[str, Any] = {"metric": "peak_bytes"}


def test_counted_metrics_are_judged_on_their_value() -> None:
    base = scenario(*[{"moe": 100.0, "dense": 100.0}] * 8, **COUNTED)
    assert [str(c) for c in controls_of(base)] == ["moe/dense", "moe", "dense"]
    assert judge(scenario({"moe": 100.0, "dense": 100.0}, **COUNTED), base).verdict is Verdict.OK
    more = judge(scenario({"moe": 110.0, "dense": 110.0}, **COUNTED), base)
    assert (more.verdict, more.where) == (Verdict.REGRESSED, "shared code")
    moe_alone = judge(scenario({"moe": 110.0, "dense": 100.0}, **COUNTED), base)
    assert (moe_alone.verdict, moe_alone.where) == (Verdict.REGRESSED, "MoE")


def test_what_is_counted_is_judged_at_once() -> None:
    base = scenario(*[{"moe": 100.0, "dense": 100.0}] * 8, **COUNTED)
    once = judge(scenario({"moe": 100.0, "dense": 110.0}, **COUNTED), base, confirmed=False)
    assert (once.verdict, once.where, once.is_counted) == (Verdict.REGRESSED, "dense", True)
    assert not judge(slowed(moe=1.3)).is_counted


def test_of_shares_each_arms_own_is_judged_and_keeps_the_share_it_was() -> None:
    shares: dict[str, Any] = {"metric": "accuracy"}
    base = scenario(*[{"moe": 0.8, "dense": 0.7, "smoes-attention": 0.9}] * 8, **shares)
    found = judge(scenario({"moe": 0.8, "dense": 0.7, "smoes-attention": 0.6}, **shares), base, confirmed=False)
    told = {str(c.control): (c.verdict, pytest.approx(c.share)) for c in found.changes}
    fell = (Verdict.REGRESSED, 0.9)
    assert told == {"moe": (Verdict.OK, 0.8), "dense": (Verdict.OK, 0.7), "smoes-attention": fell}
    assert (found.verdict, found.where) == (Verdict.REGRESSED, "MoE")
    assert {change.share for change in judge(BASE).changes} == {None}


@pytest.mark.parametrize(
    ("slow", "where"),
    [
        (["smoes-attention"], "MoE"),
        (["moe", "smoes-attention"], "MoE"),
        (["dense_active"], "dense"),
        (["dense", "dense_active"], "dense"),
        (["smoes-attention", "dense_active"], "shared code"),
    ],
)
def test_every_arm_of_experts_is_the_moe_and_every_dense_one_dense(slow: list[str], where: str) -> None:
    arms = {"moe": 100.0, "smoes-attention": 100.0, "dense": 100.0, "dense_active": 100.0}
    base = scenario(*[arms] * 8, **COUNTED)
    found = judge(scenario({**arms, **dict.fromkeys(slow, 120.0)}, **COUNTED), base)
    assert (found.verdict, found.where) == (Verdict.REGRESSED, where)
