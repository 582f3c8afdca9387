"""Write the work of decode and prefill over batch and length: `python -m bench.grid --scale 7b,34b --out FILE`.

`python -m bench results RECORD... FILE` predicts the cells that no record holds from it, and composes answers to the
requests of drawn lengths in it. A request of a cell has one image, and every number of experts that a batch hits is the
expected one.
"""

import json
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from bench.grid.requests import requests_of
from bench.grid.work import DTYPE_BYTES, cells_document
from bench.harness.writing import replace_text
from bench.pages.results.cells import UNIFORM
from fixtures.options import OPTIONS
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.reading import listed, one_of, routing_profile
from fixtures.workload import VISUAL_GRIDS, WORKLOADS
from moevlm.presets import PRESETS, VARIANTS


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the document."""
    parser = Parser(prog="python -m bench.grid", description="Write the work of cells of batch and length.")
    parser.add_argument("--scale", type=OPTIONS["--scale"]["type"], required=True, help=f"of {', '.join(PRESETS)}")
    arms = f"default: {', '.join(VARIANTS)}"
    parser.add_argument("--arms", type=listed(one_of(VARIANTS)), default=VARIANTS, metavar="NAME,...", help=arms)
    parser.add_argument("--dtype", choices=DTYPE_BYTES, default="bfloat16", help="default: %(default)s")
    routing = "profiles whose experts a formula counts; default: uniform"
    parser.add_argument(
        "--routing", type=listed(routing_profile), default=(UNIFORM,), metavar="PROFILE,...", help=routing
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="takes the document")
    options = parser.parse_args(arguments)
    document = cells_document(options.scale, options.arms, options.dtype, routings=options.routing)
    document["requests"] = [
        requests_of(scale, options.arms, workload, visual, DTYPE_BYTES[options.dtype])
        for scale, visual, workload in product(options.scale, VISUAL_GRIDS, WORKLOADS)
    ]
    replace_text(options.out, json.dumps(document) + "\n")
    say(f"written: {options.out}")


if __name__ == "__main__":
    sys.exit(run_program(main))
