"""Tests of what several devices saw, joined: by hand, from two devices and one round after the warm-up."""

import pytest

from bench.distributed.seen import NUM_DECODE_STEPS, STEPS, WARMUP_ROUNDS, Seen, join_devices
from moevlm.parallel import Exchange, Traffic


def exchange(device: int, leg: str, sent_rows: int, time_s: float) -> Exchange:
    rows_N = (sent_rows, 0) if device else (0, sent_rows)
    return Exchange(
        device=device, layer=0, leg=leg, sent_rows_N=rows_N, received_rows_N=rows_N, row_bytes=10, time_s=time_s
    )


def seen(device: int, *, seconds: float, dispatch_s: float, sent_rows: int, pairs: list[int]) -> Seen:
    """Return what a device saw of as many rounds as are left out, and of one that counts."""
    exchanges = [exchange(device, "dispatch", sent_rows, dispatch_s), exchange(device, "combine", 1, 0.5)]
    rounds = [Traffic()] * WARMUP_ROUNDS + [Traffic(exchanges=exchanges, pairs=pairs)]
    times_s = [99.0] * WARMUP_ROUNDS + [seconds]
    return Seen(msi=0.5, rate=0.25, times_s=dict.fromkeys(STEPS, times_s), traffic=dict.fromkeys(STEPS, rounds))


DEVICES = [
    seen(0, seconds=2.0, dispatch_s=1.0, sent_rows=3, pairs=[6, 1]),
    seen(1, seconds=4.0, dispatch_s=0.25, sent_rows=5, pairs=[2, 1]),
]


def test_a_pass_lasts_until_the_slowest_device_is_done_and_the_warm_up_is_left_out() -> None:
    assert join_devices(DEVICES, "prefill").times_s == [4.0]


def test_legs_are_those_of_the_device_that_spends_most_in_exchanges() -> None:
    legs_s = join_devices(DEVICES, "prefill").legs_s
    assert legs_s == {"count": [0.0], "dispatch": [1.0], "combine": [0.5], "share": [0.0]}


def test_bytes_add_up_and_load_is_compared_layer_by_layer() -> None:
    facts = join_devices(DEVICES, "prefill").facts
    assert facts == {
        "sent_bytes_count": 0.0, "sent_bytes_dispatch": 80.0, "sent_bytes_combine": 20.0, "sent_bytes_share": 0.0,
        "load_max_over_mean": pytest.approx((6 / 4 + 1) / 2), "msi": 0.5, "cross_device_rate": 0.25,
    }  # fmt: skip


def test_decode_is_told_a_step_and_has_no_figures_of_the_prompt() -> None:
    found = join_devices(DEVICES, "decode")
    assert found.legs_s["dispatch"] == [1.0 / NUM_DECODE_STEPS]
    assert found.facts["sent_bytes_dispatch"] == 80.0 / NUM_DECODE_STEPS
    assert not {"msi", "cross_device_rate"} & found.facts.keys()
