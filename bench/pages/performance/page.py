"""The page on performance: rendered from records and written with its tables, the same each time."""

from collections.abc import Mapping
from pathlib import Path

from bench.harness.record import Record, replace_text
from bench.pages.data import write_tables
from bench.pages.engine import render
from bench.pages.performance.facts import facts
from bench.pages.performance.points import DECODE, EXPERTS, read_points

TABLES = {"experts": EXPERTS, "decode": DECODE}  # a table's name -> the benchmark that its rows are of


def write(out: Path, records: Mapping[Path, Record], command: str) -> list[Path]:
    """Write the page and its tables.

    Args:
        out: the page.
        records: of bench_experts and of decode_peers, by their paths.
        command: that writes the page.

    Returns:
        The files that were written.

    Raises:
        ValueError: as `read_points`.
    """
    points = read_points(records)
    links = write_tables(out, {name: [one for one in points if one.benchmark == of] for name, of in TABLES.items()})
    text = render("performance/template.md", {**facts(records, points), "command": command, "links": links})
    replace_text(out, text)
    return [out, *(out.parent / link for link in links.values())]
