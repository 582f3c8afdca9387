"""Tests of links: a paced one under a clock of ours, and the fitted model against known links."""

import pytest
import torch

from moevlm.parallel import Exchange, PacedLink, Traffic
from moevlm.parallel.link_model import LinkModel, fit_link, predicted_pass_s


class FakeTime:
    """A clock that only moves when something lasts."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.now_s += duration_s


def paced(time: FakeTime, real_s: float = 0.0, **options: float) -> PacedLink:
    """Make device 1's link of 1,000 bytes/s over one that needs `real_s`; meeting the others takes 5 s."""

    def link(received: torch.Tensor, sent: torch.Tensor, come: list[int], go: list[int]) -> None:
        time.now_s += real_s
        received.copy_(sent[: len(received)])

    def meet() -> None:
        time.now_s += 5.0

    options = {"bytes_per_s": 1000.0, **options}
    return PacedLink(1, link=link, meet=meet, clock=time.clock, sleep=time.sleep, **options)


@pytest.mark.parametrize(
    ("come", "go", "bytes_"),
    [([2, 9, 0], [3, 9, 0], 3 * 40), ([2, 9, 5], [3, 9, 0], 7 * 40), ([0, 9, 0], [0, 9, 0], 0)],
)
def test_the_busier_way_decides_and_own_rows_are_free(come: list[int], go: list[int], bytes_: int) -> None:
    time = FakeTime()
    received = torch.empty(sum(come), 10)
    paced(time, latency_s=0.5)(received, torch.ones(20, 10), come, go)
    assert time.slept == [pytest.approx(0.5 + bytes_ / 1000)]
    assert bool((received == 1).all())


def test_what_the_machine_itself_needed_is_not_waited_for_again() -> None:
    time = FakeTime()
    paced(time, real_s=0.03)(torch.empty(4, 10), torch.empty(4, 10), [2, 2], [2, 2])
    assert time.slept == [pytest.approx(0.08 - 0.03)]


def test_a_machine_slower_than_the_link_is_not_slowed() -> None:
    time = FakeTime()
    paced(time, real_s=3.0)(torch.empty(4, 10), torch.empty(4, 10), [2, 2], [2, 2])
    assert time.slept == []


@pytest.mark.parametrize("options", [{"bytes_per_s": 0.0}, {"bytes_per_s": float("nan")}, {"latency_s": -1.0}])
def test_a_link_needs_a_rate_and_no_negative_latency(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="bytes_per_s must be above 0 and latency_s at least 0, got "):
        paced(FakeTime(), **options)


def exchange(num_devices: int, sent: int, received: int, time_s: float) -> Exchange:
    """Make device 0's exchange of rows of 8 bytes with device 1, beside 50 rows to itself."""
    rest = (0,) * (num_devices - 2)
    return Exchange(
        device=0,
        layer=0,
        leg="dispatch",
        sent_rows_N=(50, sent, *rest),
        received_rows_N=(50, received, *rest),
        row_bytes=8,
        time_s=time_s,
    )


def test_traffic_counts_what_crosses_a_link() -> None:
    traffic = Traffic(exchanges=[exchange(2, 3, 7, 0.25), exchange(3, 4, 0, 0.5)])
    assert [one.received_bytes for one in traffic.exchanges] == [56, 0]
    assert traffic.sent_bytes() == 8 * (3 + 4)
    assert (traffic.sent_rows("dispatch"), traffic.sent_rows("combine")) == (7, 0)
    assert traffic.time_s() == 0.75


def test_a_known_link_is_found_again() -> None:
    link = LinkModel(latency_s=3e-5, bytes_per_s=1.25e9)
    shapes = [(num_devices, rows) for num_devices in (2, 3, 4) for rows in (0, 10, 1000, 100_000)]
    measured = [
        exchange(num_devices, rows, rows // 2, link.exchange_s(num_devices, rows * 8)) for num_devices, rows in shapes
    ]
    measured += [exchange(2, 10, 20_000, link.exchange_s(2, 160_000))]  # here receiving decides
    found = fit_link(measured)
    assert found.latency_s == pytest.approx(link.latency_s)
    assert found.bytes_per_s == pytest.approx(link.bytes_per_s)


def test_times_that_fall_with_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="must start above 0 and rise with their bytes, got a fit of"):
        fit_link([exchange(2, 10, 10, 2e-3), exchange(2, 100_000, 10, 1e-3)])


def test_a_pass_is_three_exchanges_a_layer() -> None:
    link = LinkModel(latency_s=0.5, bytes_per_s=100.0)
    predicted_s = predicted_pass_s(
        link, num_devices=3, num_layers=2, rows=10.0, dispatch_row_bytes=30, combine_row_bytes=20
    )
    counts, dispatch, combine = 1.0 + 16 / 100, 1.0 + 300 / 100, 1.0 + 200 / 100
    assert predicted_s == pytest.approx(2 * (counts + dispatch + combine))
