"""A link in two numbers, fitted to measured exchanges: what expert parallelism would cost where it was not measured.

All that `predicted_pass_s` returns is a prediction and must be shown as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moevlm.parallel.traffic import Exchange

COUNT_BYTES = 8  # an int64 tells another device how many rows it will get
EXCHANGES_A_LAYER = 3  # count, dispatch, combine


@dataclass(frozen=True, kw_only=True)
class LinkModel:
    """Describe an exchange's time: a latency for each other device, and the bytes through one port.

    Args:
        latency_s: For each other device.
        bytes_per_s: Each way.
    """

    latency_s: float
    bytes_per_s: float

    def exchange_s(self, num_devices: int, num_bytes: float) -> float:
        """Return the time of one exchange: latency * (N - 1) + bytes / rate.

        Args:
            num_bytes: The larger of what one device sends to and receives from others.

        >>> LinkModel(latency_s=0.25, bytes_per_s=1000).exchange_s(3, 500)
        1.0
        """
        return self.latency_s * (num_devices - 1) + num_bytes / self.bytes_per_s


def fit_link(exchanges: Sequence[Exchange]) -> LinkModel:
    """Fit latency and rate by least squares of the relative errors, so that short exchanges count as much as long ones.

    Args:
        exchanges: Measured ones that all devices began together (else waiting is taken for transfer), of several sizes.

    Raises:
        ValueError: The times do not rise with the bytes, or do not start above 0.
    """
    times_X = np.array([exchange.time_s for exchange in exchanges])
    peers_X = np.array([len(exchange.sent_rows_N) - 1 for exchange in exchanges])
    bytes_X = np.array([max(exchange.sent_bytes, exchange.received_bytes) for exchange in exchanges])
    terms_X2 = np.stack([peers_X, bytes_X], axis=1) / times_X[:, None]
    latency_s, s_a_byte = np.linalg.lstsq(terms_X2, np.ones(len(exchanges)), rcond=None)[0].tolist()
    if latency_s <= 0 or s_a_byte <= 0:
        raise ValueError(
            "the time of exchanges must start above 0 and rise with their bytes, got a fit of "
            f"{latency_s:.3g} s + {s_a_byte:.3g} s a byte; measure more sizes, a hundredfold apart, on a quiet machine"
        )
    return LinkModel(latency_s=latency_s, bytes_per_s=1 / s_a_byte)


def predicted_pass_s(
    link: LinkModel,
    *,
    num_devices: int,
    num_layers: int,
    rows: float,
    dispatch_row_bytes: int,
    combine_row_bytes: int,
) -> float:
    """Predict the time that one pass spends in exchanges where all devices send and receive as much.

    Args:
        rows: Rows a device sends to others in a layer: its tokens times the remote devices of one
            (of uniform routing `moevlm.steering.expected_routing.uniform_remote_devices`).
        dispatch_row_bytes: `moevlm.parallel.dispatch.row_bytes`.
        combine_row_bytes: Bytes of a hidden state.
    """
    count_bytes = COUNT_BYTES * (num_devices - 1)
    moved_bytes = count_bytes + rows * (dispatch_row_bytes + combine_row_bytes)
    latencies_s = EXCHANGES_A_LAYER * link.exchange_s(num_devices, 0)
    return num_layers * (latencies_s + moved_bytes / link.bytes_per_s)
