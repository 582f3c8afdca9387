"""What a report is made of: each kind of file is known by what it holds, and nothing is passed over in silence."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.gate.stats import Interval
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness import record
from bench.report.data import ReportData, report_data
from bench.report.inputs import Inputs, read_inputs
from bench.report.tracked import track
from tests.bench.gate.test_comment import comparison_of, launch
from tests.bench.report.test_scenarios import change, compared
from tests.bench.report.test_tracked import record as tracked_record
from tests.bench.sample_records import FINGERPRINT, changed, document

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one file of each kind."""
    record.write(tmp_path / "run.json", document("a"))
    promotion = {"reason": "why", "commit": "c", "date": "2026-01-01", "release": "", "launches": 1}
    record.write(tmp_path / "base.json", document("b", promotion=promotion))
    (tmp_path / "front.json").write_bytes((ROOT / "docs/records/pareto-published.json").read_bytes())
    side = {"commit": "a" * 40}
    (tmp_path / "ab.json").write_text(json.dumps({"base": side, "head": side, "launches": []}))
    track(tmp_path / "runs.jsonl", tracked_record(), subject="", software="")
    (tmp_path / "ledger.json").write_text("[]")
    (tmp_path / "notes.txt").write_text("no record")
    return tmp_path


def names(found: Inputs) -> dict[str, list[str]]:
    held = {"records": found.records, "compared": found.compared, "tiers": found.tiers, "tracked": found.tracked}
    return {kind: [Path(name).name for name in files] for kind, files in held.items()}


def shown(found: Inputs) -> ReportData:
    return report_data(found, baselines=None)


def test_each_kind_of_file_in_a_folder_is_known_by_what_it_holds(folder: Path) -> None:
    found = read_inputs([folder])
    assert names(found) == {
        "records": ["base.json", "run.json"],
        "compared": ["ab.json"],
        "tiers": ["front.json"],
        "tracked": ["runs.jsonl"],
    }
    assert found.problems == []
    data = shown(found)
    assert {Path(one.file).name: one.kind for one in data.sources} == {
        "base.json": "baseline",
        "run.json": "record",
        "ab.json": "comparison",
        "front.json": "front",
        "runs.jsonl": "tracked runs",
    }


def test_a_file_is_read_once_however_often_it_is_named(folder: Path) -> None:
    found = read_inputs([folder / "run.json", folder, folder / ".." / folder.name / "run.json"])
    assert names(found)["records"] == ["run.json", "base.json"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be JSON"),
        ("{", "must be JSON"),
        (
            json.dumps(changed(document(), "moevlm", "complete", value=False)),
            "the checksum must be that of the content",
        ),
        ('{"tier": "measured"}', "must have schema_version"),
        ('{"base": {}, "head": {}, "launches": []}', "must have commit"),
    ],
)
def test_what_cannot_be_shown_is_named_with_the_reason_and_the_rest_is_shown(folder: Path, text: str, why: str) -> None:
    (folder / "bad.json").write_text(text)
    found = read_inputs([folder])
    (problem,) = found.problems
    assert Path(problem.file).name == "bad.json"
    assert why in problem.why
    assert not problem.is_asked
    data = shown(found)
    assert data.problems == [(problem.file, problem.why)]
    assert len(data.scenarios) == 4


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("other.json", "[1]", "list"),
        ("other.json", "{}", "empty"),
        ("other.json", '{"a": 1, "b": 2}', "a, b"),
        ("qualify.jsonl", '{"machine": 1}\n{"suite": 2}\n', "machine"),
    ],
)
def test_a_folder_s_sound_documents_of_other_kinds_are_no_problem_unless_they_are_named(
    folder: Path, name: str, text: str, what: str
) -> None:
    (folder / name).write_text(text)
    found = read_inputs([folder])
    assert (found.problems, [Path(one).name for one in found.others]) == ([], [name])
    named = read_inputs([folder / name])
    (problem,) = named.problems
    assert (problem.is_asked, named.others) == (True, [])
    assert problem.why.startswith(f"must be what a report shows, got another document ({what}); name a record")


def test_lines_that_break_the_form_of_runs_are_named(folder: Path) -> None:
    (folder / "runs2.jsonl").write_text('{"launch": 1}\n')
    (problem,) = read_inputs([folder]).problems
    assert "line 1: " in problem.why


def test_a_file_that_is_named_and_broken_is_asked_for(folder: Path) -> None:
    (folder / "bad.json").write_text("{")
    assert [problem.is_asked for problem in read_inputs([folder / "bad.json"]).problems] == [True]


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_inputs([tmp_path / "none.json"])


def test_a_name_that_is_no_text_is_written_out(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b.json"))
    record.write(path, document())
    (name,) = read_inputs([path]).records
    assert name.endswith(r"/\udcff\x1b.json")


def test_machines_that_differ_are_a_note_that_names_them(tmp_path: Path) -> None:
    record.write(tmp_path / "a.json", document("a"))
    other = {**FINGERPRINT, "device_model": "Other"}
    kind = {name: other[name] for name in ("device", "device_model", "device_count", "dtype", "num_threads")}
    record.write(tmp_path / "b.json", document("b", fingerprint=other, kind={**kind, "torch": "2.13"}))
    data = shown(read_inputs([tmp_path]))
    assert data.notes[0].startswith("2 kinds of machine, whose times are not comparable: Acme(R) Core")
    assert "Other, float32, 1 thread" in data.notes[0]
    assert shown(read_inputs([tmp_path / "a.json"])).notes == []


def test_what_a_record_left_out_or_did_on_purpose_is_said(tmp_path: Path) -> None:
    left = [{"scenario": "bench_x[34b]", "reason": "needs 80 GiB"}]
    record.write(tmp_path / "r.json", document(injected={"moe": 1.3}, complete=False, filtered=True, not_fitting=left))
    (source,) = shown(read_inputs([tmp_path])).sources
    assert source.notes == [
        "not compared: no folder of baselines to compare with",
        "slowed on purpose: moe 1.3 times",
        "incomplete: scenarios are missing or failed",
        "scenarios were deselected",
        "bench_x[34b]: not measured, needs 80 GiB",
    ]


def test_layers_that_lack_what_they_need_are_a_note_and_the_rest_is_shown(tmp_path: Path) -> None:
    whole = document()
    for entry in whole["benchmarks"]:
        entry["extra_info"]["moevlm"]["scenario"] = "bench_layers[x]"
    record.write(tmp_path / "r.json", {**whole, "benchmarks": whole["benchmarks"][:3]})
    data = shown(read_inputs([tmp_path]))
    assert len(data.scenarios) == 1
    assert [note for note in data.notes if "r.json are not drawn" in note]


def test_sides_of_a_comparison_have_their_commits() -> None:
    data = shown(Inputs(compared={"ab.json": compared(notes=["base's own cannot be collected"])}))
    (source,) = data.sources
    assert (source.base, source.commit) == ("a" * 40, "b" * 40)
    assert source.notes == ["base's own cannot be collected", "head's working tree had changes"]


def test_what_ab_writes_is_read_with_its_changes_those_beyond_any_ratio_too(tmp_path: Path) -> None:
    moved = change("moe/base", 0.15, Verdict.REGRESSED)
    beyond = replace(change("dense/base", 0.0, Verdict.OK), interval=Interval(math.inf, math.inf, math.inf))
    said = ScenarioVerdict(scenario="bench_x[1]", verdict=Verdict.REGRESSED, where="MoE", changes=(beyond, moved))
    comparison = comparison_of(said, launches=[launch("bench_x[1]", (1.0, 1.2), (2.0, 2.0))])
    comparison.write(tmp_path / "ab.json")
    (one,) = shown(read_inputs([tmp_path / "ab.json"])).scenarios
    assert (one.verdict, one.where, one.axes) == ("REGRESSED", "MoE", {"scale": "tiny"})
    assert [(found["control"], found["log_ratio"], found["said"]) for found in one.changes] == [
        ("moe/base", 0.15, "+16.2 % [+15.0, +17.4]"),
        ("dense/base", None, "worse beyond any ratio, for one side is 0"),
    ]
    assert [(arm.arm, arm.value, arm.change) for arm in one.arms] == [
        ("moe", 1.2, "+16.2 % [+15.0, +17.4]"),
        ("dense", 2.0, "worse beyond any ratio, for one side is 0"),
    ]
