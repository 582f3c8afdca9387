"""Tests of the gate's own error rates: what is run and kept, how it is counted, and what the reader is told."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.commands import qualify as command
from bench.gate.ab.brief import Brief
from bench.gate.ab.lockstep import HEAD
from bench.gate.ab.result import Comparison
from bench.gate.ab.worktree import SourceTree
from bench.gate.qualify import rates
from bench.gate.qualify import resume as running
from bench.gate.qualify.rates import Share
from bench.gate.qualify.resample import draw_suites, needed, pool
from bench.gate.qualify.resume import Wanted, missing, open_qualification, run_suites
from bench.gate.qualify.rules import INTERLEAVED, flagged
from bench.gate.qualify.suites import condense, read_qualification, write_qualification
from bench.gate.qualify.tables import report
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.record import CorruptRecord
from tests.bench.gate.qualify_suites import MACHINE, NAMES, launch, noisy_qualification, qualification, suite

MEAN, MANN_WHITNEY = "pytest-benchmark, mean:5%", "Mann-Whitney on iterations"
SLOW = {"moe": 1.05}


def brief(root: Path) -> Brief:
    return Brief(root=root, base="HEAD", head="HEAD", arguments=["--scale", "tiny"], budget_s=1.0)


def comparison(*verdicts: ScenarioVerdict) -> Comparison:
    tree = SourceTree(folder=Path("/"), commit="c0ffee", is_dirty=False, has_package=True)
    timed, counted = launch("a", moe=1.1, dense=1.0, anchor=1.0), launch("bytes", counted=True, moe=1.0)
    return Comparison(
        base=tree, head=tree, stage_1=[timed, counted], stage_2=[], verdicts=verdicts, seconds=12.3, software=""
    )


def test_a_launch_is_kept_as_the_log_ratio_of_each_arm() -> None:
    (kept,) = condense([launch("a", moe=1.1, dense=0.9, anchor=1.0), launch("bytes", counted=True, moe=2.0)])
    assert kept.arms == {"moe": 0.09531, "dense": -0.105361, "anchor": 0.0}
    ((base,), (head,)) = kept.launch().arms["moe"]
    assert math.log(head / base) == pytest.approx(math.log(1.1), abs=1e-6)


def test_a_qualification_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = noisy_qualification(2, 0.03)
    write_qualification(tmp_path / "q.json", written)
    found = read_qualification(tmp_path / "q.json")
    assert found == written
    assert len((tmp_path / "q.json").read_text().splitlines()) == 2 + 2  # a suite a line


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 0}', '{"schema_version": 1, "suites": [{}]}'])
def test_a_file_of_another_kind_is_corrupt_and_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.json").write_text(text)
    with pytest.raises(CorruptRecord, match="name another --record"):
        read_qualification(tmp_path / "q.json")


def test_kinds_are_mixed_so_that_an_interrupted_call_leaves_some_of_each() -> None:
    wanted = [Wanted({}, 4), Wanted(SLOW, 2)]
    there = qualification(suite({"a": "OK"}), suite({"a": "REGRESSED"}, injected=SLOW))
    assert missing(wanted, there) == [{}, {}, {}, SLOW]


def test_each_suite_is_on_disk_before_the_next_one_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Mapping[str, object], int, int]] = []
    path = tmp_path / "q.json"

    def compare(brief: Brief, note: Callable[[str], None]) -> Comparison:
        on_disk = len(read_qualification(path).suites) if path.exists() else 0
        asked.append((brief.side_arguments, brief.seed, on_disk))
        regressed = ScenarioVerdict(scenario="a", verdict=Verdict.REGRESSED, where="MoE")
        return comparison(regressed, ScenarioVerdict(scenario="bytes", verdict=Verdict.OK))

    monkeypatch.setattr(running, "compare", compare)
    empty = qualification()
    found = run_suites(path, brief(tmp_path), empty, [{}, {"moe": 1.05, "dense": 1.1}], lambda _text: None)
    assert asked == [({HEAD: []}, 0, 0), ({HEAD: ["--inject=moe=1.05,dense=1.1"]}, 1, 1)]
    assert read_qualification(path) == found
    assert found.suites[0].verdicts == {"a": "REGRESSED"}  # what is counted cannot err
    assert found.suites[0].where == {"a": "MoE"}


@pytest.mark.parametrize(
    ("machine", "scenarios", "what"),
    [({**MACHINE, "torch": "2.11.0"}, list(NAMES), "torch"), (MACHINE, ["another"], "scenarios")],
)
def test_suites_of_another_machine_or_other_scenarios_are_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: dict[str, object], scenarios: list[str], what: str
) -> None:
    monkeypatch.setattr(running, "collect", lambda _request: [f"f.py::{name}" for name in scenarios])
    write_qualification(tmp_path / "q.json", qualification(suite({"a": "OK"})))
    with pytest.raises(ValueError, match=f"got other {what}; name another --record"):
        open_qualification(tmp_path / "q.json", brief(tmp_path), machine)


def test_rules_compare_one_launch_with_the_next_as_a_stored_file_is_compared() -> None:
    quiet, slow = launch("a", moe=1.0, dense=1.0, anchor=1.0), launch("a", moe=1.1, dense=1.0, anchor=1.0)
    placebo = launch("a", is_placebo=True, moe=9.0, dense=1.0, anchor=1.0)
    found = flagged([placebo, quiet, slow, launch("b", moe=1.0, dense=1.0, anchor=1.0)])
    assert found[MEAN] == ["a"]  # base of the first against head of the second; b has one launch alone
    assert found[MEAN + INTERLEAVED] == []


def test_an_anchor_that_moved_is_no_rules_business() -> None:
    assert flagged([launch("a", moe=1.0, dense=1.0, anchor=2.0)] * 2)[MEAN] == []


def test_mann_whitney_takes_iterations_for_replicates() -> None:
    blocks = tuple(1.0 + 0.001 * i for i in range(40))
    slower = tuple(1.02 * value for value in blocks)
    one = launch("a", moe=1.0)
    shifted = [type(one)(**{**vars(one), "arms": {"moe": (blocks, slower)}})] * 2
    found = flagged(shifted)
    assert (found[MEAN], found[MANN_WHITNEY]) == ([], ["a"])


def test_shares_have_the_exact_interval() -> None:
    low, high = Share(2, 40).interval()[1:]
    assert low == pytest.approx(0.0061, abs=1e-4)  # tables of Clopper and Pearson
    assert high == pytest.approx(0.1692, abs=1e-4)
    assert Share(0, 0).interval()[1:] == (0.0, 1.0)


def test_suites_and_scenarios_are_counted_by_their_verdicts() -> None:
    clean, alarm = suite({"a": "OK", "b": "INCONCLUSIVE"}), suite({"a": "REGRESSED", "b": "OK"})
    unfit = suite({"a": "UNFIT", "b": "IMPROVED"})
    suites = [clean, alarm, unfit]
    assert rates.false_alarms(suites) == (1, 3)
    assert rates.green([*suites, suite({"a": "OK", "b": "NEW"}), suite({"a": "NEW"})]) == (1, 5)  # as `ab` ends
    assert rates.ended_as(suites, Verdict.OK) == (2, 6)
    assert rates.ended_as(suites, Verdict.OK, Verdict.IMPROVED) == (3, 6)
    assert rates.attributed([suite({"a": "REGRESSED", "b": "REGRESSED"}, where={"a": "MoE"})], "MoE") == (1, 2)


def test_spread_is_that_of_unchanged_launches() -> None:
    found = rates.spreads(noisy_qualification(20, 0.03))
    assert [spread.scenario for spread in found] == list(NAMES)
    assert all(spread.launch_sd == pytest.approx(0.03, rel=0.25) for spread in found)  # 120 launches know it to 6.5 %
    assert all(spread.num_launches == 120 for spread in found)


def test_resampled_suites_raise_few_alarms_and_find_a_large_slowdown() -> None:
    launches, rng = pool(noisy_qualification(10, 0.02)), np.random.default_rng(1)
    assert len(launches) == 60
    unchanged, slow = (draw_suites(launches, injected, rng, 40) for injected in ({}, {"moe": 1.1}))
    assert unchanged.alarms.hits <= 0.05 * unchanged.alarms.of
    assert slow.found.hits >= 0.95 * slow.found.of


def test_resampling_takes_whole_launches_and_refuses_too_few() -> None:
    few = noisy_qualification(2, 0.02)
    cut = suite(few.suites[0].verdicts, stage_1=few.suites[0].stage_1[:-1])
    assert len(pool(qualification(cut))) == 5
    with pytest.raises(ValueError, match=f"resampling needs {needed()} whole launches or more, got 12"):
        draw_suites(pool(few), {}, np.random.default_rng(0))


def test_the_report_says_what_was_measured_and_what_was_drawn() -> None:
    slowed = suite(dict.fromkeys(NAMES, "REGRESSED"), injected=SLOW, where=dict.fromkeys(NAMES, "MoE"))
    calm = noisy_qualification(8, 0.02)
    said = report(qualification(*calm.suites, slowed), num_drawn=3)
    assert "9 suites of 12 scenarios on a cpu, 2 CPUs, torch 2.13.0, transformers 5.23.0; load 0.5 to 2.5" in said
    assert "| 1 moe +5 %" in said
    assert "12 of 12: 100.0 % [73.5, 100.0]" in said
    assert "drawn from 48 measured launches of unchanged code" in said
    assert "Other sizes are resampled once" in report(qualification(slowed, calm.suites[0]))


def test_a_report_needs_no_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "q.json"
    write_qualification(path, qualification(suite({"a": "OK"})))
    assert main(["qualify", "--report", "--record", str(path)]) == 0
    assert capsys.readouterr().out.strip() == (tmp_path / "q.md").read_text().strip()
    assert main(["qualify", "--report", "--record", str(tmp_path / "absent.json")]) == 13


def test_a_slowdown_that_makes_no_sense_ends_4(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["qualify", "--inject", "moe=0.5"])
    assert ended.value.code == 4
    assert "factors from 1 to 100" in capsys.readouterr().err


def test_the_command_runs_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "q.json"
    ran: list[str] = []

    def compare(brief: Brief, note: Callable[[str], None]) -> Comparison:
        ran.append(json.dumps(brief.side_arguments))
        return comparison(ScenarioVerdict(scenario="a", verdict=Verdict.OK))

    monkeypatch.setattr(running, "compare", compare)
    monkeypatch.setattr(running, "collect", lambda _request: [f"f.py::{name}" for name in NAMES])
    monkeypatch.setattr(command, "this_machine", lambda: MACHINE)
    arguments = ["qualify", "--record", str(path), "--suites", "2", "--inject", "moe=1.05", "--injected-suites", "1"]
    assert main(arguments) == 0
    assert len(ran) == 3
    assert main(arguments) == 0
    assert len(ran) == 3  # all were there
