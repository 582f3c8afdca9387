"""The link between devices: measured, fitted, and what exchanges would cost on other links and numbers of devices.

Several processes take part, so pytest does not run this: `torchrun --nproc-per-node 2 -m bench.distributed.link -h`.
The second table is predicted: 3 exchanges a layer, begun together, each device sending as much as any other, one
message after the other.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.distributed as dist

from bench.distributed.options import DEVICE, MOE_PRESETS, check_device
from bench.gate.markdown import markdown_table
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.reading import at_least
from moevlm.parallel import Exchange, Group, joined, recorded_traffic
from moevlm.parallel.dispatch import row_bytes
from moevlm.parallel.link_model import LinkModel, fit_link, predicted_pass_s
from moevlm.presets import preset_config
from moevlm.steering.expected_routing import uniform_remote_devices

DTYPE = torch.bfloat16  # of what is predicted
ROW_BYTES = 1024
ROWS = (0, 1, 8, 64, 512, 4096)  # to each other device: up to 4 MiB, a thousand tokens of 2,048 in bfloat16
REPEATS = 31
WARMUP_REPEATS = 3
DEVICES = (2, 4, 8, 16, 32, 64)
LINKS = {  # rates each way; latencies of one message are orders of magnitude, not measured here
    "10 Gb/s, 50 us": LinkModel(latency_s=50e-6, bytes_per_s=1.25e9),
    "100 Gb/s, 10 us": LinkModel(latency_s=10e-6, bytes_per_s=12.5e9),
    "450 GB/s, 5 us": LinkModel(latency_s=5e-6, bytes_per_s=450e9),
}


def measured_exchanges(group: Group, device: torch.device) -> Iterator[Exchange]:
    """Exchange as many rows with every device, together and behind a barrier; yield each size's median."""
    for rows in ROWS:
        rows_N = [rows] * group.num_devices
        sent_RW = torch.zeros(sum(rows_N), ROW_BYTES, dtype=torch.uint8, device=device)
        with recorded_traffic(group) as traffic:
            for _ in range(WARMUP_REPEATS + REPEATS):
                dist.barrier()
                group.exchange(sent_RW, rows_N, rows_N, layer=0, leg="dispatch")
        by_time = sorted(traffic.exchanges[WARMUP_REPEATS:], key=lambda exchange: exchange.time_s)
        yield by_time[len(by_time) // 2]


def predicted_rows(link: LinkModel, options: argparse.Namespace) -> list[tuple[str, ...]]:
    """Predict what a prefill and a decode step of a preset spend in exchanges, by link and number of devices."""
    config = preset_config(options.scale).text_config
    experts, top_k = config.num_experts, config.num_experts_per_tok
    tokens = {"prefill": options.batch_size * options.seq_len, "decode": options.batch_size}
    rows = []
    for phase, count in tokens.items():
        for name, one in {"measured here": link, **LINKS}.items():
            times_s = [
                predicted_pass_s(
                    one,
                    num_devices=num_devices,
                    num_layers=config.num_hidden_layers,
                    rows=count * uniform_remote_devices(experts, top_k, num_devices),
                    dispatch_row_bytes=row_bytes(config.hidden_size, top_k, DTYPE),
                    combine_row_bytes=config.hidden_size * DTYPE.itemsize,
                )
                for num_devices in _devices(experts)
            ]
            rows.append((phase, name, *(f"{1e3 * time_s:.3g}" for time_s in times_s)))
    return rows


def _devices(num_experts: int) -> list[int]:
    return [number for number in DEVICES if num_experts % number == 0]


def _parser() -> Parser:
    parser = Parser(
        prog="torchrun --nproc-per-node 2 -m bench.distributed.link", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--device", **DEVICE)
    parser.add_argument(
        "--scale", choices=MOE_PRESETS, default="7b", help="preset whose exchanges to predict (default: %(default)s)"
    )
    parser.add_argument(
        "--batch-size",
        type=at_least(1),
        default=1,
        metavar="N",
        help="predicted: requests on each device (default: %(default)s)",
    )
    parser.add_argument(
        "--seq-len", type=at_least(1), default=1024, metavar="N", help="predicted: prompt tokens (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the link, fit it and predict; device 0 prints."""
    parser = _parser()
    options = parser.parse_args(arguments)
    check_device(parser, options.device)
    try:
        _run(options)
    except ValueError as error:
        parser.error(str(error))


def _run(options: argparse.Namespace) -> None:
    with joined(options.device) as device:
        group = Group()
        own = list(measured_exchanges(group, device))
        times_s: list[Mapping[int, float]] = [{}] * group.num_devices
        dist.all_gather_object(times_s, {exchange.sent_bytes: exchange.time_s for exchange in own})
        if group.device == 0:
            _report(own, times_s, options)


def _report(own: Sequence[Exchange], times_s: Sequence[Mapping[int, float]], options: argparse.Namespace) -> None:
    link = fit_link(own)
    num_devices = len(times_s)
    measured = [
        (
            f"{count:,}",
            f"{1e3 * statistics.median(by_bytes[count] for by_bytes in times_s):.3f}",
            f"{1e3 * link.exchange_s(num_devices, count):.3f}",
        )
        for count in times_s[0]
    ]
    num_experts = preset_config(options.scale).text_config.num_experts
    devices = [f"{number} devices" for number in _devices(num_experts)]
    tables = (
        f"Measured on {num_devices} devices, and the fit: {1e6 * link.latency_s:.0f} us a device and "
        f"{link.bytes_per_s / 1e9:.2f} GB/s",
        markdown_table(("bytes sent", "measured, ms", "fitted, ms"), measured),
        f"Predicted, {options.scale}, uniform routing, bfloat16, batch {options.batch_size} on each device, length "
        f"{options.seq_len}: ms in exchanges",
        markdown_table(("phase", "link", *devices), predicted_rows(link, options)),
    )
    say("\n\n".join(tables))


if __name__ == "__main__":
    sys.exit(run_program(main))
