"""Print how many parameters each variant of a preset has, and how near the dense ones come to what they match."""

import argparse
import sys
from collections.abc import Sequence

from tabulate import tabulate

from moevlm.model.parameters import ParameterCounts, parameter_counts
from moevlm.presets import PRESETS, preset_config, preset_variants
from moevlm_programs.parsing import Parser
from moevlm_programs.program import run_program
from moevlm_programs.terminal import say

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
BYTES_PER_GIB = 2**30
# The count of the MoE's that a variant matches.
PARITY_BASES = {"dense": "text", "dense_active": "active", "dense_reference": "text"}
TABLE_HEADERS = ("preset", "variant", "total", "text", "active", "FFN", "vision", "GiB", "difference to moe")


def _preset_name(name: str) -> str:
    try:
        preset_variants(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name


def _table_rows(name: str, *, dtype_bytes: int, depth: int | None) -> list[tuple[str | int | float, ...]]:
    """Return a line of TABLE_HEADERS for each variant of a preset."""
    counts = {variant: parameter_counts(preset_config(name, variant, depth=depth)) for variant in preset_variants(name)}
    return [
        (name, variant, f"{one.total:,}", f"{one.text:,}", f"{one.active:,}", f"{one.ffn:,}", f"{one.vision:,}",
         f"{one.total * dtype_bytes / BYTES_PER_GIB:.2f}", _difference(variant, counts))
        for variant, one in counts.items()
    ]  # fmt: skip


def _difference(variant: str, counts: dict[str, ParameterCounts]) -> str:
    """Return how far a dense variant's text parameters are from the count of the MoE that it matches."""
    basis = PARITY_BASES.get(variant)
    if basis is None or "moe" not in counts:
        return ""
    target = getattr(counts["moe"], basis)
    return f"{(counts[variant].text - target) / target:+.3%} of {basis}"


def _parser() -> Parser:
    parser = Parser(prog="python -m moevlm.presets", description="Print the presets' parameters.")
    parser.add_argument(
        "names",
        nargs="*",
        type=_preset_name,
        default=list(PRESETS),
        metavar="PRESET",
        help=f"of {', '.join(PRESETS)} (default: all)",
    )
    parser.add_argument(
        "--dtype", choices=DTYPE_BYTES, default="bfloat16", help="what a weight is stored in (default: %(default)s)"
    )
    parser.add_argument("--depth", type=int, metavar="N", help="decoder layers; widths stay (default: all)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of the presets named on the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    table = {"dtype_bytes": DTYPE_BYTES[options.dtype], "depth": options.depth}
    try:
        rows = [row for name in options.names for row in _table_rows(name, **table)]
    except ValueError as error:
        parser.error(str(error))
    say(tabulate(rows, headers=TABLE_HEADERS, disable_numparse=True, stralign="right"))


if __name__ == "__main__":
    sys.exit(run_program(main))
