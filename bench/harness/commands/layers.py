"""layers: print where the time of decoder layers goes, and draw it against the specialization of the experts."""

import argparse
from pathlib import Path

from bench.harness.commands.parsing import Commands
from bench.harness.layers.cells import read_cells
from bench.harness.layers.tables import (
    APART_HEADERS,
    ARM_HEADERS,
    CROSSING_HEADERS,
    PART_HEADERS,
    apart_rows,
    arm_rows,
    crossing_rows,
    part_rows,
    that_do_not_add_up,
)
from bench.harness.plot.layers import draw_layers
from bench.harness.record import load
from bench.harness.report import machine_line, markdown_table

IMAGES = Path("docs/images")
TABLES = {
    "Time of one layer of the MoE, by routing": (PART_HEADERS, part_rows),
    "MoE and dense layers": (ARM_HEADERS, arm_rows),
    "The experts' work run apart": (APART_HEADERS, apart_rows),
    "Tokens that would leave their device, on two devices, at home by modality (counted)": (
        CROSSING_HEADERS,
        crossing_rows,
    ),
}


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("layers", help="where the time of decoder layers goes: tables and figures")
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="of pytest bench/bench_layers.py")
    parser.add_argument("--out", type=Path, default=IMAGES, metavar="DIR", help="takes the SVGs; default: %(default)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the tables as markdown, what does not add up, and what was drawn."""
    records = [load(path) for path in options.records]
    cells = read_cells(records)
    for title, (headers, rows_of) in TABLES.items():
        if rows := rows_of(cells):
            print(f"**{title}**\n\n{markdown_table(headers, rows)}\n")
    for record in records:
        print(f"{machine_line(record)}\n")
    for said in that_do_not_add_up(cells):
        print(f"does not add up: {said}")
    for path in draw_layers(cells, options.out):
        print(f"drawn: {path}")
    return 0
