"""Tests of what a run comes to: the exit code by mode, and which scenarios are measured again."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from bench.gate import conclude as conclusion
from bench.gate.cap import UNJUDGEABLE, capped
from bench.gate.comparison import Selection, judge_one
from bench.gate.conclude import Outcome, conclude, is_suspect, suspicion
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
    restless = [{**ONE, "moe": ONE["moe"] * (1 + 0.1 * (i % 2))} for i in range(8)]
    (said,) = concluded(monkeypatch, record_of(scenario(ONE)), baseline=restless).verdicts
    assert (said.verdict, said.why) == (Verdict.INCONCLUSIVE, UNJUDGEABLE)
    (said,) = concluded(monkeypatch, record_of(scenario(ONE))).verdicts
    assert said.verdict is Verdict.OK


def test_between_machines_ratios_to_the_anchor_leave_nothing_unjudged() -> None:
    restless = [{**ONE, "anchor": ONE["anchor"] * (1 + 0.1 * (i % 2))} for i in range(8)]
    for same, verdict in ((True, Verdict.INCONCLUSIVE), (False, Verdict.OK)):
        opened = opened_baseline(scenario(*restless), same_fingerprint=same)
        assert capped(judge_one(scenario(ONE), opened)).verdict is verdict


@pytest.mark.parametrize(("again", "verdict"), [(Verdict.WRONG, Verdict.WRONG), (Verdict.INCONCLUSIVE, Verdict.UNFIT)])
def test_a_throttled_scenario_stays_unfit_unless_a_fresh_launch_finds_it_wrong(
    monkeypatch: pytest.MonkeyPatch, again: Verdict, verdict: Verdict
) -> None:
    throttled = record_of(scenario({arm: [t] * 6 for arm, t in ONE.items()}, voided=6))
    (said,) = concluded(monkeypatch, throttled, ScenarioVerdict(scenario=NAME, verdict=again, why="w")).verdicts
    assert said.verdict is verdict


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
