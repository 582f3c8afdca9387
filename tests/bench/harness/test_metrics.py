"""Tests of the table of metrics."""

import pytest

from bench.harness.metrics import DISPLAYS, E2E, LATENCY, METRICS, PEAK_BYTES, TPOT, TTFT, metric


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("tpot_s", 4.56e-5, "45.6 µs"),
        ("tpot_s", 0.01234, "12.3 ms"),
        ("e2e_s", 2.5, "2.50 s"),
        ("peak_bytes", 3 * 2**30, "3.00 GiB"),
        ("peak_bytes", 512 * 2**20, "512 MiB"),
        ("output_tok_per_s", 12345.6, "12,346 tok/s"),
        ("req_per_s", 0.5, "0.500 req/s"),
        ("req_per_s", 0.012345, "0.0123 req/s"),
        ("req_per_s", 0.0, "0.00 req/s"),
        ("mfu", 0.416, "41.6 %"),
    ],
)
def test_display_scales_to_what_people_read(name: str, value: float, text: str) -> None:
    assert metric(name).display(value) == text


def test_unknown_metric_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"metric must be one of ttft_s, tpot_s.*got 'speed'"):
        metric("speed")


def test_every_metric_is_found_by_its_name_and_can_be_shown() -> None:
    for name, found in METRICS.items():
        assert found.name == name
        assert found.formula
        assert found.label
        assert found.unit in DISPLAYS
        assert found.display(1.0)


def test_rates_are_better_higher_and_seconds_and_bytes_lower() -> None:
    for found in METRICS.values():
        expected = "lower" if found.unit in ("s", "byte", "J/tok") else "higher"
        assert found.better == expected, found.name


def test_constants_are_the_tables_entries() -> None:
    names = ["ttft_s", "tpot_s", "e2e_s", "latency_s", "peak_bytes"]
    assert [m.name for m in (TTFT, TPOT, E2E, LATENCY, PEAK_BYTES)] == names
