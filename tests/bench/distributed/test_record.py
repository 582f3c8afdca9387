"""Tests of records of several processes: the harness reads, promotes and compares them as any other."""

import datetime
from pathlib import Path

import pytest
import torch

from bench import __main__ as commands
from bench.distributed import record as distributed_record
from bench.distributed.parallel import shown
from bench.distributed.record import Measured, document_of
from bench.harness.metrics import TTFT
from bench.harness.record import load, write
from bench.harness.run import Launched
from bench.pages.layers.devices import device_rows

SCENARIO = "bench_parallel[tiny-mmmu-specialized4-b2-s48-n2-modality-prefill]"
PARAMS = {
    "scale": "tiny", "workload": "mmmu", "routing": "specialized:4", "batch_size": 2, "seq_len": 48, "num_devices": 2,
    "home": "modality", "link": "10gbit", "phase": "prefill",
}  # fmt: skip
FACTS = {
    "msi": 0.9, "cross_device_rate": 0.15, "load_max_over_mean": 1.5, "sent_bytes_count": 1024.0,
    "sent_bytes_dispatch": 2048.0, "sent_bytes_combine": 1024.0, "sent_bytes_share": 512.0,
}  # fmt: skip
SAMPLES = {
    "moe": [1.0] * 6, "in_order": [2.0] * 6, "moe/dispatch": [0.25] * 6, "moe/combine": [0.5] * 6,
    "in_order/dispatch": [0.5] * 6, "anchor": [0.1] * 6,
}  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed_record, "pytest_benchmark_generate_machine_info", dict)


def written(folder: Path, launch: int = 0, *, slowdown: float = 1.0) -> Path:
    samples = {arm: [value * (slowdown if arm.startswith("moe") else 1.0) for value in SAMPLES[arm]] for arm in SAMPLES}
    one = Measured(
        scenario=SCENARIO, params=PARAMS, metric=TTFT, num_units=1, rates={"prefill_tok_per_s": 96.0}, anchor="matmul",
        hashes={"workload": "w", "routing": "r"}, samples=samples,
        facts={"moe": FACTS, "in_order": {**FACTS, "cross_device_rate": 0.99}},
    )  # fmt: skip
    document = document_of(
        [one], launched=Launched(f"l{launch}", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)),
        device=torch.device("cpu"), dtype=torch.float32, load_before=[0.0], options={"preset": "tiny"},
    )  # fmt: skip
    path = folder / f"{launch}.json"
    write(path, document)
    return path


def test_every_arm_is_there_with_its_own_facts_and_the_moes_entry_bears_the_scenarios_name(tmp_path: Path) -> None:
    path = written(tmp_path)
    (scenario,) = load(path).scenarios.values()
    assert {arm: list(one.launches[0].samples) for arm, one in scenario.arms.items()} == SAMPLES
    assert scenario.arms["in_order"].facts["cross_device_rate"] == 0.99
    assert scenario.arms["moe"].facts["cross_device_rate"] == 0.15
    assert f'"name": "{SCENARIO}"' in path.read_text()
    assert f'"name": "{SCENARIO}:in_order"' in path.read_text()


def test_eight_launches_make_a_baseline_and_another_is_compared_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launches = [str(written(tmp_path, number)) for number in range(8)]
    folder = f"--baselines={tmp_path / 'two-devices'}"
    assert commands.main(["promote", *launches, "--reason=first", folder]) == 0
    assert commands.main(["compare", str(written(tmp_path, 8)), folder]) == 0
    assert commands.main(["compare", *(str(written(tmp_path, 9 + n, slowdown=1.5)) for n in range(4)), folder]) == 10
    said = capsys.readouterr().out
    assert f"{SCENARIO}: REGRESSED" in said
    assert "MISSING" not in said


def test_rows_hold_what_devices_spent_and_sent(tmp_path: Path) -> None:
    moe, in_order = device_rows([load(written(tmp_path))])
    assert (moe.params, moe.arm, moe.routing, moe.msi) == (PARAMS, "moe", "specialized:4", 0.9)
    assert (moe.seconds, in_order.seconds) == ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0))
    assert (moe.in_order_over_arm, in_order.in_order_over_arm) == ((2.0, 2.0, 2.0), None)
    assert (moe.exchanging_s, in_order.exchanging_s) == (0.75, 0.5)
    assert (moe.sent_bytes, moe.shared_bytes) == (4096.0, 512.0)
    assert (moe.cross_device_rate, in_order.cross_device_rate, moe.load_max_over_mean) == (0.15, 0.99, 1.5)


def test_the_terminal_shows_each_arm_beside_experts_in_order(tmp_path: Path) -> None:
    _, _, moe, in_order = shown(load(written(tmp_path))).splitlines()
    assert [cell.strip() for cell in moe.strip("|").split("|")] == [
        *(
            "prefill",
            "moe",
            "1.00 s [1.00 s, 1.00 s]",
            "2.00x [2.00, 2.00]",
            "750 ms",
            "4.00 KiB",
            "0.500 KiB",
            "15.0 %",
        ),
        "1.50",
    ]
    assert "99.0 %" in in_order
