"""Write the work of decode and prefill over batch and length: `python -m bench.grid --scale 7b,34b --out FILE`.

`python -m bench results RECORD... FILE` predicts the cells that no record holds from it. Routing is uniform, a request
has one image, and every number of experts that a batch hits is the expected one.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from bench.floors import Work, work_of
from bench.harness.writing import replace_text
from bench.pages.results.cells import KIND, SCHEMA_VERSION
from fixtures.options import OPTIONS
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.reading import listed, one_of
from moevlm.costs import phase_cost
from moevlm.presets import PRESETS, VARIANTS, preset_config, preset_variants

PHASES = ("decode", "prefill")
BATCHES, LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512), (640, 1024, 2048, 4096)
DTYPE_BYTES = {"bfloat16": 2, "float32": 4}


def cells_document(scales: Sequence[str], arms: Sequence[str], dtype: str) -> dict[str, Any]:
    """Return the document, as `bench.pages.results.cells` describes it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "dtype": dtype,
        "cells": [cell for scale in scales for cell in _cells(scale, arms, DTYPE_BYTES[dtype])],
    }


def _cells(scale: str, arms: Sequence[str], dtype_bytes: int) -> Iterator[dict[str, Any]]:
    known = [arm for arm in arms if arm in preset_variants(scale)]
    for phase, batch_size, length in product(PHASES, BATCHES, LENGTHS):
        costs = {arm: _cost(scale, arm, phase, batch_size, length, dtype_bytes) for arm in known}
        yield {"scale": scale, "phase": phase, "batch_size": batch_size, "length": length, "costs": costs}


def _cost(scale: str, arm: str, phase: str, batch_size: int, length: int, dtype_bytes: int) -> Work:
    load = {"batch_size": batch_size, "seq_len": length, "num_tiles": batch_size if phase == "prefill" else 0}
    return work_of([phase_cost(preset_config(scale, arm), phase, **load, dtype_bytes=dtype_bytes)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the document."""
    parser = Parser(prog="python -m bench.grid", description="Write the work of cells of batch and length.")
    parser.add_argument("--scale", type=OPTIONS["--scale"]["type"], required=True, help=f"of {', '.join(PRESETS)}")
    arms = f"default: {', '.join(VARIANTS)}"
    parser.add_argument("--arms", type=listed(one_of(VARIANTS)), default=VARIANTS, metavar="NAME,...", help=arms)
    parser.add_argument("--dtype", choices=DTYPE_BYTES, default="bfloat16", help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="takes the document")
    options = parser.parse_args(arguments)
    document = cells_document(options.scale, options.arms, options.dtype)
    replace_text(options.out, json.dumps(document) + "\n")
    say(f"written: {options.out}")


if __name__ == "__main__":
    sys.exit(run_program(main))
