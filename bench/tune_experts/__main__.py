"""Measure ways and tiles for each shape and number of tokens, print them against the floor, keep the fastest.

Minutes a shape, most of them Triton's compiler; what is measured is written after each number of tokens.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from tabulate import tabulate

from bench.floors import work_of
from bench.harness.clock import make_clock
from bench.harness.peaks import Peaks, floor_s, measure_peaks
from bench.peers.experts import is_grouped_fused
from bench.tune_experts.candidates import NUM_ROUNDS, search
from bench.tune_experts.layers import make_layers, measure_tilings
from fixtures.devices import DTYPES, resolve_device
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.reading import at_least, listed, one_of
from moevlm.costs import phase_cost
from moevlm.kernels.tilings import MEASURED, Entry, default_tiling, takes, write
from moevlm.presets import PRESETS, preset_config, preset_variants

ARMS = ("moe", "dense")
SCALES = tuple(name for name in PRESETS if set(ARMS) <= set(preset_variants(name)))  # others have no MoE with a twin
NUM_TOKENS = "1,2,4,8,16,32,64,128,256,512,1024,2048,4096,16384"
HEADERS = ("preset", "arm", "tokens", "way", "tiles", "ms a layer", "of the floor", "kept")


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="python -m bench.tune_experts", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--scale",
        dest="scales",
        type=listed(one_of(SCALES)),
        default="7b,34b",
        help=f"presets with an MoE and its twin: {', '.join(SCALES)} (default: %(default)s)",
    )
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N (default: %(default)s)")
    parser.add_argument(
        "--dtype", type=one_of(DTYPES), default="bfloat16", help="of weights and tokens (default: %(default)s)"
    )
    parser.add_argument(
        "--num-tokens",
        dest="tokens",
        type=listed(at_least(1)),
        default=NUM_TOKENS,
        help="of a layer (default: %(default)s)",
    )
    most = "tiles tried of each product, beside the predicted ones (default: all that there are)"
    rounds = "of all tiles, whose median counts (default: %(default)s)"
    parser.add_argument("--rounds", type=at_least(1), default=NUM_ROUNDS, metavar="N", help=rounds)
    parser.add_argument("--most-tiles", type=at_least(1), metavar="N", help=most)
    parser.add_argument("--out", type=Path, default=MEASURED, help="the table (default: the package's own)")
    chosen = parser.parse_args(arguments)
    try:
        if not chosen.device.startswith("cuda"):
            raise ValueError(f"--device must be a GPU, got {chosen.device}; CPUs have no table of these kernels")
        if not torch.cuda.is_available():
            raise ValueError(
                f"--device must be there, got {chosen.device} on a machine without; run it where there is a GPU"
            )
        chosen.device = resolve_device(chosen.device)
        chosen.dtype = DTYPES[chosen.dtype]
    except ValueError as error:
        parser.error(str(error))
    return chosen


def tune(preset: str, arm: str, num_tokens: int, chosen: argparse.Namespace, peaks: Peaks) -> list[tuple[object, ...]]:
    """Measure every way of one shape at one number of tokens, write the fastest, return the table's rows."""
    from moevlm.kernels.triton.ops import shape_of, shared_bytes

    index, text = chosen.device.index, preset_config(preset).text_config
    top_k = text.num_experts_per_tok if arm == "moe" else text.num_experts
    shape = shape_of(index, chosen.dtype, top_k, text.num_experts, text.moe_intermediate_size, text.hidden_size)
    clock = make_clock(chosen.device)
    layers = make_layers(shape, chosen.device, chosen.dtype, num_tokens, seed=num_tokens)
    measure = partial(measure_tilings, layers=layers, shape=shape, clock=clock, num_rounds=chosen.rounds)
    ways = [
        way
        for way in shape.ways
        if takes(way, shape, num_tokens) and (way != "grouped_mm" or is_grouped_fused(chosen.dtype))
    ]
    first = {way: default_tiling(way, shape.dtype, shared_bytes(index)) for way in ways}
    searched = {way: search(first[way], measure, most_tiles=chosen.most_tiles) for way in ways}
    found = [one for one in searched.values() if one]
    kept = min(found, key=lambda one: one.seconds, default=None)
    if kept:
        entry = Entry(shape=shape, num_tokens=num_tokens, tiling=kept.tiling, seconds=kept.seconds)
        write([entry], chosen.out)
    cost = phase_cost(preset_config(preset, arm), "experts", seq_len=num_tokens, dtype_bytes=chosen.dtype.itemsize)
    least_s = floor_s(work_of([cost]), asdict(peaks))
    assert least_s is not None, "work and peaks are known"
    timed = [
        (preset, arm, num_tokens, tiling.way, " ".join(str(tuple(tile)) for tile in tiling.tiles),
         f"{1e3 * time_s:.3f}", f"{100 * least_s / time_s:.0f} %", "kept" if kept and tiling is kept.tiling else "")
        for tiling, time_s in found
    ]  # fmt: skip
    return [*timed, *((preset, arm, num_tokens, way, "none is right and fits") for way in ways if not searched[way])]


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune what the command line asks for."""
    chosen = read_arguments(arguments)
    torch.cuda.set_device(chosen.device)
    peaks = measure_peaks(make_clock(chosen.device), chosen.device, chosen.dtype)
    say(
        f"{torch.cuda.get_device_name()}: {peaks.matmul_flop_per_s / 1e12:.0f} TFLOP/s in {chosen.dtype}, "
        f"{peaks.copy_byte_per_s / 1e12:.2f} TB/s copied; experts hit as uniform routing hits them"
    )
    with torch.inference_mode():
        for preset in chosen.scales:
            for arm in ARMS:
                rows = [row for tokens in chosen.tokens for row in tune(preset, arm, tokens, chosen, peaks)]
                say(tabulate(rows, headers=HEADERS, tablefmt="github"))
    say(f"written: {chosen.out}")


if __name__ == "__main__":
    sys.exit(run_program(main))
