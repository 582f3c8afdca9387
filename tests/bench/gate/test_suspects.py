"""Tests of what a first launch makes a suspect, and of what stands once fresh launches have been heard."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bench.gate.baseline import OpenBaseline
from bench.gate.comparison import judge_one
from bench.gate.suspects import is_suspect, judge_run, suspicion
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.record import Scenario
from tests.bench.sample_records import opened_baseline, scenario

ONE = {"moe": 0.002, "dense": 0.001, "anchor": 0.0005}
DECODE = [f"bench_decode[tiny-b{i}]" for i in range(4)]
VISION = [f"bench_vision[tiny-b{i}]" for i in range(4)]


def first_launch(*, same_fingerprint: bool = True, voided: int = 0, **factors: float) -> bool:
    opened = opened_baseline(scenario(*[ONE] * 8), same_fingerprint=same_fingerprint)
    measured = scenario({arm: [t * factors.get(arm, 1.0)] * 6 for arm, t in ONE.items()}, voided=voided)
    return is_suspect(judge_one(measured, opened), opened)


def test_what_looks_slow_or_unfit_is_measured_again() -> None:
    assert first_launch(moe=1.1)
    assert first_launch(moe=1.1, dense=1.1)
    assert first_launch(voided=6)


def test_what_looks_the_same_or_faster_is_not() -> None:
    assert not first_launch()
    assert not first_launch(moe=1.01)
    assert not first_launch(moe=0.5)


@pytest.mark.parametrize(("moe", "verdict"), [(103.0, Verdict.OK), (120.0, Verdict.REGRESSED)])
def test_what_is_counted_is_never_measured_again(moe: float, verdict: Verdict) -> None:
    counted: dict[str, Any] = {"metric": "peak_bytes"}
    opened = opened_baseline(scenario(*[{"moe": 100.0, "dense": 100.0}] * 8, **counted))
    judged = judge_one(scenario({"moe": moe, "dense": 100.0}, **counted), opened)
    assert judged.verdict is verdict
    assert any(change.suspect for change in judged.changes)
    assert not is_suspect(judged, opened)


def test_the_slower_is_the_more_suspicious_and_what_could_not_be_judged_the_least() -> None:
    opened = opened_baseline(scenario(*[ONE] * 8))
    judged = [
        judge_one(slow, opened)
        for slow in (
            scenario(ONE, voided=6),
            scenario({**ONE, "moe": 1.1 * ONE["moe"]}),
            scenario({**ONE, "dense": 1.2 * ONE["dense"]}),
        )
    ]
    assert sorted(judged, key=suspicion) == judged


def test_ratios_to_another_machines_anchor_raise_no_suspicion() -> None:
    assert not first_launch(moe=1.1, dense=1.1, same_fingerprint=False)
    assert first_launch(moe=1.1, same_fingerprint=False)


def test_what_cannot_be_compared_is_not_measured_again() -> None:
    opened = opened_baseline(scenario(*[ONE] * 8))
    for measured in (scenario(ONE, name="new"), scenario(ONE, hashes={"workload": "another"})):
        assert not is_suspect(judge_one(measured, opened), opened)


Asked = tuple[list[str], list[str]]  # scenarios and groups that were to be measured again


def run_with(slow: Mapping[str, float], again: Verdict) -> tuple[Asked, dict[str, ScenarioVerdict]]:
    """Judge a run in which MoEs are slower by a factor; fresh launches say the same of all that they measure."""
    names = [*DECODE, *VISION]
    wobble = [[{**ONE, "moe": ONE["moe"] * (1 + 0.02 * (-1) ** (i + j // 2))} for j in range(8)] for i in range(8)]
    opened = opened_baseline(*(scenario(*launches, name=s) for s, launches in zip(names, wobble, strict=True)))
    new = {s: scenario({**ONE, "moe": ONE["moe"] * slow.get(s, 1.0)}, name=s) for s in names}
    asked: Asked = ([], [])

    def confirm(
        scenarios: Sequence[str], groups: Sequence[str], _opened: OpenBaseline
    ) -> tuple[dict[str, ScenarioVerdict], Mapping[str, Scenario]]:
        asked[0].extend(scenarios)
        asked[1].extend(groups)
        return {s: ScenarioVerdict(scenario=s, verdict=again, why="so") for s in (*scenarios, *groups)}, new

    verdicts, groups = judge_run(new, opened, confirm, lambda _text: None)
    return asked, {**verdicts, **groups}


def test_an_unchanged_run_is_not_measured_again() -> None:
    asked, said = run_with({}, Verdict.REGRESSED)
    assert asked == ([], [])
    assert {one.verdict for one in said.values()} == {Verdict.OK}
    assert set(said) == {*DECODE, *VISION, "decode at tiny", "vision at tiny", "suite"}


def test_a_group_that_looks_slower_is_measured_again_with_all_of_its_scenarios() -> None:
    (scenarios, groups), said = run_with(dict.fromkeys(DECODE, 1.025), Verdict.REGRESSED)
    assert set(groups) == {"decode at tiny", "suite"}
    assert set(scenarios) == {*DECODE, *VISION}
    assert said["decode at tiny"].verdict is Verdict.REGRESSED
    assert said["vision at tiny"].verdict is Verdict.OK


def test_a_scenario_measured_again_for_its_group_alone_keeps_its_verdict_unless_there_is_a_clearer_one() -> None:
    (scenarios, groups), said = run_with(dict.fromkeys(DECODE, 1.025), Verdict.INCONCLUSIVE)
    assert set(VISION) < set(scenarios)
    assert {said[s].verdict for s in VISION} == {Verdict.OK}
    assert {said[group].verdict for group in groups} == {Verdict.INCONCLUSIVE}
    assert said["suite"].changes  # what made it a suspect is still shown


def test_a_single_slower_scenario_is_measured_again_before_what_only_its_groups_need() -> None:
    (scenarios, _), _ = run_with({VISION[2]: 1.3}, Verdict.REGRESSED)
    assert scenarios[0] == VISION[2]
