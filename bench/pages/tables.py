"""A page's tables: plain rows as CSV, in which a spreadsheet finds text and numbers, no formula."""

import csv
import dataclasses
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.gate.stats import Interval
from fixtures.programs.visible import visible

DIGITS = 6  # significant, of a fraction
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII)
# What spreadsheets compute, also with wide signs, and behind the separator of those whose decimals have commas.
FORMULA = re.compile("(^|;)(?= *[=+@\uff1d\uff0b\uff0d\uff20-].)")


def csv_text(rows: Iterable[Any]) -> str:
    """Return rows as CSV: a column a field, three of an interval, one a key of a mapping.

    Args:
        rows: dataclasses or mappings of one kind; the keys of a mapping are those of any row.
    """
    flat = [dict(_columns(row)) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_text, columns))
    writer.writerows([row.get(name, "") for name in columns] for row in flat)
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
        yield name, _text(" ".join(map(str, value)))
    elif isinstance(value, float):
        yield name, _number(value)
    else:
        yield name, value if value is None or isinstance(value, int) else _text(str(value))


def _text(text: str) -> str:
    """Write what hides in a text out, and put the mark of a text before what would be a formula."""
    said = visible(text)
    return said if NUMBER.fullmatch(said) else FORMULA.sub(r"\1'", said)


def _number(value: float) -> str:
    return f"{value:.{DIGITS}g}"
