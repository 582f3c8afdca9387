"""The group of devices: joining it, and the exchange of rows between them, an all-to-all of torch.distributed.

Shapes: N devices, R rows, W width of a row.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import torch
import torch.distributed as dist

from moevlm.parallel.traffic import Exchange, Traffic

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}  # by device type
EXCHANGE_TIMEOUT_S = 30.0  # far above any exchange; a device that hangs is reported after it, one that dies at once
LEGS = {  # exchanges of one layer, in order
    "count": "how many rows each device will get",
    "dispatch": "hidden states with their choices, to the experts",
    "combine": "sums over a device's experts, back to the tokens' home",
    "share": "outputs to the partner that runs the same samples; home by modality only",
}

# What carries rows, one device's view: received, sent, rows from each device, rows to each device.
Link = Callable[[torch.Tensor, torch.Tensor, list[int], list[int]], None]


@contextlib.contextmanager
def joined(device_type: str, *, timeout_s: float = EXCHANGE_TIMEOUT_S) -> Iterator[torch.device]:
    """Join the group that torchrun's environment variables describe; leave it at the end of the block.

    Args:
        device_type: A key of BACKENDS.
        timeout_s: How long an exchange may take before it is an error on all devices.

    Yields:
        Where to put this process's model.

    Raises:
        ValueError: The device type is unknown, or torchrun did not start this process.
    """
    if device_type not in BACKENDS:
        raise ValueError(f"device type must be one of {', '.join(BACKENDS)}, got {device_type!r}; choose one of them")
    if "LOCAL_RANK" not in os.environ:
        raise ValueError("a process of a group must have LOCAL_RANK, got none; start it with torchrun")
    device = torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if device_type == "cuda" else device_type)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(BACKENDS[device_type], timeout=timedelta(seconds=timeout_s))
    try:
        yield device
    finally:
        dist.destroy_process_group()


def all_to_all(received: torch.Tensor, sent: torch.Tensor, received_rows_N: list[int], sent_rows_N: list[int]) -> None:
    """Exchange rows over the process group at full speed: the Link that nothing slows."""
    dist.all_to_all_single(received, sent, received_rows_N, sent_rows_N)


class Group:
    """This process's view of the devices, and the link that carries rows; made once the process group stands."""

    def __init__(self, link: Link = all_to_all) -> None:
        self.device, self.num_devices = dist.get_rank(), dist.get_world_size()
        self.traffic: Traffic | None = None
        self._link = link

    def exchange(
        self, sent_RW: torch.Tensor, sent_rows_N: list[int], received_rows_N: list[int], *, layer: int, leg: str
    ) -> torch.Tensor:
        """Send rows, in the order of the devices, and return those that came, in the same order.

        Args:
            sent_RW: Rows of any dtype that the backend carries.
            sent_rows_N: Rows to each device.
            received_rows_N: Rows from each device.
            layer: MoE layer, named in records and errors.
            leg: The same; a key of LEGS.

        Raises:
            RuntimeError: A device ended, or did not answer in time.
        """
        received_RW = sent_RW.new_empty(sum(received_rows_N), sent_RW.shape[1])
        start_s = self._now(sent_RW)
        try:
            self._link(received_RW, sent_RW.contiguous(), received_rows_N, sent_rows_N)
        except RuntimeError as error:
            raise RuntimeError(
                f"the {leg} of MoE layer {layer} must reach all {self.num_devices} devices, got on device "
                f"{self.device}: {error}; look at the log of the device that failed first"
            ) from error
        if self.traffic is not None:
            exchange = Exchange(
                device=self.device,
                layer=layer,
                leg=leg,
                sent_rows_N=tuple(sent_rows_N),
                received_rows_N=tuple(received_rows_N),
                row_bytes=sent_RW.shape[1] * sent_RW.itemsize,
                time_s=self._now(sent_RW) - start_s,
            )
            self.traffic.exchanges.append(exchange)
        return received_RW

    def exchange_counts(self, rows_N: torch.Tensor, *, layer: int) -> list[int]:
        """Tell each device how many rows it will get and return how many come from each.

        Raises:
            RuntimeError: As `exchange`.
        """
        ones = [1] * self.num_devices
        received_N1 = self.exchange(rows_N[:, None], ones, ones, layer=layer, leg="count")
        return [int(count) for count in received_N1.flatten().tolist()]

    def _now(self, rows: torch.Tensor) -> float:
        """Read the clock once the rows' device is idle; read nothing where nothing is recorded."""
        if self.traffic is None:
            return 0.0
        if rows.is_cuda:
            torch.cuda.synchronize(rows.device)
        return time.perf_counter()


@contextlib.contextmanager
def recorded_traffic(group: Group) -> Iterator[Traffic]:
    """Record a group's exchanges inside the block.

    On a GPU each exchange is then waited for on the host, so that its time is its own: a recorded pass is slower.
    """
    traffic = Traffic()
    before, group.traffic = group.traffic, traffic
    try:
        yield traffic
    finally:
        group.traffic = before
