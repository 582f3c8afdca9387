"""Tests of what a run comes to: the exit code by mode, and what stands of a scenario."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from bench.gate import conclude as conclusion
from bench.gate.cap import UNJUDGEABLE, capped
from bench.gate.comparison import Selection, judge_one
from bench.gate.conclude import Outcome, conclude
from bench.gate.verdict import NOTHING_COMPARED, ScenarioVerdict, Verdict
from bench.harness.record import Record
from tests.bench.gate.test_verdict import EXPECTED_EXIT
from tests.bench.sample_records import opened_baseline, record_of, scenario
from tests.bench.sample_verdicts import NAME

AUTO_FAILS = {Verdict.WRONG, Verdict.REGRESSED, Verdict.CORRUPT, Verdict.FAILED, Verdict.CHANGED}
ONE = {"moe": 0.002, "dense": 0.001, "anchor": 0.0005}


def of_scenarios(*verdicts: Verdict) -> Outcome:
    return Outcome(verdicts=[ScenarioVerdict(scenario=str(i), verdict=v) for i, v in enumerate(verdicts)])


@pytest.mark.parametrize("verdict", Verdict)
def test_require_closes_with_each_verdicts_code_and_auto_with_few(verdict: Verdict) -> None:
    for outcome in (of_scenarios(verdict), Outcome(run_verdict=verdict)):
        assert code(outcome, "require") == EXPECTED_EXIT[verdict.value]
        for compare in ("auto", "off"):
            assert code(outcome, compare) == (EXPECTED_EXIT[verdict.value] if verdict in AUTO_FAILS else 0)


def code(outcome: Outcome, compare: str, *, allow: bool = False) -> int:
    return outcome.exit_code(compare, allow_inconclusive=allow)


def test_inconclusive_fails_what_requires_a_comparison_unless_it_is_allowed() -> None:
    outcome = of_scenarios(Verdict.OK, Verdict.INCONCLUSIVE)
    assert (code(outcome, "require"), code(outcome, "auto")) == (11, 0)
    assert code(outcome, "require", allow=True) == 0


def test_a_run_without_comparison_ends_0_where_none_is_required() -> None:
    assert [code(Outcome(), compare) for compare in ("off", "auto", "require")] == [0, 0, 13]


def concluded(
    monkeypatch: pytest.MonkeyPatch,
    record: Record,
    again: ScenarioVerdict | None = None,
    *,
    baseline: Sequence[Mapping[str, float]] = (ONE,) * 8,
) -> Outcome:
    """Conclude a run of that record against a baseline of one scenario, of which fresh processes say what is given."""
    monkeypatch.setattr(conclusion, "open_baseline", lambda *_: opened_baseline(scenario(*baseline)))
    monkeypatch.setattr(conclusion, "_confirm", lambda *_: ({again.scenario: again} if again else {}, {}))
    options = SimpleNamespace(compare="require", baselines=None, baseline=None, allow_inconclusive=False)
    run: Any = SimpleNamespace(options=options, record=record, lost={}, write_error=None)
    selection = Selection(collected=[NAME], functions=None, axes={}, whole=True)
    return conclude(run, selection, lambda _text: None)


def test_a_fresh_process_is_allowed_blocks_as_long_as_the_run_and_slows_what_it_slowed() -> None:
    options = SimpleNamespace(scenario_budget_s=0.5, longest_block_s=7200.0, slowdowns={"moe": 1.5})
    run: Any = SimpleNamespace(setup={"launch_options": ["--device=cpu"]}, options=options)
    found = conclusion._launch_options(run)
    assert found[0] == "--device=cpu"
    assert "--longest-block=7200.000000000" in found
    assert "--inject=moe=1.5" in found


def test_a_wrong_answer_is_wrong_and_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    (said,) = concluded(monkeypatch, record_of(wrong={NAME: "dense: got 0.3"})).verdicts
    assert (said.scenario, said.verdict, said.why) == (NAME, Verdict.WRONG, "dense: got 0.3")


def test_where_nothing_was_compared_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NOTHING_COMPARED not in concluded(monkeypatch, record_of(wrong={NAME: "dense: got 0.3"})).verdicts
    assert concluded(monkeypatch, record_of()).verdicts == [NOTHING_COMPARED]
    new, said = concluded(monkeypatch, record_of(scenario(ONE, name="bench_x[new]"))).verdicts
    assert (new.verdict, said) == (Verdict.NEW, NOTHING_COMPARED)


def test_what_no_fresh_launch_could_judge_still_looks_as_slow_as_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    undecided = ScenarioVerdict(scenario=NAME, verdict=Verdict.INCONCLUSIVE, why="no time", num_launches=0)
    outcome = concluded(monkeypatch, record_of(scenario({**ONE, "moe": 1.3 * ONE["moe"]})), undecided)
    assert outcome.verdicts[0].looks_slower
    assert code(outcome, "require", allow=True) == 11


def test_what_the_baselines_own_spread_could_hide_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    restless = [{**ONE, "moe": ONE["moe"] * (1 + 0.2 * (i % 2))} for i in range(8)]
    middle = {**ONE, "moe": 1.1 * ONE["moe"]}
    for baseline, verdict in ((restless, Verdict.INCONCLUSIVE), ([middle] * 8, Verdict.OK)):
        (said,) = concluded(monkeypatch, record_of(scenario(middle)), baseline=baseline).verdicts
        assert said.verdict is verdict


def test_ratios_to_a_restless_anchor_hinder_no_ok_unless_there_are_no_others() -> None:
    restless = [{**ONE, "anchor": ONE["anchor"] * (1 + 0.2 * (i % 2))} for i in range(8)]
    middle = {**ONE, "anchor": 1.1 * ONE["anchor"]}
    assert capped(judge_one(scenario(middle), opened_baseline(scenario(*restless)))).verdict is Verdict.OK
    alone = [{arm: launch[arm] for arm in ("moe", "anchor")} for launch in restless]
    new = scenario({arm: middle[arm] for arm in ("moe", "anchor")})
    said = capped(judge_one(new, opened_baseline(scenario(*alone))))
    assert (said.verdict, said.why) == (Verdict.INCONCLUSIVE, UNJUDGEABLE)


def test_a_group_found_slower_fails_the_run_by_itself() -> None:
    slower = ScenarioVerdict(scenario="decode at tiny", verdict=Verdict.REGRESSED)
    outcome = Outcome(verdicts=[ScenarioVerdict(scenario="a", verdict=Verdict.OK)], groups=[slower])
    assert [code(outcome, compare) for compare in ("auto", "require")] == [10, 10]
    assert outcome.failing("auto", allow_inconclusive=False) == [slower]


@pytest.mark.parametrize(("again", "verdict"), [(Verdict.WRONG, Verdict.WRONG), (Verdict.INCONCLUSIVE, Verdict.UNFIT)])
def test_a_throttled_scenario_stays_unfit_unless_a_fresh_launch_finds_it_wrong(
    monkeypatch: pytest.MonkeyPatch, again: Verdict, verdict: Verdict
) -> None:
    throttled = record_of(scenario({arm: [t] * 6 for arm, t in ONE.items()}, voided=6))
    (said,) = concluded(monkeypatch, throttled, ScenarioVerdict(scenario=NAME, verdict=again, why="w")).verdicts
    assert said.verdict is verdict


def test_memory_is_given_back_before_fresh_processes_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(conclusion, "give_back", lambda: given.append("heap"))
    conclusion.release_memory()
    assert given == ["heap"]
