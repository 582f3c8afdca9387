"""Tests of the programs that measure expert parallelism: what they print and write, on two processes."""

import contextlib
import json
from pathlib import Path

import pytest

from bench.distributed import link, parallel
from moevlm.expected_routing import uniform_cross_device_rate
from tests.moevlm.device_processes import run_devices

pytestmark = pytest.mark.long

SMALL = ["--depth", "1", "--batch-size", "2", "--seq-len", "48", "--rounds", "1"]


def run_parallel(folder: Path, device: int) -> None:
    with (folder / f"said{device}").open("w") as said, contextlib.redirect_stdout(said):
        parallel.main([*SMALL, "--gigabit", "10", "--latency-us", "1", "--out", str(folder / "seen.json")])


def run_link(folder: Path, device: int) -> None:
    with (folder / f"said{device}").open("w") as said, contextlib.redirect_stdout(said):
        link.main(["--preset", "tiny"])


def test_every_arm_is_measured_in_both_phases_and_device_0_alone_prints(tmp_path: Path) -> None:
    assert run_devices(tmp_path, 2, run_parallel) == [0, 0], (tmp_path / "error0").read_text()
    printed = (tmp_path / "said0").read_text()
    assert (tmp_path / "said1").read_text() == ""
    seen = json.loads((tmp_path / "seen.json").read_text())
    by_arm = {(one["phase"], one["arm"]): one for one in seen["arms"]}
    assert set(by_arm) == {(phase, arm) for phase in ("prefill", "decode") for arm in parallel.ARMS}
    for (phase, arm), one in by_arm.items():
        assert f"| {phase} " in printed
        assert f"| {arm} " in printed
        assert len(one["times_s"]) == 1
        assert 1 <= one["load_max_over_mean"] <= 2
    # 2 x 48 rows of bytes: 64 floats, and both choices' ids and weights; 2 counts
    rate = by_arm["prefill", "uniform, in order"]["cross_device_rate"]
    sent = by_arm["prefill", "uniform, in order"]["sent_bytes"]
    assert rate == pytest.approx(uniform_cross_device_rate(8, 2, 2), abs=0.15)
    assert sent["dispatch"] == round(rate * 96) * (64 * 4 + 2 * (4 + 4))
    assert sent["combine"] == round(rate * 96) * 64 * 4
    assert (sent["count"], sent["share"]) == (2 * 8, 96 * 64 * 4)
    bins = by_arm["prefill", "bins"]
    assert bins["cross_device_rate"] < rate
    assert bins["sent_bytes"]["dispatch"] < sent["dispatch"]


def test_a_link_is_measured_and_what_others_would_cost_is_called_predicted(tmp_path: Path) -> None:
    assert run_devices(tmp_path, 2, run_link) == [0, 0], (tmp_path / "error0").read_text()
    printed = (tmp_path / "said0").read_text()
    assert printed.startswith("Measured on 2 devices, and the fit: ")
    assert "Predicted, tiny, uniform routing, bfloat16, batch 1 on each device, length 1024: ms in exchanges" in printed
    assert "2 devices" in printed
    assert "8 devices" in printed
    assert "16 devices" not in printed  # more than the preset's experts
