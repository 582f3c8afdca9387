"""Tests of a record's lists of entries: what other tools find in the one that they read is seconds, of one clock."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from bench.harness.record import KEY, Record, arm_entry, entries_of, join, merge, parted, read, seal, write
from tests.bench.other_tools import bencher_pytest, github_pytest
from tests.bench.sample_records import DENSE, MOE, SCENARIOS, document, primary_entry

ROOT = Path(__file__).parents[3]
MEASURED = ROOT / "docs" / "records" / "grid-decode-cpu.json"  # older than the second list
MEMORY = "bench_memory[tiny-b1]"
NUM_UNITS = 32


def counted(scenario: str = MEMORY, value: float = 5e7) -> list[dict[str, Any]]:
    """Return the entries of a scenario whose bytes were counted, as pytest-benchmark timed the counting."""
    primary = primary_entry(scenario, "launch-0", (value,))
    primary["extra_info"][KEY] |= {"metric": "peak_bytes", "num_units": 1, "anchor": None, "rates": {}, "cost": None}
    return [
        primary,
        arm_entry(primary, arm="dense", launches=[{"id": "launch-0", "samples": [2 * value], "voided": 0}]),
    ]


def with_memory(whole: dict[str, Any] | None = None) -> dict[str, Any]:
    return seal({**document(), **parted([*entries_of(whole or document()), *counted()])})


def as_before(whole: dict[str, Any]) -> dict[str, Any]:
    """Return a document as it was written before there were two lists."""
    entries = [{**entry, "stats": entry.get("stats", {"mean": 1.0})} for entry in entries_of(whole)]
    return seal({key: value for key, value in {**whole, "benchmarks": entries}.items() if key != "counted"})


def test_every_arm_is_seconds_of_a_call_by_its_samples_whatever_pytest_benchmark_timed() -> None:
    entries = entries_of(document())
    entries[0]["stats"] = {"mean": 7.0, "median": 7.0, "ops": 1 / 7.0, "stddev": 0.0, "iqr": 0.0}  # raw wall time
    text = json.dumps(parted(entries))
    for arm, samples in ((SCENARIOS[0], MOE), (f"{SCENARIOS[0]}:dense", DENSE)):
        name = f"bench/bench_tiny.py::{arm}"
        mean = NUM_UNITS * statistics.fmean(samples)
        assert github_pytest(text)[name].value == pytest.approx(1 / mean)
        assert bencher_pytest(text)[name].value == pytest.approx(1e9 * mean)
        assert bencher_pytest(text, "median")[name].value == pytest.approx(1e9 * NUM_UNITS * statistics.median(samples))


def test_bytes_and_accuracies_are_no_seconds_of_anyones() -> None:
    whole = with_memory()
    assert not any(MEMORY in name for name in (*github_pytest(json.dumps(whole)), *bencher_pytest(json.dumps(whole))))
    assert [entry["name"] for entry in whole["counted"]] == [MEMORY, f"{MEMORY}:dense"]
    assert not any("stats" in entry for entry in whole["counted"])


def test_the_winner_of_a_measured_record_is_the_same_for_other_tools_as_for_us() -> None:
    """In the file as it was written, other tools saw the MoE's raw wall time beside the dense arm's of our clock."""
    old = read(MEASURED)
    new = {**old, **parted(entries_of(old))}
    record = Record.from_document(old)
    timed = [one for one in record.scenarios.values() if {"moe", "dense"} <= set(one.arms) and one.arms["moe"].anchor]

    def turned(whole: dict[str, Any]) -> int:
        found = github_pytest(json.dumps(whole))
        ops = {entry["name"]: found[entry["fullname"]].value for entry in whole["benchmarks"]}
        return sum((ops[one.id] > ops[f"{one.id}:dense"]) != _moe_wins(one.arms) for one in timed)

    assert turned(old) > 0
    assert turned(new) == 0


def _moe_wins(arms: Any) -> bool:
    moe, dense = (
        statistics.fmean(sample for one in arms[arm].launches for sample in one.samples) for arm in ("moe", "dense")
    )
    return moe < dense


def test_both_lists_are_read_as_one_record_and_so_are_old_ones(tmp_path: Path) -> None:
    for name, whole in {"new": with_memory(), "old": as_before(with_memory())}.items():
        write(tmp_path / name, whole)
        scenarios = Record.from_document(read(tmp_path / name)).scenarios
        assert list(scenarios) == [*SCENARIOS, MEMORY]
        assert scenarios[MEMORY].arms["dense"].launches[0].samples == (1e8,)


def test_old_and_new_records_merge_into_one_with_two_lists() -> None:
    second = json.loads(json.dumps(with_memory()).replace("launch-0", "launch-1"))
    merged = merge([as_before(with_memory()), seal(second)])
    assert [entry["name"] for entry in merged["counted"]] == [MEMORY, f"{MEMORY}:dense"]
    view = Record.from_document(merged)
    assert view.scenarios[MEMORY].arms["moe"].launches[1].samples == (5e7,)
    assert view.scenarios[SCENARIOS[0]].launch_ids == ("launch-0", "launch-1")


def test_records_of_workers_join_with_what_both_have_counted() -> None:
    header = {"launch": {"id": "launch-0", "started": "2026-01-01T00:00:00+00:00", "sees_throttling": True}}
    plain = document(**header, failed=[], filtered=False)
    joined = join([plain, {**plain, **parted(counted())}], [*SCENARIOS, MEMORY])
    assert list(Record.from_document(joined).scenarios) == [*SCENARIOS, MEMORY]


def test_an_arm_of_a_counted_scenario_is_there_once() -> None:
    twice = {**with_memory(), "counted": [*counted(), *counted()]}
    with pytest.raises(ValueError, match=r"counted\[2\] must hold an arm of a scenario once"):
        Record.from_document(twice)


def test_a_test_that_is_no_scenario_of_ours_stays_as_it_is() -> None:
    plain = {"name": "test_sum", "extra_info": {}, "stats": {"mean": 1.0}}
    assert parted([plain]) == {"benchmarks": [plain], "counted": []}
