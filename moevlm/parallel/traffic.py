"""Traffic: what one device sent and received in each exchange, how long that took, and what it computed.

Shapes: N devices.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One all-to-all, as one device saw it.

    Args:
        device: The device that saw it.
        layer: MoE layer, from 0.
        leg: A name in `moevlm.parallel.all_to_all.LEGS`.
        sent_rows_N: Rows to each device; those to itself cross no link.
        received_rows_N: Rows from each device.
        row_bytes: Bytes of one row.
        time_s: Until all rows were here: waiting for slower devices is part of it.
    """

    device: int
    layer: int
    leg: str
    sent_rows_N: tuple[int, ...]
    received_rows_N: tuple[int, ...]
    row_bytes: int
    time_s: float

    @property
    def sent_rows(self) -> int:
        """Count the rows to other devices."""
        return sum(self.sent_rows_N) - self.sent_rows_N[self.device]

    @property
    def sent_bytes(self) -> int:
        """Count the bytes to other devices."""
        return self.sent_rows * self.row_bytes

    @property
    def received_bytes(self) -> int:
        """Count the bytes from other devices."""
        return (sum(self.received_rows_N) - self.received_rows_N[self.device]) * self.row_bytes


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What one device did while it was recorded, in order.

    Args:
        exchanges: All-to-alls.
        pairs: For each call of a layer's experts, how many (token, expert) pairs were computed here: the device's load.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    pairs: list[int] = field(default_factory=list)

    def sent_rows(self, leg: str) -> int:
        """Count the rows of one leg that went to other devices."""
        return sum(exchange.sent_rows for exchange in self.exchanges if exchange.leg == leg)

    def sent_bytes(self) -> int:
        """Count the bytes of all legs that went to other devices."""
        return sum(exchange.sent_bytes for exchange in self.exchanges)

    def time_s(self) -> float:
        """Sum the time of all exchanges."""
        return sum(exchange.time_s for exchange in self.exchanges)
