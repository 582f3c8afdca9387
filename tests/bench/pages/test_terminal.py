"""Tests of tables on terminals of 80, 120 and 200 columns: whole words and numbers, with records that were measured."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.text import Text

from bench.gate.verdict import Verdict
from bench.harness.record import Record, load
from bench.pages.extrapolate import EXTRAPOLATION_HEADERS, extrapolation_rows, extrapolations
from bench.pages.rows import Row, arm_rows, rows_of
from bench.pages.terminal import STYLES, report_lines, table_lines
from tests.bench.sample_records import record_of, scenario
from tests.bench.sample_verdicts import NAME, change, said_of

RECORDS = Path(__file__).parents[3] / "docs" / "records"
MEASURED = ("proxy-cpu", "grid-workloads-cpu", "layers-7b-prefill-1024-cpu", "peers-native-decode-float32")
SAMPLES = {"moe": [0.002] * 6, "dense": [0.004] * 6, "anchor": [0.001] * 6}
SLOWER = said_of(Verdict.REGRESSED, change(Verdict.REGRESSED))


def shown(record: Record, width: int, *, parts: bool = False) -> list[str]:
    verdicts = dict.fromkeys(record.scenarios, SLOWER)
    rows = rows_of(record, verdicts, parts=parts)
    return [line.plain for line in report_lines(rows, arm_rows(record, parts=parts), width)]


def whole_words(cells: Sequence[Sequence[str]]) -> set[str]:
    """Return the words and numbers of rows; a share of two arms, "3 / 3 %", is one of each in a narrow table."""
    return {word for row in cells for cell in row for word in re.split(r"[ /,]+", cell)} - {"", "·", "%"}


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("name", MEASURED)
def test_a_measured_record_fits_with_every_word_and_number_whole(name: str, width: int) -> None:
    record = load(RECORDS / f"{name}.json")
    lines = shown(record, width)
    assert max(map(cell_len, lines)) <= width
    words = {word for line in lines for word in re.split(r"[ /,]+", line)}
    assert whole_words([row.cells() for row in rows_of(record, {})]) - words == set()
    assert sum(line.split()[0] in record.scenarios for line in lines) == len(record.scenarios)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_extrapolations_fit_with_every_word_whole(width: int) -> None:
    found = extrapolation_rows(extrapolations(load(RECORDS / "grid-prefill-cpu.json")))
    assert found
    lines = [line.plain for line in table_lines(EXTRAPOLATION_HEADERS, found, width)]
    assert max(map(cell_len, lines)) <= width
    assert whole_words(found) - {word for line in lines for word in re.split(r"[ /,]+", line)} == set()


def test_a_scenario_has_a_line_with_its_verdict_and_one_below_for_each_arm() -> None:
    assert shown(record_of(scenario(SAMPLES, rates={"output_tok_per_s": 8.0})), 80) == [
        "  arm    value                  arm / MoE [95 %]",
        "bench_decode[tiny-b1]  moe/dense +30.0 % [10 %]  REGRESSED",
        "  moe    2.00 ms · 4,000 tok/s",
        "  dense  4.00 ms · 2,000 tok/s  2.00x [2.00, 2.00]",
    ]


def test_shares_of_the_peaks_have_columns_where_there_is_room_and_a_line_where_there_is_none() -> None:
    record = record_of(scenario({**SAMPLES, "llama.cpp/" + "x" * 20: [0.001] * 6}, cost={"flops": 1e6, "bytes": 5e5}))
    assert shown(record, 80)[2:] == [
        "  moe                             2.00 ms",
        "  dense                           4.00 ms  2.00x [2.00, 2.00]",
        "  llama.cpp/xxxxxxxxxxxxxxxxxxxx  1.00 ms  0.50x [0.50, 0.50]",
        "  MFU 50 / 25 / 100 %, MBU 25 / 12 / 50 %, floor 50 / 25 / 100 %",
    ]
    assert shown(record, 100)[3].split() == [
        "dense",
        "4.00",
        "ms",
        "2.00x",
        "[2.00,",
        "2.00]",
        "25",
        "%",
        "12",
        "%",
        "25",
        "%",
    ]


def test_change_and_verdict_stand_below_a_name_that_leaves_no_room() -> None:
    name = f"bench_decode[{'x' * 50}]"
    rows = [Row(scenario=name, change="moe/dense +30.0 % [10 %]", verdict=Verdict.REGRESSED)]
    assert [line.plain for line in report_lines(rows, {}, 80)] == [name, "  moe/dense +30.0 % [10 %]  REGRESSED"]


def test_a_wide_terminal_has_a_line_a_row_without_empty_columns() -> None:
    head, line = shown(record_of(scenario(SAMPLES)), 200)
    assert head.split("  ")[0] == "scenario"
    assert "MFU" not in head
    assert line.split() == (
        f"{NAME} 2.00 ms dense 4.00 ms 2.00x [2.00, 2.00] moe/dense +30.0 % [10 %] REGRESSED".split()
    )


def test_what_no_columns_hold_has_a_line_a_cell() -> None:
    lines = [line.plain for line in table_lines(("name", "first", "second"), [("a" * 30, "b" * 30, "c" * 30)], 40)]
    assert lines == ["a" * 30, f"  first: {'b' * 30}", f"  second: {'c' * 30}"]


@pytest.mark.parametrize("width", [80, 200])
def test_layers_are_a_row_and_their_parts_are_shown_on_demand(width: int) -> None:
    record = load(RECORDS / "layers-7b-prefill-1024-cpu.json")
    assert "moe/attention" not in " ".join(shown(record, width))
    assert sum("moe/attention" in line for line in shown(record, width, parts=True)) == len(record.scenarios)


@pytest.mark.parametrize("width", [80, 200])
def test_a_verdict_has_its_colour_and_nothing_else_has(width: int) -> None:
    record = record_of(scenario(SAMPLES))
    rows = rows_of(record, {NAME: SLOWER})
    coloured = [
        (line.plain[span.start : span.end], span.style)
        for line in report_lines(rows, arm_rows(record), width)
        for span in line.spans
    ]
    assert coloured == [("REGRESSED", STYLES[Verdict.REGRESSED])]


def test_every_verdict_has_a_colour() -> None:
    assert set(STYLES) == set(Verdict)


def test_names_take_nothing_for_markup_and_steer_no_terminal() -> None:
    (_, line) = table_lines(("at [all]", "b"), [("[b]x\x1b[2J", "c")], 80)
    assert isinstance(line, Text)
    assert line.plain == "[b]x\\x1b[2J  c"
