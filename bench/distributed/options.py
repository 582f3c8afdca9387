"""The command line of a measurement on several devices."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from bench.distributed.arms import Asked
from fixtures.programs.parsing import Parser
from fixtures.reading import above_zero, at_least, not_negative, routing_profile
from fixtures.workload import WORKLOADS
from moevlm.parallel import PARTS, PacedLink
from moevlm.parallel.all_to_all import BACKENDS, Link, all_to_all
from moevlm.presets import PRESETS, preset_variants

BITS = 8
MOE_PRESETS = tuple(name for name in PRESETS if "moe" in preset_variants(name))  # the others have nothing to spread
DEVICE: Mapping[str, Any] = {
    "choices": tuple(BACKENDS),
    "default": "cpu",
    "help": "of every process (default: %(default)s)",
}
ASKED = ("depth", "workload", "batch_size", "seq_len", "routing", "home")  # options that all arms share, with --scale


OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--scale": {"choices": MOE_PRESETS, "default": "tiny", "help": "preset with experts (default: %(default)s)"},
    "--depth": {"type": at_least(1), "metavar": "N", "help": "decoder layers (default: all)"},
    "--workload": {"choices": WORKLOADS, "default": "mmmu", "help": "whose samples (default: %(default)s)"},
    "--batch-size": {
        "type": at_least(1),
        "default": 4,
        "metavar": "N",
        "help": "requests of all devices together (default: %(default)s)",
    },
    "--seq-len": {
        "type": at_least(1),
        "default": 256,
        "metavar": "N",
        "help": "prompt tokens with image tokens (default: %(default)s)",
    },
    "--routing": {
        "type": routing_profile,
        "default": "specialized:4",
        "help": "profile of all arms but uniform (default: %(default)s)",
    },
    "--home": {
        "choices": sorted(PARTS),
        "default": "modality",
        "help": "where a token's attention runs: on its sample's device or its modality's (default: %(default)s)",
    },
    "--device": DEVICE,
    "--gigabit": {
        "type": above_zero,
        "metavar": "GBIT_PER_S",
        "help": "pace the link to so many Gb/s (default: as it is)",
    },
    "--latency-us": {
        "type": not_negative,
        "default": 0.0,
        "metavar": "MICROSECONDS",
        "help": "added to every exchange of a paced link (default: %(default)s)",
    },
    "--rounds": {
        "type": at_least(1),
        "default": 20,
        "metavar": "N",
        "help": "each runs every arm once (default: %(default)s)",
    },
    "--record": {"type": Path, "metavar": "FILE", "help": "where the record goes (default: records/, by date)"},
}


def parser() -> Parser:
    """Build the parser of `torchrun -m bench.distributed.parallel`."""
    command = Parser(
        prog="torchrun --nproc-per-node 2 -m bench.distributed.parallel",
        description="Measure expert parallelism: four arms of the same weights and inputs, by routing and placement.",
    )
    for name, about in OPTIONS.items():
        command.add_argument(name, **about)
    return command


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what it cannot mean ends with a usage error."""
    command = parser()
    options = command.parse_args(arguments)
    if options.latency_us and not options.gigabit:
        command.error(f"--latency-us must come with --gigabit, got {options.latency_us:g} alone; say both or neither")
    check_device(command, options.device)
    return options


def check_device(command: argparse.ArgumentParser, device: str) -> None:
    """End with a usage error where the machine has no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        command.error(
            "--device must be there, got cuda on a machine without a GPU; say cpu, or run it where there is one"
        )


def asked(options: argparse.Namespace) -> Asked:
    """Return what all arms are to run."""
    return Asked(preset=options.scale, **{name: getattr(options, name) for name in ASKED})


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
