"""Tests of the page about layers: a made-up record through the template, and the page in docs through its command."""

import re
from pathlib import Path

import pytest

from bench.harness.record import Record, Scenario
from bench.pages.layers.page import layers_page
from bench.pages.write import page_text
from tests.bench.pages.sample_layers import FACTS, devices_scenario, layers_scenario
from tests.bench.sample_records import record_of

BESIDE = {"layers": 0.080, "experts": 0.025}  # seconds under uniform routing; steered ones take 0.040 and 0.020


TITLE = "Specialization and latency: where a layer's time goes"


def page(*records: Record) -> str:
    content = layers_page({Path(f"{number}.json"): record for number, record in enumerate(records)})
    return page_text(Path("docs/page.md"), content, "the command")


def steered(uniform: dict[str, float] = BESIDE, **fields: object) -> Record:
    return record_of(layers_scenario(dense=False, uniform=uniform, **fields))  # type: ignore[arg-type]


def uniform() -> Scenario:
    known = {"msi": 0.1, "distinct_experts": 48.0, "crossing_bins": 0.9, "crossing_in_order": 0.96}
    return layers_scenario(routing="uniform", facts={**FACTS, **known})


def rows(said: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, its own headers first."""
    lines = said.partition(f"# {heading}\n")[2].splitlines()
    table = lines[next(number for number, line in enumerate(lines) if line.startswith("|")) :]
    end = next(number for number, line in enumerate(table) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[:end] if "---" not in line]


@pytest.fixture(scope="module")
def whole() -> str:
    same, slower = steered({"layers": 0.040}, batch_size=1), steered({"layers": 0.020}, seq_len=1024)
    return page(steered(), record_of(uniform()), same, slower, record_of(devices_scenario()))


def test_conclusions_come_first_with_the_least_and_the_greatest_multiple(whole: str) -> None:
    said = " ".join(whole.partition(TITLE)[2].partition("|")[0].split())
    assert (
        "Under the most specialized routing (specialized:2) a layer takes, of its time under uniform routing," in said
    )
    assert (
        "in **decode** 0.50x [0.50, 0.50] to 2.00x [2.00, 2.00], less by its interval in 1 of 3 passes, more in 1."
        in said
    )
    assert "spends 50 % of its time in its experts" in said


def test_a_place_shows_each_length_beside_dense_layers_and_the_experts_hit(whole: str) -> None:
    assert rows(whole, TITLE) == [
        ["scale", "phase", "batch", "640 tokens", "1024 tokens", "dense / MoE", "experts hit"],
        ["7b, 2 of 16 layers", "decode", "1", "1.00x [1.00, 1.00]", "", "", "→ 40.0"],
        ["7b, 2 of 16 layers", "decode", "8", "0.50x [0.50, 0.50]", "2.00x [2.00, 2.00]", "2.00", "48.0 → 40.0"],
    ]


def test_parts_are_shares_of_the_layer_beside_floor_and_prediction(whole: str) -> None:
    """16 MB take 16 of a layer pass's 40 ms and of the experts' 20; 50 experts of 40 or of 48 make 10 or 8.33 ms."""
    assert rows(whole, "Where the time goes")[1] == [
        *("7b, 2 of 16 layers", "decode", "20 %", "5 %", "10 %", "50 %", "40 %", "80 %", "1.00 to 1.20", "1.50"),
    ]
    assert "parts sum to 0.85 to 1.00 of their layer, layers and ends to 1.00 of their pass" in whole


def test_crossing_is_that_of_the_largest_prompt_against_uniform_routing_in_order() -> None:
    small = record_of(layers_scenario(batch_size=1, facts={**FACTS, "crossing_bins": 0.7}))
    said = page(small, record_of(layers_scenario(), uniform()))
    assert rows(said, "Under expert parallelism") == [
        ["scale", "uniform", "specialized:2"],
        ["7b", "90.0 % (-6.2 %)", "30.0 % (-68.8 %)"],
    ]
    assert rows(page(small), "Under expert parallelism")[1] == ["7b", "70.0 %"]


def test_experts_on_several_devices_are_held_against_those_in_order(whole: str) -> None:
    said = " ".join(whole.partition("[Measured](distributed.md")[2].split())
    assert (
        "1.00 s [1.00 s, 1.00 s], 2.00x [2.00, 2.00] as fast as in index order; 3.00 KiB sent, not 5.00 KiB; the"
        in said
    )


def test_a_page_says_what_is_absent() -> None:
    said = page(record_of(uniform()))
    assert "No steered profile was measured beside uniform routing." in said
    assert "Nothing was measured on several devices." in said
    assert rows(said, TITLE)[1][-1] == "48.0 →"


def test_devices_alone_make_a_page_without_layers() -> None:
    said = page(record_of(devices_scenario()))
    assert "2.00x [2.00, 2.00] as fast as in index order" in said
    assert "No decoder layer is in the records." in said
    assert not re.search("^[|!]|#where", said, re.M)


@pytest.mark.parametrize(("device", "missing"), [("cpu", "A GPU, and full depth"), ("cuda", "Other GPUs")])
def test_what_is_missing_depends_on_the_machine(device: str, missing: str) -> None:
    record = steered()
    assert missing in page(record_of(*record.scenarios.values(), kind={**record.kind, "device": device}))


def test_the_records_and_the_command_are_named(whole: str) -> None:
    assert "- 5 records: transformers 5.23.0" in whole
    assert "Written by `the command`" in whole


def test_records_of_neither_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="must hold scenarios of bench_layers, got none; measure some"):
        layers_page({Path("a.json"): record_of()})
