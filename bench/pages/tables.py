"""A page's tables: plain rows as CSV."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.gate.stats import Interval
from fixtures.programs.visible import visible

DIGITS = 6  # significant, of a fraction


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
            yield from _cells(visible(f"{name}_{key}"), part)
    elif isinstance(value, tuple | list):
        yield name, " ".join(map(str, value))
    else:
        yield name, _number(value) if isinstance(value, float) else visible(value) if isinstance(value, str) else value


def _number(value: float) -> str:
    return f"{value:.{DIGITS}g}"
