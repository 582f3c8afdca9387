"""Tests of the programs that measure expert parallelism: what they print and write, on two processes."""

import contextlib
from pathlib import Path

import pytest

from bench.distributed import link, parallel
from bench.distributed.arms import ARMS
from bench.distributed.seen import STEPS
from bench.harness.record import load
from moevlm.parallel.all_to_all import LEGS
from moevlm.steering.expected_routing import uniform_remote_devices
from tests.moevlm.parallel.device_processes import run_devices

pytestmark = pytest.mark.long

SMALL = ["--depth", "1", "--batch-size", "2", "--seq-len", "48", "--rounds", "1"]


def run_parallel(folder: Path, device: int) -> None:
    with (folder / f"said{device}").open("w") as said, contextlib.redirect_stdout(said):
        parallel.main([*SMALL, "--gigabit", "10", "--latency-us", "1", "--record", str(folder / "record.json")])


def run_link(folder: Path, device: int) -> None:
    with (folder / f"said{device}").open("w") as said, contextlib.redirect_stdout(said):
        link.main(["--scale", "tiny"])


def test_every_arm_is_measured_in_both_phases_and_device_0_alone_prints_and_writes(tmp_path: Path) -> None:
    assert run_devices(tmp_path, 2, run_parallel) == [0, 0], (tmp_path / "error0").read_text()
    printed = (tmp_path / "said0").read_text()
    assert (tmp_path / "said1").read_text() == ""
    scenarios = load(tmp_path / "record.json").scenarios
    ids = {phase: f"bench_parallel[tiny@1-mmmu-specialized4-b2-s48-n2-modality-10gbit+1us-{phase}]" for phase in STEPS}
    assert list(scenarios) == list(ids.values())
    for name, scenario in scenarios.items():
        assert {"moe", "in_order", "copy_an_expert", "uniform", "anchor"} <= scenario.arms.keys()
        for arm in ARMS:
            assert f"| {arm} " in printed
            whole, facts = scenario.arms[arm].launches[0].samples, scenario.arms[arm].facts
            legs = [scenario.arms[f"{arm}/{leg}"].launches[0].samples[0] for leg in LEGS]
            assert len(whole) == 1, name
            assert 0 < sum(legs) <= whole[0], name
            assert 1 <= facts["load_max_over_mean"] <= 2
    # 2 x 48 rows of bytes: 64 floats, and both choices' ids and weights; 2 counts
    uniform, bins = (scenarios[ids["prefill"]].arms[arm].facts for arm in ("uniform", "moe"))
    rate = uniform["cross_device_rate"]
    assert rate == pytest.approx(uniform_remote_devices(8, 2, 2), abs=0.15)  # of two devices, one is remote
    assert uniform["sent_bytes_dispatch"] == round(rate * 96) * (64 * 4 + 2 * (4 + 4))
    assert uniform["sent_bytes_combine"] == round(rate * 96) * 64 * 4
    assert (uniform["sent_bytes_count"], uniform["sent_bytes_share"]) == (2 * 8, 96 * 64 * 4)
    assert bins["cross_device_rate"] < rate
    assert bins["sent_bytes_dispatch"] < uniform["sent_bytes_dispatch"]
    assert bins["msi"] > uniform["msi"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--routing", "none"], "routing profile must be one of weights, uniform,"),
        (["--scale", "8b"], "invalid choice: '8b'"),
        (["--rounds", "0"], "must be a whole number of at least 1, got '0'"),
    ],
)
def test_wrong_options_end_before_anything_starts(
    wrong: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parallel.main(wrong)
    assert said in capsys.readouterr().err


def test_a_link_is_measured_and_what_others_would_cost_is_called_predicted(tmp_path: Path) -> None:
    assert run_devices(tmp_path, 2, run_link) == [0, 0], (tmp_path / "error0").read_text()
    printed = (tmp_path / "said0").read_text()
    assert printed.startswith("Measured on 2 devices, and the fit: ")
    assert "Predicted, tiny, uniform routing, bfloat16, batch 1 on each device, length 1024: ms in exchanges" in printed
    assert "2 devices" in printed
    assert "8 devices" in printed
    assert "16 devices" not in printed  # more than the preset's experts
