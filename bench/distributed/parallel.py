"""Expert parallelism: what crosses devices and what that costs, by routing, placement and what travels.

Several processes take part, so pytest does not run this: `torchrun --nproc-per-node 2 -m bench.distributed.parallel`.
The record is one of the harness all the same: `python -m bench compare`, `promote` and `layers` read it.

Every arm has the same weights and inputs. A pass lasts from a barrier until the slowest device is done; arms take turns
in random balanced order, the same on all devices. The clock is the wall's: what one process waits for the machine, all
others wait for it.
"""

import argparse
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from bench.distributed.arms import ARMS, Asked, Spread, run_phases, spread, timed
from bench.distributed.options import asked, link_name, link_of, parser, read_options
from bench.distributed.record import Measured, document_of
from bench.distributed.seen import STEPS, WARMUP_ROUNDS, Joined, join_devices
from bench.harness.anchors import make_anchor
from bench.harness.arms import ANCHOR
from bench.harness.blocks import balanced_orders
from bench.harness.environment import load_average
from bench.harness.metrics import TPOT, TTFT
from bench.harness.record import Record, write
from bench.harness.run import launched_now
from bench.pages import engine
from bench.pages.layers.devices import DeviceRow, device_rows
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from moevlm import RoutingProfile
from moevlm.parallel import Group, joined

RECORDS = Path("records")  # as `pytest bench`
METRICS = {"prefill": TTFT, "decode": TPOT}
ANCHORS = {"prefill": "matmul", "decode": "stream"}  # of each phase's kind, on every device at once
SHOWN: Mapping[str, Callable[[DeviceRow], object]] = {  # what the terminal shows of an arm -> from its row
    "phase": lambda row: row.params["phase"],
    "arm": lambda row: row.arm,
    "time [95 %]": lambda row: engine.time(row.seconds),
    "in_order / arm [95 %]": lambda row: engine.ratio(row.in_order_over_arm),
    "in exchanges": lambda row: engine.time(row.exchanging_s),
    "sent": lambda row: engine.display(row.sent_bytes, "byte"),
    "shared": lambda row: engine.display(row.shared_bytes, "byte"),
    "cross-device rate": lambda row: engine.percent(row.cross_device_rate),
    "load, max/mean": lambda row: f"{row.load_max_over_mean:.2f}",
}


def scenario_of(
    common: Asked,
    phase: str,
    arms: Mapping[str, Joined],
    anchor_s: Sequence[float],
    *,
    inputs_hash: str,
    num_devices: int,
    link: str,
) -> Measured:
    """Describe what was measured of one phase as a scenario of the harness.

    Args:
        anchor_s: Seconds of the anchor in each round.
        link: How it was paced, as ids write it; empty: not at all.
    """
    profile = RoutingProfile.parse(common.routing)
    params = {
        "scale": f"{common.preset}@{common.depth}" if common.depth else common.preset,
        "workload": common.workload, "routing": common.routing,
        "batch_size": common.batch_size, "seq_len": common.seq_len, "num_devices": num_devices, "home": common.home,
        "link": link, "phase": phase,
    }  # fmt: skip
    words = (
        *(params["scale"], common.workload, profile.id, f"b{common.batch_size}", f"s{common.seq_len}"),
        *(f"n{num_devices}", common.home, link, phase),
    )
    samples: dict[str, Sequence[float]] = {arm: seen.times_s for arm, seen in arms.items()}
    for arm, seen in arms.items():  # beside its arm, never judged; a leg that is not used takes no time
        samples |= {f"{arm}/{leg}": times_s for leg, times_s in seen.legs_s.items() if all(times_s)}
    tokens = {
        "prefill": {"prefill_tok_per_s": float(common.batch_size * common.seq_len)},
        "decode": {"output_tok_per_s": float(common.batch_size)},
    }
    return Measured(
        scenario=f"bench_parallel[{'-'.join(str(word) for word in words if word)}]",
        params=params,
        metric=METRICS[phase],
        num_units=STEPS[phase],
        rates=tokens[phase],
        anchor=ANCHORS[phase],
        hashes={"workload": inputs_hash, "routing": profile.hash()},
        samples={**samples, ANCHOR: anchor_s},
        facts={arm: seen.facts for arm, seen in arms.items()},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all arms on the devices that torchrun started; device 0 prints and writes the record."""
    options = read_options(arguments)
    try:
        _run(options)
    except ValueError as error:  # too few positions, experts that do not divide, no torchrun: it says what and how
        parser().error(str(error))


def _run(options: argparse.Namespace) -> None:
    launched, load_before = launched_now(), load_average()
    with joined(options.device) as device:
        if device.type == "cpu":
            torch.set_num_threads(1)
        group = Group(link_of(options))
        arms = {name: spread(arm, asked(options), group, device) for name, arm in ARMS.items()}
        dtype = next(iter(arms.values())).model.dtype
        anchors_s = measure(arms, group, device, dtype, num_rounds=WARMUP_ROUNDS + options.rounds)
        scenarios = _joined_scenarios(arms, anchors_s, options, group)
        if group.device == 0:
            # where the record goes is no fact
            chosen = {name: value for name, value in vars(options).items() if name != "record"}
            document = document_of(
                scenarios, launched=launched, device=device, dtype=dtype, load_before=load_before, options=chosen
            )
            path = options.record or RECORDS / f"{launched.started:%Y%m%dT%H%M%S}-{launched.id}.json"
            write(path, document)
            say(f"{shown(Record.from_document(document, path))}\n\nrecord: {path}")
        dist.barrier()


def shown(record: Record) -> str:
    """Lay out what each arm took and sent."""
    return engine.table([[show(row) for show in SHOWN.values()] for row in device_rows([record])], *SHOWN)


def measure(
    arms: Mapping[str, Spread], group: Group, device: torch.device, dtype: torch.dtype, *, num_rounds: int
) -> dict[str, list[float]]:
    """Let all arms and the anchors take turns; return the anchors' seconds by phase, the arms keep their own."""
    anchors = {phase: make_anchor(name, device, dtype) for phase, name in ANCHORS.items()}
    anchors_s: dict[str, list[float]] = {phase: [] for phase in STEPS}
    for order in balanced_orders([*arms, ANCHOR], num_rounds, random.Random(0)):  # the same on all devices
        for name in order:
            if name == ANCHOR:
                for phase, call in anchors.items():
                    anchors_s[phase].append(timed(call, device)[1])
            else:
                run_phases(arms[name], group, device)
    return anchors_s


def _joined_scenarios(
    arms: Mapping[str, Spread], anchors_s: Mapping[str, list[float]], options: argparse.Namespace, group: Group
) -> list[Measured]:
    """Bring together what the devices saw; every device must call it."""
    of_devices: list[Any] = [None] * group.num_devices
    dist.all_gather_object(of_devices, ({name: arm.seen for name, arm in arms.items()}, anchors_s))
    measured = []
    for phase in STEPS:
        seen = {name: join_devices([one[name] for one, _ in of_devices], phase) for name in arms}
        anchor_s = list(map(max, zip(*(times_s[phase][WARMUP_ROUNDS:] for _, times_s in of_devices), strict=True)))
        measured.append(
            scenario_of(
                *(asked(options), phase, seen, anchor_s),
                inputs_hash=next(iter(arms.values())).inputs_hash,
                num_devices=group.num_devices,
                link=link_name(options),
            )
        )
    return measured


if __name__ == "__main__":
    sys.exit(run_program(main))
