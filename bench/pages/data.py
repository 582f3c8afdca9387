"""A page's tables as files: plain rows, a CSV each, beside the page and named after it."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.gate.stats import Interval
from bench.harness.record import replace_text

FOLDER = Path("tables")  # beside the page
DIGITS = 6  # significant, of a fraction


def write_tables(page: Path, tables: Mapping[str, Sequence[Any]]) -> dict[str, Path]:
    """Write each table.

    Args:
        page: the file whose tables these are.
        tables: rows by the table's name, dataclasses or mappings of one kind each; one without rows is not written.

    Returns:
        By name where each lies, relative to the page: for links.
    """
    links = {name: FOLDER / f"{page.stem}-{name}.csv" for name, rows in tables.items() if rows}
    for name, link in links.items():
        path = page.parent / link
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, csv_text(tables[name]))
    return links


def csv_text(rows: Iterable[Any]) -> str:
    """Return rows as CSV: a column a field, three of an interval, one a key of a mapping.

    Args:
        rows: dataclasses or mappings of one kind; the keys of a mapping are those of any row.
    """
    flat = [dict(_columns(row)) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _columns(row: Any) -> Iterator[tuple[str, object]]:
    fields = row if isinstance(row, Mapping) else {one.name: getattr(row, one.name) for one in dataclasses.fields(row)}
    for name, value in fields.items():
        yield from _cells(name, value)


def _cells(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Spread one field over its columns."""
    if isinstance(value, Interval):
        yield from zip((name, f"{name}_low", f"{name}_high"), map(_number, value), strict=True)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _cells(f"{name}_{key}", part)
    elif isinstance(value, tuple | list):
        yield name, " ".join(map(str, value))
    else:
        yield name, _number(value) if isinstance(value, float) else value


def _number(value: float) -> str:
    return f"{value:.{DIGITS}g}"
