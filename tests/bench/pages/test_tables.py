"""Tests of a page's tables as files."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from bench.gate.stats import Interval
from bench.pages.tables import csv_text


@dataclass(frozen=True)
class Row:
    name: str
    speedup: Interval | None
    seconds: Mapping[str, float]
    batches: tuple[int, ...] = ()


ROWS = [
    Row("a, b", Interval(1.5, 1.25, 2.0), {"moe": 1 / 3}, (1, 4)),
    Row("c", None, {"moe": 2.0, "dense": 1234567.0}),
]


def test_an_interval_is_three_columns_and_a_mapping_one_a_key() -> None:
    first, second = csv.DictReader(csv_text(ROWS).splitlines())
    assert first == {
        "name": "a, b",
        "speedup": "1.5",
        "speedup_low": "1.25",
        "speedup_high": "2",
        "seconds_moe": "0.333333",
        "seconds_dense": "",
        "batches": "1 4",
    }
    assert second["seconds_dense"] == "1.23457e+06"
    assert (second["speedup_low"], second["batches"]) == ("", "")
