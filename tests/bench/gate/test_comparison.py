"""Tests of finding a run's counterparts in the baseline: present, missing, excluded, of another machine, corrupt."""

from pathlib import Path
from typing import Any

import pytest

from bench.gate.comparison import Selection, judge_one, missing_scenarios, open_baseline
from bench.gate.verdict import Verdict
from bench.harness import record
from bench.harness.environment import kind_key
from tests.bench.sample_records import BASELINE_NAME, FINGERPRINT, document, opened_baseline, scenario

KIND = kind_key(FINGERPRINT)
OTHER_KIND = {**KIND, "device_model": "another CPU"}
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
    found = judge_one("bench_x[new]", scenario(ONE, name="bench_x[new]"), baseline_of())
    assert (found.verdict, found.why) == (Verdict.NEW, "the baseline does not have it")


def test_throughput_is_worse_when_it_is_lower() -> None:
    fields: dict[str, Any] = {"name": "t", "metric": "output_tok_per_s"}
    base = opened_baseline(scenario(*[ONE] * 8, **fields))
    less = scenario(*[{**ONE, "moe": 0.001}] * 3, **fields)
    more = scenario(*[{**ONE, "moe": 0.004}] * 3, **fields)
    assert judge_one("t", less, base, confirmed=True).verdict is Verdict.REGRESSED
    assert judge_one("t", more, base, confirmed=True).verdict is Verdict.IMPROVED


@pytest.fixture
def baselines(tmp_path: Path) -> Path:
    record.write(tmp_path / BASELINE_NAME, record.merge([document(f"l{i}") for i in range(8)]))
    return tmp_path


def test_the_baseline_of_this_kind_of_machine_is_found(baselines: Path) -> None:
    found = open_baseline(baselines, None, KIND, FINGERPRINT)
    assert found.verdict is None
    assert found.path == baselines / BASELINE_NAME
    assert found.same_fingerprint
    assert set(found.pooled) == {"timed:arm", "timed:anchor"}


@pytest.mark.parametrize(("name", "other"), [("os", "Linux 99"), ("transformers", "5.24.0"), ("python", "3.13.0")])
def test_another_kernel_or_software_is_the_same_kind_but_not_the_same_fingerprint(
    baselines: Path, name: str, other: str
) -> None:
    found = open_baseline(baselines, None, KIND, {**FINGERPRINT, name: other})
    assert (found.verdict, found.same_fingerprint) == (None, False)


def test_another_kind_of_machine_is_missing_when_searched(baselines: Path) -> None:
    found = open_baseline(baselines, None, OTHER_KIND, FINGERPRINT)
    assert found.verdict is Verdict.MISSING
    assert "python -m bench promote" in found.why


def test_another_kind_of_machine_is_not_comparable_when_named(baselines: Path) -> None:
    found = open_baseline(baselines, baselines / BASELINE_NAME, OTHER_KIND, FINGERPRINT)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "device_model: Acme(R) Core 6-1-2 avx2 / another CPU" in found.why


@pytest.mark.parametrize("named", [True, False])
def test_a_truncated_baseline_is_corrupt(baselines: Path, named: bool) -> None:
    path = baselines / BASELINE_NAME
    path.write_bytes(path.read_bytes()[:-100])
    found = open_baseline(baselines, path if named else None, KIND, FINGERPRINT)
    assert (found.verdict, found.record) == (Verdict.CORRUPT, None)
    assert str(path) in found.why


def test_a_named_file_that_does_not_exist_is_missing(tmp_path: Path) -> None:
    found = open_baseline(tmp_path, tmp_path / "absent.json", KIND, FINGERPRINT)
    assert found.verdict is Verdict.MISSING
    assert "absent.json does not exist" in found.why


def test_one_launch_has_no_spread_to_judge_by(tmp_path: Path) -> None:
    record.write(tmp_path / "single.json", document())
    found = open_baseline(tmp_path, tmp_path / "single.json", KIND, FINGERPRINT)
    assert found.verdict is Verdict.MISSING
    assert "must hold two launches or more" in found.why
