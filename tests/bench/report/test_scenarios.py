"""Scenarios of the page against numbers computed by hand from small records."""

from dataclasses import replace
from typing import Any

import pytest

from bench.gate.stats import Interval
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict
from bench.harness.documents import DocumentError
from bench.harness.forms import checked
from bench.harness.record import Record
from bench.report.compared import Compared
from bench.report.scenarios import ArmData, metrics_of, of_comparison, of_record
from tests.bench.sample_records import SCENARIOS, document, record_of, scenario


def arms(record: Record) -> dict[str, ArmData]:
    return {arm.arm: arm for arm in of_record(record, 0, {})[0].arms}


def test_values_rates_floors_and_shares_are_those_of_the_record() -> None:
    """MoE: 2 ms, of which 1e6 bytes at 1e10 a second take 0.1 ms; dense: 1 ms for four times that."""
    found = arms(Record.from_document(document()))
    moe, dense = found["moe"], found["dense"]
    assert (moe.value, dense.value) == (0.002, 0.001)
    assert (moe.floor, dense.floor) == pytest.approx((0.05, 0.4))
    assert dense.floors == pytest.approx(4.0)
    assert (moe.mfu, moe.mbu) == pytest.approx((0.005, 0.05))
    assert moe.rates == {"output_tok_per_s": 500.0}
    assert dense.ratio == pytest.approx((0.5, 0.473684, 0.523810), rel=1e-5)
    assert moe.ratio is None
    assert found["anchor"].ratio is None


def test_every_block_of_every_launch_is_there() -> None:
    moe = arms(Record.from_document(document()))["moe"]
    assert [(one.id, one.samples, one.voided) for one in moe.launches] == [("launch-0", [0.002, 0.0021, 0.0019], 0)]


def test_parts_peers_and_the_anchor_are_told_apart_from_models() -> None:
    names = ("moe", "dense", "moe/router", "uniform/experts", "llama.cpp/moe", "anchor")
    found = arms(record_of(scenario(dict.fromkeys(names, 1.0))))
    assert [found[name].kind for name in names] == ["arm", "arm", "part", "part", "peer", "anchor"]
    assert [name for name in names if found[name].ratio] == ["dense", "llama.cpp/moe"]


def change(control: str, log_ratio: float, verdict: Verdict) -> Change:
    arm, _, against = control.partition("/")
    interval = Interval(log_ratio, log_ratio - 0.01, log_ratio + 0.01)
    return Change(
        control=Control(arm=arm, against=against), interval=interval, tolerance=0.1, verdict=verdict, suspect=False
    )


def test_a_verdict_comes_with_its_reason_and_its_changes_the_most_severe_first() -> None:
    said = ScenarioVerdict(
        scenario=SCENARIOS[0],
        verdict=Verdict.REGRESSED,
        where="MoE",
        changes=(change("dense/anchor", 0.2, Verdict.OK), change("moe/dense", 0.15, Verdict.REGRESSED)),
    )
    one = of_record(Record.from_document(document()), 0, {said.scenario: said})[0]
    assert (one.verdict, one.where) == ("REGRESSED", "MoE")
    assert [found["control"] for found in one.changes] == ["moe/dense", "dense/anchor"]
    assert one.changes[0]["said"] == "+16.2 % [+15.0, +17.4]"
    assert one.changes[0]["bound"] == "10.5 %"


def test_groups_and_wrong_and_missing_scenarios_are_there_without_values() -> None:
    record = replace(Record.from_document(document()), wrong={"bench_w[x]": "logits differ"})
    group = ScenarioVerdict(
        scenario="suite", verdict=Verdict.REGRESSED, changes=(change("moe/dense", 0.15, Verdict.REGRESSED),)
    )
    missing = ScenarioVerdict(scenario="bench_m[x]", verdict=Verdict.MISSING, why="not collected", num_launches=0)
    found = {one.id: one for one in of_record(record, 0, {"bench_m[x]": missing, "suite": group})}
    assert (found["bench_w[x]"].verdict, found["bench_w[x]"].why) == ("WRONG", "logits differ")
    assert (found["bench_m[x]"].verdict, found["bench_m[x]"].why) == ("MISSING", "not collected")
    assert found["bench_m[x]"].arms == []
    assert (found["suite"].verdict, found["suite"].changes[0]["said"]) == ("REGRESSED", "+16.2 % [+15.0, +17.4]")


def compared(**fields: Any) -> Compared:
    launches = [
        {
            "scenario": "bench_decode[tiny]",
            "arms": {"moe": [[1.0, 3.0], [2.0 - number, 4.0 - number]], "anchor": [[1.0], [1.0]]},
            "is_placebo": number == 1, "number": number, "metric": "tpot_s", "params": {"scale": "tiny"},
        }
        for number in range(2)
    ]  # fmt: skip
    moved = {"control": "moe/base", "log_ratio": 0.4, "said": "+49.2 %", "bound": "5.0 %", "verdict": "REGRESSED"}
    verdicts = [{"scenario": "bench_decode[tiny]", "verdict": "REGRESSED", "where": "MoE", "changes": [moved]}]
    sides = {"base": {"commit": "a" * 40}, "head": {"commit": "b" * 40, "is_dirty": True}}
    return checked({**sides, "launches": launches, "verdicts": verdicts, **fields}, Compared)


def test_what_ab_left_shows_heads_value_and_both_sides_blocks() -> None:
    (one,) = of_comparison(compared(), 3)
    moe = one.arms[0]
    assert (one.verdict, one.source, one.axes) == ("REGRESSED", 3, {"scale": "tiny"})
    assert moe.value == 3.0  # of the real launch; the other has base on both sides
    assert moe.change == "+49.2 %"
    assert [(found.id, found.side, found.samples) for found in moe.launches] == [
        ("1", "base", [1.0, 3.0]),
        ("1", "head", [2.0, 4.0]),
        ("2 (base twice)", "base", [1.0, 3.0]),
        ("2 (base twice)", "head", [1.0, 3.0]),
    ]


def test_groups_and_what_was_never_measured_are_rows_too() -> None:
    group = {"scenario": "suite", "verdict": "OK"}
    failed = {"scenario": "bench_x", "verdict": "FAILED", "why": "it raised"}
    found = of_comparison(compared(groups=[group], verdicts=[failed]), 0)
    assert [(one.id, one.verdict, one.why) for one in found] == [
        ("bench_decode[tiny]", "", ""),
        ("bench_x", "FAILED", "it raised"),
        ("suite", "OK", ""),
    ]


def test_a_verdict_that_there_is_not_breaks_the_form() -> None:
    with pytest.raises(DocumentError, match="verdict"):
        compared(verdicts=[{"scenario": "x", "verdict": "FINE"}])


def test_metrics_come_with_unit_and_formula() -> None:
    found = metrics_of(of_record(Record.from_document(document()), 0, {}))
    assert set(found) == {"tpot_s", "output_tok_per_s"}
    assert found["tpot_s"]["unit"] == "s"
    assert "output tokens - 1" in found["tpot_s"]["formula"]
