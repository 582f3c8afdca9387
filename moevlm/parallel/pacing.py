"""A slower link than the machine has: each exchange lasts as long as a network of a given rate and latency needs.

Exchanges begin together, behind a barrier, and end once max(sent, received) bytes of each device are through, so that
the slowest device's bytes decide, as on a switch where each device has one full-duplex port.
"""

import time
from collections.abc import Callable

import torch
import torch.distributed as dist

from moevlm.parallel.all_to_all import Link, all_to_all


class PacedLink:
    """Carry rows at no more than a rate; pass it to `moevlm.parallel.Group`.

    Args:
        device: This process's rank.
        bytes_per_s: Rate of the device's port, each way.
        latency_s: Added to every exchange.
        link: What carries the rows.
        meet: Returns once every device has called it.
        clock: Seconds.
        sleep: Waits for so many seconds.

    Raises:
        ValueError: The rate is not above 0, or the latency below 0.
    """

    def __init__(
        self,
        device: int,
        *,
        bytes_per_s: float,
        latency_s: float = 0.0,
        link: Link = all_to_all,
        meet: Callable[[], object] = dist.barrier,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not bytes_per_s > 0 or not latency_s >= 0:
            raise ValueError(
                f"bytes_per_s must be above 0 and latency_s at least 0, got {bytes_per_s} and {latency_s}; "
                "10 Gb/s is 1.25e9 bytes/s"
            )
        self.device, self.bytes_per_s, self.latency_s = device, bytes_per_s, latency_s
        self._link, self._meet, self._clock, self._sleep = link, meet, clock, sleep

    def __call__(
        self, received: torch.Tensor, sent: torch.Tensor, received_rows_N: list[int], sent_rows_N: list[int]
    ) -> None:
        """Exchange rows and wait until the slow link would have carried them."""
        _wait_for_device(sent)
        self._meet()
        start_s = self._clock()
        self._link(received, sent, received_rows_N, sent_rows_N)
        _wait_for_device(received)
        remote_rows = max(sum(rows_N) - rows_N[self.device] for rows_N in (received_rows_N, sent_rows_N))
        needed_s = self.latency_s + remote_rows * sent.shape[1] * sent.itemsize / self.bytes_per_s
        left_s = needed_s - (self._clock() - start_s)
        if left_s > 0:
            self._sleep(left_s)


def _wait_for_device(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)
