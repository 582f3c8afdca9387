"""Tests of finding a run's counterparts in the baseline: present, missing, excluded."""

from typing import Any

import pytest

from bench.gate.comparison import Selection, judge_one, missing_scenarios
from bench.gate.verdict import Verdict
from tests.bench.sample_records import opened_baseline, scenario

ONE = {"moe": 0.002, "dense": 0.001, "anchor": 0.0005}


def baseline_of(**params: Any) -> Any:
    return opened_baseline(scenario(*[ONE] * 8, name="bench_decode[tiny-b1]", params={"scale": "tiny", **params}))


def selection(**fields: Any) -> Selection:
    return Selection(**{"collected": (), "functions": None, "axes": {"scale": ["tiny"]}, "whole": True, **fields})


def missing(**fields: Any) -> list[str]:
    return [verdict.scenario for verdict in missing_scenarios(baseline_of(), selection(**fields))]


def test_a_scenario_that_only_the_baseline_has_is_missing() -> None:
    found = missing_scenarios(baseline_of(), selection())
    assert [(v.scenario, v.verdict) for v in found] == [("bench_decode[tiny-b1]", Verdict.MISSING)]
    assert "renamed or removed" in found[0].why


@pytest.mark.parametrize(
    "fields",
    [
        {"collected": ["bench_decode[tiny-b1]"]},
        {"axes": {"scale": ["7b"]}},
        {"functions": ["bench_prefill"]},
        {"whole": False},
    ],
    ids=["collected, then -k", "another scale", "another file", "node ids"],
)
def test_what_the_users_options_exclude_is_not_missing(fields: dict[str, Any]) -> None:
    assert missing(**fields) == []


def test_a_scenario_gone_from_a_file_that_was_named_is_missing() -> None:
    assert missing(functions=["bench_decode"]) == ["bench_decode[tiny-b1]"]


def test_an_axis_of_other_scenarios_excludes_nothing() -> None:
    assert missing(axes={"scale": ["tiny"], "num_tokens": ["4"]}) == ["bench_decode[tiny-b1]"]


def test_numbers_on_the_command_line_match_numbers_in_the_record() -> None:
    excluded = missing_scenarios(baseline_of(batch_size=8), selection(axes={"batch_size": ["1"]}))
    asked_for = missing_scenarios(baseline_of(batch_size=8), selection(axes={"batch_size": ["1", "8"]}))
    assert (excluded, len(asked_for)) == ([], 1)


def test_a_scenario_that_the_baseline_lacks_is_new() -> None:
    found = judge_one(scenario(ONE, name="bench_x[new]"), baseline_of())
    assert (found.verdict, found.why) == (Verdict.NEW, "the baseline does not have it")


def test_throughput_is_worse_when_it_is_lower() -> None:
    fields: dict[str, Any] = {"name": "t", "metric": "output_tok_per_s"}
    base = opened_baseline(scenario(*[ONE] * 8, **fields))
    less = scenario(*[{**ONE, "moe": 0.001}] * 3, **fields)
    more = scenario(*[{**ONE, "moe": 0.004}] * 3, **fields)
    assert judge_one(less, base, confirmed=True).verdict is Verdict.REGRESSED
    assert judge_one(more, base, confirmed=True).verdict is Verdict.IMPROVED
