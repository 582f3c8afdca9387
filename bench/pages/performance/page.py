"""The page about the expert backends: a template whose tables and results come from records, the same each time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from string import Template

from bench.gate.markdown import bullets_or, escape, table_or
from bench.harness.record import Record
from bench.pages.performance.cells import (
    CONTENDED,
    DECODE,
    EXPERTS,
    QUIET,
    UNTOLD,
    Cell,
    grouped,
    once,
    read_cells,
    voided,
)
from bench.pages.performance.sentences import backend_results, decode_results, repeats
from bench.pages.performance.tables import FLOOR_HEADERS, decode_table, experts_table, floor_rows, place, setting
from bench.pages.report import does_not_fit, machine_line

TEMPLATE = Path(__file__).with_name("template.md")
ABSENT = "Nothing of this is in the records."
TITLES = {QUIET: "Quiet", CONTENDED: "Contended", UNTOLD: "Named neither quiet nor contended"}
DEVICES = {"cpu": "a CPU", "cuda": "a GPU"}
NO_GPU = "Nothing here has run on a GPU."
GPU_RUN = "What a GPU runs instead is told on [its own page](performance-gpu.md)."

Body = Callable[[Sequence[Cell]], str]


def page(records: Mapping[Path, Record], command: str) -> str:
    """Fill the template.

    Args:
        records: Of bench_experts and of decode_peers, by their paths.
        command: That writes the page.

    Raises:
        ValueError: As `read_cells`.
    """
    cells = read_cells(records)
    devices = sorted({str(record.kind["device"]) for record in records.values()})
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        command=command,
        devices=" and ".join(DEVICES[device] for device in devices),
        gpu=GPU_RUN if "cuda" in devices else NO_GPU,
        experts=_sections("###", [cell for cell in cells if cell.benchmark == EXPERTS], _experts),
        decode=_sections("####", [cell for cell in cells if cell.benchmark == DECODE], _decode),
        records="\n".join(
            f"- `{path.as_posix()}`: <sub>{escape(machine_line(record))}</sub>" for path, record in records.items()
        ),
        left_out=_left_out(records.values()),
    )


def _sections(level: str, cells: Sequence[Cell], body: Body) -> str:
    """Head the cells of each condition and machine; a condition that records could be of and none is says so."""
    said = []
    for condition, title in TITLES.items():
        machines = grouped([cell for cell in cells if cell.condition == condition], lambda cell: (cell.machine,))
        said += [_section(f"{level} {title}: {escape(of_one[0].machine)}", of_one, body) for of_one in machines]
        if not machines and condition != UNTOLD:
            said.append(f"{level} {title}\n\n{ABSENT}")
    return "\n\n".join(said)


def _section(heading: str, cells: Sequence[Cell], body: Body) -> str:
    sources = ", ".join(dict.fromkeys(f"`{cell.source.as_posix()}`" for cell in cells))
    again = bullets_or("", repeats(cells))
    return "\n\n".join(filter(None, [heading, f"From {sources}.", body(once(cells)), again]))


def _experts(cells: Sequence[Cell]) -> str:
    tables = [
        f"{escape(', '.join(setting(part[0])))}:\n\n{table_or(ABSENT, *experts_table(part))}"
        for part in grouped(cells, setting)
    ]
    return "\n\n".join([*tables, bullets_or(ABSENT, backend_results(cells)), _floors(cells)])


def _floors(cells: Sequence[Cell]) -> str:
    return f"Share of the floor:\n\n{table_or(ABSENT, FLOOR_HEADERS, floor_rows(cells))}"


def _decode(cells: Sequence[Cell]) -> str:
    return "\n\n".join(
        f"{escape(', '.join(place(part[0])))}:\n\n{table_or(ABSENT, *decode_table(part))}\n\n"
        f"{bullets_or(ABSENT, decode_results(part))}"
        for part in grouped(cells, place)
    )


def _left_out(records: Iterable[Record]) -> str:
    """List what was to be measured and was not."""
    held = list(records)
    said = [why for record in held for why in does_not_fit(record)]
    said += [
        f"{name}: every block was void, for the device was throttled" for record in held for name in voided(record)
    ]
    return f"\nNot measured:\n\n{bullets_or('', said)}\n" if said else ""
