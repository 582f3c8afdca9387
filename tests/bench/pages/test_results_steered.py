"""What a routing changes: tables beside uniform routing, against speed-ups made by hand."""

from collections.abc import Mapping
from pathlib import Path

from bench.harness.record import Scenario
from bench.pages.results.page import results_page
from bench.pages.results.steered import Steered, is_steered, steered
from bench.pages.write import page_text
from tests.bench.pages.sample_gains import PEAKS, gains, scenario
from tests.bench.sample_records import record_of

UNIFORM = {1: 6.0, 8: 2.0, 16: 1.5}  # batch -> times as fast


def routed(speedups: Mapping[int, float], routing: str) -> list[Scenario]:
    return [scenario(1.0, by, batch=batch, routing=routing) for batch, by in speedups.items()]


def tables(*of: list[Scenario]) -> list[Steered]:
    return steered(gains(*(one for each in of for one in each)))


def test_a_table_has_the_batches_that_were_steered_and_uniform_routing_first() -> None:
    (table,) = tables(routed({1: 6.5, 8: 4.0}, "paper-smoes"), routed(UNIFORM, "uniform"), routed({8: 5.0}, "hard"))
    assert (table.scale, table.phase, table.length, table.machine) == ("7b", "decode", "1024", "")
    assert table.batches == [1, 8]
    assert {routing: [cell.split("x")[0] for cell in row] for routing, row in table.rows.items()} == {
        "uniform": ["6.00", "2.00"],
        "hard": ["", "5.00"],
        "paper-smoes": ["6.50", "4.00"],
    }
    assert next(iter(table.rows)) == "uniform"


def test_without_uniform_routing_beside_it_nothing_is_steered() -> None:
    assert tables(routed({1: 6.5}, "paper-smoes")) == []
    found = gains(*routed({1: 6.5}, "paper-smoes"), *routed(UNIFORM, "uniform"))
    assert [is_steered(gain, found) for gain in found] == [gain.routing == "paper-smoes" for gain in found]
    assert [is_steered(gain, found[:1]) for gain in found[:1]] == [False]


def test_the_page_tells_what_a_routing_changes_apart_from_the_rows_of_scales(tmp_path: Path) -> None:
    both = record_of(*routed(UNIFORM, "uniform"), *routed({8: 4.0}, "paper-smoes"), peaks=PEAKS)
    said = page_text(tmp_path / "p.md", results_page({Path("a.json"): both}, {}), "the command")
    assert "| 7b, decode, 1024 tokens | 8 |\n|---|---|\n| uniform | 2.00x [" in said
    assert "\n| paper-smoes | 4.00x [" in said
    assert "paper-smoes routing" not in said
    assert "1.50 to 6.00 times as fast" in said
