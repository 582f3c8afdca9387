"""Which kernels a decode step of the MoE starts, how often and how long: `python -m bench.step_profile --scale 7b`.

The step is what bench_decode times on a GPU, a replayed graph, from a drawn cache. torch's profiler slows it: times are
for comparing kernels of one step, launches are exact.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from tabulate import tabulate
from torch import profiler

import moevlm
from fixtures.devices import AUTO_DTYPES, DTYPES, resolve_device
from fixtures.drawn_context import drawn_state
from fixtures.models import build_twins
from fixtures.options import OPTIONS
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.reading import at_least, listed, one_of
from moevlm.kernels.backends import EXPERT_BACKENDS
from moevlm.routing.profiles import RoutingProfile

SHOWN = 25  # kernels, the longest first; the last row has the others
HEADERS = ("kernel", "launches", "µs", "of the step")


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="python -m bench.step_profile", description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=OPTIONS["--scale"]["type"], default="7b", help="presets (default: %(default)s)")
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--dtype", choices=DTYPES, default=AUTO_DTYPES["cuda"], help="default: %(default)s")
    parser.add_argument("--batch-size", type=listed(at_least(1)), default="1,8,64", help="default: %(default)s")
    parser.add_argument("--seq-len", type=at_least(1), default=2048, help="cached tokens (default: %(default)s)")
    backends = f"of the experts: {', '.join(EXPERT_BACKENDS)} (default: %(default)s)"
    parser.add_argument("--backend", type=one_of(EXPERT_BACKENDS), default="moevlm", help=backends)
    chosen = parser.parse_args(arguments)
    try:
        chosen.device = resolve_device(chosen.device)
        if chosen.device.type != "cuda":
            raise ValueError(f"--device must be a GPU, got {chosen.device}; a CPU replays no graphs")
    except ValueError as error:
        parser.error(str(error))
    return chosen


def profiled(model: Any, batch_size: int, seq_len: int) -> list[tuple[str, int, float]]:
    """Return name, launches and seconds of each kernel of one replayed step, the longest first.

    Where the profiler sees no kernel, on a GPU that is not there, the host's operations stand for them.
    """
    ids_BS = torch.full((batch_size, seq_len), 5, device=model.device)
    decoder = moevlm.StaticDecoder(model, batch_size=batch_size, max_length=seq_len + 2)
    state = drawn_state(model, {"input_ids": ids_BS}, max_new_tokens=2, memory=decoder.memory)
    step = partial(decoder.decode_steps, state, num_steps=1)
    step()
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU, profiler.ProfilerActivity.CUDA]) as seen:
        step()
        torch.cuda.synchronize(model.device)
    events = seen.key_averages()
    kernels = [event for event in events if event.device_type.name != "CPU"] or list(events)
    found = [
        (event.key, event.count, (event.self_device_time_total or event.self_cpu_time_total) / 1e6) for event in kernels
    ]
    return sorted(found, key=lambda one: -one[2])


def table(kernels: Sequence[tuple[str, int, float]]) -> str:
    """Lay kernels out, those beyond SHOWN together, and the sum."""
    total_s = sum(seconds for _, _, seconds in kernels)
    shown, others = kernels[:SHOWN], kernels[SHOWN:]
    sums = [
        (f"{len(part)} {what}", sum(count for _, count, _ in part), sum(seconds for _, _, seconds in part))
        for what, part in (("others", others), ("together", kernels))
    ]
    rows = [
        (name[:60], count, f"{1e6 * seconds:.1f}", f"{100 * seconds / total_s:.0f} %")
        for name, count, seconds in [*shown, *sums]
    ]
    return tabulate(rows, headers=HEADERS, tablefmt="github")


def main(arguments: Sequence[str] | None = None) -> None:
    """Profile what the command line asks for."""
    chosen = read_arguments(arguments)
    torch.cuda.set_device(chosen.device)
    for scale in chosen.scale:
        model = build_twins(
            scale, arms=("moe",), device=chosen.device, dtype=DTYPES[chosen.dtype], expert_backend=chosen.backend,
            routing=RoutingProfile(name="uniform"),
        )["moe"]  # fmt: skip
        for batch_size in chosen.batch_size:
            say(f"{scale}, {chosen.backend}, batch {batch_size}, {chosen.seq_len} cached tokens, {chosen.dtype}:\n")
            say(f"{table(profiled(model, batch_size, chosen.seq_len))}\n")
        del model


if __name__ == "__main__":
    sys.exit(run_program(main))
