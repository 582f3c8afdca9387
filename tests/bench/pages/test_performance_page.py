"""Tests of the page about backends: sentences by hand from a few seconds, what is absent, and the committed page."""

import re
from pathlib import Path

import pytest

from bench import __main__ as commands
from bench.harness.environment import kind_key
from bench.harness.record import Record, Scenario
from bench.pages.performance.cells import Cell, read_cells
from bench.pages.performance.page import page
from bench.pages.performance.sentences import backend_results, decode_results, repeats
from tests.bench.pages.sample_backends import decode, experts
from tests.bench.sample_records import FINGERPRINT, record_of

ROOT = Path(__file__).parents[3]
ABSENT = "Nothing of this is in the records."
PEER = "transformers/eager"


def of_dtype(dtype: str, *scenarios: Scenario, **fields: object) -> Record:
    return record_of(*scenarios, kind=kind_key({**FINGERPRINT, "dtype": dtype, **fields}))


def cells(*scenarios: Scenario) -> list[Cell]:
    return read_cells({Path("experts-quiet-a.json"): record_of(*scenarios)})


def test_a_mean_is_geometric_and_the_lowest_interval_is_named() -> None:
    """The ratios are 2 and 8."""
    found = cells(experts({"moe": 0.001, PEER: 0.002}), experts({"moe": 0.001, PEER: 0.008}, tokens=2048))
    assert backend_results(found) == [
        "**float32, uniform routing, moevlm**: 4.00 times as fast as the best of theirs, the geometric mean of "
        "2 points; the lowest interval begins at 2.00 (7b@2 at 1 token); every interval lies above 1."
    ]


def test_points_that_are_no_faster_are_counted_and_named() -> None:
    unsure = {"moe": (0.002,) * 6, PEER: (0.001, 0.001, 0.002, 0.002, 0.003, 0.003)}
    found = cells(
        experts(unsure),
        experts({"moe": 0.004, PEER: 0.001}, tokens=8, cost=None),
        experts({"moe": 0.001, PEER: 0.004}, tokens=64),
    )
    (said,) = backend_results(found)
    assert said.endswith(
        "the lowest interval begins at 0.25 (7b@2 at 8 tokens); not told apart from 1 (1 of 3): 7b@2 at 1 token "
        "(50 % of the floor); slower than the best of theirs (1 of 3): 7b@2 at 8 tokens."
    )


def test_dtypes_are_told_apart_and_then_together() -> None:
    records = {
        Path(f"experts-quiet-{dtype}.json"): of_dtype(dtype, experts({"moe": 0.001, PEER: seconds}))
        for dtype, seconds in {"bfloat16": 0.004, "float32": 0.001}.items()
    }
    said = backend_results(read_cells(records))
    assert [one.partition(" times")[0] for one in said] == [
        "**bfloat16, uniform routing, moevlm**: 4.00",
        "**float32, uniform routing, moevlm**: 1.00",
        "**Over all dtypes** (uniform routing, moevlm): 2.00",
    ]


def test_without_peers_nothing_is_compared() -> None:
    alone = "measured beside no other project's code."
    assert backend_results(cells(experts({"moe": 0.1}))) == [f"**float32, uniform routing, moevlm**: {alone}"]
    assert decode_results(cells(decode({"moe": 0.1}))) == [f"**float32**: {alone}"]


def test_twice_as_fast_is_claimed_by_whole_intervals_alone() -> None:
    """At batch 4 the median is 3 and the interval begins at 1; 1 ms of floor against 6 ms allow 6 times."""
    wide = {"moe": (0.002,) * 6, PEER: (0.002, 0.006, 0.006, 0.006, 0.006, 0.008)}
    found = cells(decode({"moe": 0.002, PEER: 0.005}), decode(wide, batch=4))
    assert decode_results(found) == [
        "**float32**: 2.50 to 3.00 times as fast as the best of theirs; the whole interval lies above 2 at batch 1; "
        "at batch 4 what a step must read and compute takes 1.00 ms of our 2.00 ms, so 6.00 ms of theirs could at best "
        "become 6.00 times less."
    ]
    assert decode_results(found[:1])[0].endswith("; at every batch the whole interval lies above 2.")
    slow = decode_results(cells(decode({"moe": 0.002, PEER: 0.002}, cost=None)))
    assert slow == [
        "**float32**: 1.00 times as fast as the best of theirs; the whole interval lies above 2 at no batch."
    ]


def test_what_was_measured_again_is_told() -> None:
    found = cells(experts({"moe": 0.001, PEER: 0.002})) + cells(experts({"moe": (0.001,) * 2, PEER: (0.003,) * 2}))
    assert repeats(found) == [
        "Measured again: 7b@2 at 1 token in float32: 3.00 [3.00, 3.00] times as fast, of 2 blocks "
        "(`experts-quiet-a.json`); the table's is of 1."
    ]


def test_a_heading_without_records_says_so() -> None:
    said = page({Path("experts-quiet-a.json"): record_of(experts({"moe": 0.001, PEER: 0.002}))}, "the command")
    assert "Written by `the command`" in said
    assert "### Quiet: Acme(R) Core 6-1-2 avx2, 1 thread\n\nFrom `experts-quiet-a.json`.\n" in said
    assert f"### Contended\n\n{ABSENT}\n" in said
    assert f"#### Quiet\n\n{ABSENT}\n" in said
    assert "neither quiet nor contended" not in said
    assert "$" not in said


def test_a_page_of_decode_on_a_gpu_is_one_too() -> None:
    record = of_dtype("bfloat16", decode({"moe": 0.001}), device="cuda", device_model="NVIDIA H200")
    said = page({Path("h200.json"): record}, "")
    assert said.startswith("# Performance: the expert backends on a GPU\n")
    assert "Nothing here has run on a GPU." not in said
    assert "#### Named neither quiet nor contended: NVIDIA H200, 1 thread\n" in said
    assert (
        "Python 3.11.7, bfloat16, 1 thread, 2 x NVIDIA H200" in said.partition("\n- `h200.json`: <sub>transformers")[2]
    )


def test_machines_have_headings_of_their_own() -> None:
    records = {
        Path(f"experts-quiet-{n}.json"): of_dtype("float32", experts({"moe": 0.001}), num_threads=n) for n in (2, 16)
    }
    assert re.findall(r"^### Quiet: .*, (\d+) threads$", page(records, ""), re.M) == ["16", "2"]


def test_what_did_not_fit_is_listed() -> None:
    missing = {"scenario": "bench_experts[34b-t1]", "reason": "needs 64 GiB"}
    said = page({Path("a.json"): record_of(experts({"moe": 0.001}), not_fitting=(missing,))}, "")
    assert "\nNot measured:\n\n- bench_experts[34b-t1]: not measured, needs 64 GiB\n" in said


def test_experiments_without_a_record_say_so() -> None:
    said = page({Path("a.json"): record_of(experts({"moe": 0.001}))}, "")
    assert said.count("no record was kept") == 4


def test_the_page_in_docs_is_what_its_command_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    kept = (ROOT / "docs" / "performance.md").read_text()
    command = re.search(r"`python -m bench (performance .+) --out (\S+)`", kept)
    assert command, "the page names its command"
    out = tmp_path / "performance.md"
    assert commands.main([*command[1].split(), "--out", str(out)]) == 0
    assert out.read_text().replace(str(out), command[2]) == kept


def test_every_record_of_backends_in_docs_is_on_the_page() -> None:
    folder = ROOT / "docs" / "records"
    held = {path.name for kind in ("experts", "decode") for path in folder.glob(f"{kind}-*-*.json")}
    kept = (ROOT / "docs" / "performance.md").read_text().partition("## Records\n")[2]
    assert set(re.findall(r"^- `docs/records/([\w.-]+)`", kept, re.M)) == held


def test_a_record_that_is_not_there_ends_13(tmp_path: Path) -> None:
    assert commands.main(["performance", str(tmp_path / "none.json"), f"--out={tmp_path / 'p.md'}"]) == 13
