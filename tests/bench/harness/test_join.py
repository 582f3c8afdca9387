"""Tests of joining the records of one run's workers."""

from pathlib import Path
from typing import Any

import pytest

from bench.harness.record import Record, join, read, write
from tests.bench.sample_records import SCENARIOS, changed, document

STARTED = "2026-01-01T00:00:00+00:00"


def worker(scenario: str, **header: Any) -> dict[str, Any]:
    """Return the record of a worker that measured one of the two scenarios."""
    launch = {"id": "run", "started": STARTED, "sees_throttling": True, "load_average": [0.1]}
    whole = document("run", **{"launch": launch, "failed": [], "filtered": False, **header})
    own = [entry for entry in whole["benchmarks"] if entry["extra_info"]["moevlm"]["scenario"] == scenario]
    return {**whole, "benchmarks": own}


def test_scenarios_stand_in_the_order_asked_for_whoever_measured_them() -> None:
    second, first = worker(SCENARIOS[1]), worker(SCENARIOS[0])
    joined = Record.from_document(join([second, first], SCENARIOS))
    assert list(joined.scenarios) == list(SCENARIOS)
    assert all(scenario.launch_ids == ("run",) for scenario in joined.scenarios.values())
    assert all(list(scenario.arms) == ["moe", "dense", "anchor"] for scenario in joined.scenarios.values())


def test_the_joined_record_is_sealed(tmp_path: Path) -> None:
    write(tmp_path / "run.json", join([worker(SCENARIOS[0]), worker(SCENARIOS[1])], SCENARIOS))
    assert read(tmp_path / "run.json")["moevlm"]["launch"]["id"] == "run"


def test_peaks_are_the_median_and_what_went_wrong_is_gathered() -> None:
    peaks = [{"matmul_flop_per_s": value, "copy_byte_per_s": 1.0} for value in (1.0, 2.0, 9.0)]
    parts = [
        worker(SCENARIOS[0], peaks=peaks[0], failed=["a"]),
        worker(SCENARIOS[1], peaks=peaks[1], filtered=True, wrong=[{"scenario": "c", "why": "w"}], complete=False),
        {**worker(SCENARIOS[0], peaks=peaks[2], not_fitting=[{"scenario": "b"}]), "benchmarks": []},
    ]
    header = join(parts, SCENARIOS)["moevlm"]
    assert header["peaks"]["matmul_flop_per_s"] == 2.0
    assert (header["failed"], header["filtered"], header["not_fitting"]) == (["a"], True, [{"scenario": "b"}])
    assert header["wrong"] == [{"scenario": "c", "why": "w"}]
    assert len(header["launch"]["workers"]) == 3


@pytest.mark.parametrize("spent", ["check_s", "timed_s"])
def test_workers_check_and_time_at_the_same_time_so_the_longest_counts(spent: str) -> None:
    parts = [
        worker(SCENARIOS[i], launch={"id": "run", "started": STARTED, "sees_throttling": True, spent: i + 1.0})
        for i in (0, 1)
    ]
    assert join(parts, SCENARIOS)["moevlm"]["launch"][spent] == 2.0


def test_gpus_of_one_model_are_both_named_so_that_the_record_is_no_single_ones() -> None:
    first, second = worker(SCENARIOS[0]), worker(SCENARIOS[1])
    for part, uuid in ((first, "GPU-b"), (second, "GPU-a")):
        part["moevlm"]["fingerprint"] = {**part["moevlm"]["fingerprint"], "gpu_uuid": uuid}
    assert join([first, second], SCENARIOS)["moevlm"]["fingerprint"]["gpu_uuid"] == "GPU-a + GPU-b"


def test_devices_of_two_kinds_are_refused() -> None:
    other = changed(worker(SCENARIOS[1]), "moevlm", "kind", "device_model", value="Acme 1")
    with pytest.raises(ValueError, match=r"devices of one run must be of one kind, got device_model: .* / Acme 1"):
        join([worker(SCENARIOS[0]), other], SCENARIOS)
