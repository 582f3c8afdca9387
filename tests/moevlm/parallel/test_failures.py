"""Tests of what devices say when one of them dies, hangs, or was never started."""

import os
import re
import signal
from pathlib import Path

import pytest
import torch

from moevlm.generation import decode_steps, prefill
from moevlm.parallel import Group, joined, parallelize
from moevlm.smoes.placement import place_in_order
from tests.moevlm.parallel.device_processes import NUM_LAYERS, SmallModel, run_devices

pytestmark = pytest.mark.long

SHORT_S, LONG_S = 2.0, 100.0  # what a hanging device costs, and more than a dead one may
BAD_DEVICE = 1


def decode_while_one_is(signal_number: signal.Signals, device: int, *, timeout_s: float) -> None:
    """Decode on all devices; after the first step one of them gets a signal."""
    with joined("cpu", timeout_s=timeout_s):
        group, model = Group(), SmallModel(num_experts=12).build()
        parallelize(model, group, [place_in_order(12, group.num_devices)] * NUM_LAYERS)
        state = prefill(model, {"input_ids": torch.ones(1, 6, dtype=torch.int64)}, max_new_tokens=50)
        state = decode_steps(model, state, num_steps=1)
        if device == BAD_DEVICE:
            os.kill(os.getpid(), signal_number)
        decode_steps(model, state, num_steps=40)


def one_dies(_folder: Path, device: int) -> None:
    decode_while_one_is(signal.SIGKILL, device, timeout_s=LONG_S)


def one_hangs(_folder: Path, device: int) -> None:
    decode_while_one_is(signal.SIGSTOP, device, timeout_s=SHORT_S)


def test_a_killed_device_ends_all_others_with_an_error_at_once(tmp_path: Path) -> None:
    assert run_devices(tmp_path, 3, one_dies) == [1, -signal.SIGKILL, 1]
    for device in (0, 2):
        said = (tmp_path / f"error{device}").read_text()
        assert re.search(
            rf"RuntimeError: the (count|dispatch|combine) of MoE layer [01] must reach all 3 devices, got on device "
            rf"{device}: .*by peer.*; look at the log of the device that failed first",
            said,
            re.DOTALL,
        ), said


def test_a_hanging_device_ends_the_others_after_the_timeout(tmp_path: Path) -> None:
    assert run_devices(tmp_path, 2, one_hangs, grace_s=0) == [1, -signal.SIGKILL]
    assert re.search(
        rf"must reach all 2 devices, got on device 0: .*[Tt]imed? ?out.*{SHORT_S * 1000:.0f}ms",
        (tmp_path / "error0").read_text(),
        re.DOTALL,
    )


def test_a_process_that_torchrun_did_not_start_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(ValueError, match="must have LOCAL_RANK, got none; start it with torchrun"), joined("cpu"):
        pass


def test_an_unknown_kind_of_device_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of cpu, cuda, got 'tpu'; choose"), joined("tpu"):
        pass
