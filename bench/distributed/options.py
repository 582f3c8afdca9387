"""The command line of a measurement on several devices."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch.distributed as dist

from bench.distributed.arms import Asked
from fixtures.workload import WORKLOADS
from moevlm import RoutingProfile
from moevlm.parallel import PARTS, PacedLink
from moevlm.parallel.group import Link, all_to_all
from moevlm.presets import PRESETS, preset_variants

BITS = 8
ASKED = ("preset", "depth", "workload", "batch_size", "seq_len", "routing", "home")  # options that all arms share


def _routing(text: str) -> str:
    """Check a routing profile; argparse shows why it cannot be one."""
    try:
        RoutingProfile.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def _above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text!r}; leave it out for the link as it is")
    return value


def parser() -> argparse.ArgumentParser:
    """Build the parser of `torchrun -m bench.distributed.parallel`."""
    command = argparse.ArgumentParser(
        prog="torchrun --nproc-per-node 2 -m bench.distributed.parallel",
        description="Measure expert parallelism: four arms of the same weights and inputs, by routing and placement.",
    )
    command.add_argument(
        "--preset", choices=sorted(name for name in PRESETS if "moe" in preset_variants(name)), default="tiny"
    )
    command.add_argument("--depth", type=_at_least_one, help="decoder layers (default: all)")
    command.add_argument("--workload", choices=sorted(WORKLOADS), default="mmmu")
    command.add_argument("--batch-size", type=_at_least_one, default=4, help="of all devices together")
    command.add_argument("--seq-len", type=_at_least_one, default=256)
    command.add_argument("--routing", type=_routing, default="specialized:4", help="of all arms but uniform")
    command.add_argument("--home", choices=sorted(PARTS), default="modality")
    command.add_argument("--device", default="cpu", help="cpu or cuda")
    command.add_argument("--gigabit", type=_above_zero, help="pace the link to so many Gb/s (default: as it is)")
    command.add_argument("--latency-us", type=float, default=0.0, help="added to every exchange of a paced link")
    command.add_argument("--rounds", type=_at_least_one, default=20)
    command.add_argument(
        "--record", type=Path, metavar="FILE", help="where the record goes (default: records/, by date)"
    )
    return command


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what it cannot mean ends with a usage error."""
    command = parser()
    options = command.parse_args(arguments)
    if options.latency_us and not options.gigabit:
        command.error(f"--latency-us must come with --gigabit, got {options.latency_us:g} alone; say both or neither")
    return options


def asked(options: argparse.Namespace) -> Asked:
    """Return what all arms are to run."""
    return Asked(**{name: getattr(options, name) for name in ASKED})


def link_of(options: argparse.Namespace) -> Link:
    """Return what carries rows: the link as it is, or a paced one."""
    if not options.gigabit:
        return all_to_all
    rate = options.gigabit * 1e9 / BITS
    return PacedLink(dist.get_rank(), bytes_per_s=rate, latency_s=options.latency_us / 1e6)


def link_name(options: argparse.Namespace) -> str:
    """Name a paced link as ids do; empty for the link as it is."""
    if not options.gigabit:
        return ""
    latency = f"+{options.latency_us:g}us" if options.latency_us else ""
    return f"{options.gigabit:g}gbit{latency}"
