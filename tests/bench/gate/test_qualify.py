"""Tests of the gate's own error rates: what is run and kept, how it is judged again, and what the reader is told."""

import math
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.commands import qualify as command
from bench.gate.ab.brief import Brief
from bench.gate.ab.launches import Trouble
from bench.gate.ab.live import Results
from bench.gate.ab.noise import MEASURED
from bench.gate.ab.rounds import Rounds
from bench.gate.ab.tolerances import NO_LIMITS
from bench.gate.ab.verdicts import decide
from bench.gate.qualify import rates, recording
from bench.gate.qualify.effects import effects
from bench.gate.qualify.rates import Clustered, Share
from bench.gate.qualify.recording import Recorder, Wanted, measure, missing, open_record, record
from bench.gate.qualify.replay import RecordedLaunches, replay
from bench.gate.qualify.rules import INTERLEAVED, flagged
from bench.gate.qualify.spread import prior_here, prior_of, scenario_spreads
from bench.gate.qualify.store import append_launch, append_suite, begin, read_qualification
from bench.gate.qualify.suites import BLOCKS_KEPT, UNCHANGED, Kind, Measured, Qualification, condense
from bench.gate.qualify.tables import report
from bench.gate.verdict import Verdict
from bench.harness.project import ProjectTable
from bench.harness.record import CorruptRecord
from tests.bench.gate.drawn_suites import draw_suite, pool, pool_of_first_schema
from tests.bench.gate.qualify_suites import (
    MACHINE,
    NAMES,
    SCENARIO_S,
    START_S,
    launch,
    noisy_suite,
    paired,
    qualification,
    sample,
    suite,
)

ROOT = Path(__file__).parents[3]
MEAN, MANN_WHITNEY = "pytest-benchmark, mean:5%", "Mann-Whitney on iterations"
SLOW = Kind(injected={"moe": 1.1})
ONE_LAUNCH = START_S + SCENARIO_S * len(NAMES)


class MadeUp:
    """A source of launches whose clock goes on by a second a scenario."""

    def __init__(self, *results: object) -> None:
        self.results, self.time = results, 0.0

    def now(self) -> float:
        return self.time

    def launch(self, number: int, scenarios: Sequence[str]) -> Results:  # noqa: ARG002  # the protocol's
        for result in self.results or [paired(name, moe=1.0) for name in scenarios]:
            self.time += 1.0
            yield result  # type: ignore[misc]


def brief(root: Path, base: str = "HEAD") -> Brief:
    project = ProjectTable(package="pack")
    return Brief(root=root, project=project, base=base, head=base, arguments=["--scale", "tiny"], budget_s=1.0)


def written(path: Path, whole: Qualification) -> Path:
    begin(path, whole)
    for one in whole.suites:
        append_suite(path, one)
        for each in one.launches:
            append_launch(path, one, each)
    return path


# --- what is kept


def test_a_launch_keeps_the_log_ratio_of_each_arm_and_the_blocks_of_those_that_are_judged() -> None:
    kept = condense(paired("a", moe=1.1, anchor=0.9), end_s=1.0)
    assert kept.arms["moe"] == (0.09531, 1.5, 1.65, [-333, 333], [-267, 467])
    assert kept.arms["anchor"] == (-0.105361, 0.0, 0.0, (), ())


def test_of_many_blocks_some_are_kept_evenly_and_the_mean_is_of_all() -> None:
    many = replace(paired("a", moe=1.0), arms={"moe": ([1.0 + 0.01 * i for i in range(101)], [1.5] * 101)})
    kept = condense(many, end_s=1.0).arms["moe"]
    assert kept.base_mean == pytest.approx(1.5)
    assert len(kept.base_blocks) == BLOCKS_KEPT
    assert list(kept.base_blocks) == sorted(kept.base_blocks)
    assert kept.base_blocks[0] == -333
    assert kept.base_blocks[-1] == pytest.approx(300, abs=35)


def test_a_suite_is_read_as_it_was_written(tmp_path: Path) -> None:
    rng, trouble = np.random.default_rng(0), Measured(end_s=30.0, verdict="FAILED", why="it died")
    injured = suite([launch(0, {"a": {"moe": 0.1}}, b=trouble)], Kind(change="slower"), number=1)
    whole = qualification(noisy_suite(rng, num_launches=3), injured)
    found = read_qualification(written(tmp_path / "q.jsonl", whole))
    assert repr(found).replace("()", "[]") == repr(whole).replace("()", "[]")
    assert len((tmp_path / "q.jsonl").read_text().splitlines()) == 1 + (1 + 3) + (1 + 1)


def test_a_torn_last_line_is_passed_over_and_cut_off_before_more_is_added(tmp_path: Path) -> None:
    whole = qualification(suite([launch(0, {"a": {"moe": 0.1}})]))
    path = written(tmp_path / "q.jsonl", whole)
    with path.open("a") as file:
        file.write('{"launch":{"suite":0,"num')
    assert len(read_qualification(path).suites[0].launches) == 1
    append_launch(path, whole.suites[0], launch(1, {"a": {"moe": 0.2}}))
    assert [one.number for one in read_qualification(path).suites[0].launches] == [0, 1]


@pytest.mark.parametrize(
    "text", ["", "{\n", "[]\n", '{"schema_version": 1}\n', '{"schema_version": 2}\n{"launch": {"suite": 0}}\n']
)
def test_a_file_of_another_kind_is_corrupt_and_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.jsonl").write_text(text)
    with pytest.raises(CorruptRecord, match="name another --record"):
        read_qualification(tmp_path / "q.jsonl")


# --- what is run


def test_kinds_are_mixed_so_that_an_interrupted_call_leaves_some_of_each() -> None:
    wanted = [Wanted(UNCHANGED, 4), Wanted(SLOW, 2)]
    assert missing(wanted, [suite([]), suite([], SLOW)]) == [UNCHANGED, UNCHANGED, UNCHANGED, SLOW]


def test_a_launch_is_timed_and_leaves_out_what_is_counted() -> None:
    died = Trouble(scenario="b", verdict=Verdict.FAILED, why="it died")
    source = MadeUp(paired("a", moe=1.0), died, paired("bytes", counted=True, moe=1.0))
    found = measure(source, 5, ["a", "b", "bytes"])
    assert {name: one.end_s for name, one in found.scenarios.items()} == {"a": 1.0, "b": 2.0}
    assert (found.scenarios["b"].verdict, found.scenarios["b"].why) == ("FAILED", "it died")
    assert (found.is_placebo, found.seconds) == (True, 3.0)
    with pytest.raises(ValueError, match="--scenarios must select something that is timed, got bytes"):
        measure(MadeUp(paired("bytes", counted=True, moe=1.0)), 0, ["bytes"])


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", *named, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with a package whose branch `slower` is a commit ahead; scenarios and workers are made up."""
    root = tmp_path / "project"
    (root / "pack").mkdir(parents=True)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(root))
    for branch in ("main", "slower"):
        git(root, "checkout", "--quiet", "-B", branch)
        (root / "pack" / "__init__.py").write_text(f"NAME = {branch!r}\n")
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", branch)
    git(root, "checkout", "--quiet", "main")
    monkeypatch.setattr(recording, "collect", lambda _brief: [f"f.py::{name}" for name in NAMES])
    return root


def recorder(path: Path, root: Path, deadline: float = math.inf, notes: list[str] | None = None) -> Recorder:
    return Recorder(path=path, brief=brief(root), deadline=deadline, note=(notes if notes is not None else []).append)


def test_each_launch_is_on_disk_before_the_next_and_head_is_the_revision_that_was_named(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "q.jsonl", []

    def live(brief: Brief, sides: object, _node_ids: Sequence[str], _known: object) -> MadeUp:
        text = (sides.head.folder / "pack" / "__init__.py").read_text()  # type: ignore[attr-defined]
        seen.append((brief.seed, text, sides.head.arguments))  # type: ignore[attr-defined]
        source = MadeUp()
        source.by_scenario = {name: name for name in NAMES}  # type: ignore[attr-defined]
        return source

    monkeypatch.setattr(recording, "LiveLaunches", live)
    open_record(path, brief(project), MACHINE, 2)
    wanted = [Wanted(Kind(change="slower"), 1), Wanted(Kind(injected={"moe": 1.05}), 1)]
    record(recorder(path, project), wanted)
    assert seen == [
        (0, "NAME = 'slower'\n", ()),
        (1, "NAME = 'main'\n", ("--inject=moe=1.05",)),
    ]
    found = read_qualification(path)
    assert [str(one.kind) for one in found.whole] == ["slower", "moe +5 %"]
    assert found.suites[0].head == git(project, "rev-parse", "slower")
    record(recorder(path, project), wanted)
    assert len(seen) == 2  # both were there
    open_record(path, brief(project), MACHINE, 3)
    assert read_qualification(path).whole == []  # of two launches each
    record(recorder(path, project), wanted)
    longer = read_qualification(path)
    assert [[launch.number for launch in one.launches] for one in longer.whole] == [[0, 1, 2]] * 2
    assert [one.launches[:2] for one in longer.suites] == [one.launches for one in found.suites]


def test_an_interrupted_suite_goes_on_with_the_commits_that_it_began_with(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, texts, launches = tmp_path / "q.jsonl", [], []

    class Interrupted(MadeUp):
        by_scenario = dict.fromkeys(NAMES, "")

        def launch(self, number: int, scenarios: Sequence[str]) -> Results:
            launches.append((number, len(read_qualification(path).suites[0].launches)))
            if len(launches) == 2:
                raise KeyboardInterrupt
            return super().launch(number, scenarios)

    def live(_brief: Brief, sides: object, _node_ids: Sequence[str], _known: object) -> MadeUp:
        texts.append((sides.head.folder / "pack" / "__init__.py").read_text())  # type: ignore[attr-defined]
        return Interrupted()

    monkeypatch.setattr(recording, "LiveLaunches", live)
    open_record(path, brief(project), MACHINE, 3)
    wanted = [Wanted(Kind(change="slower"), 1)]
    with pytest.raises(KeyboardInterrupt):
        record(recorder(path, project), wanted)
    git(project, "branch", "--force", "slower", "main")
    record(recorder(path, project), wanted)
    assert launches == [(0, 0), (1, 1), (1, 1), (2, 2)]
    assert texts == ["NAME = 'slower'\n"] * 2
    assert len(read_qualification(path).whole) == 1


def test_nothing_begins_after_the_deadline(tmp_path: Path, project: Path) -> None:
    path, notes = tmp_path / "q.jsonl", list[str]()
    open_record(path, brief(project), MACHINE, 2)
    record(recorder(path, project, deadline=0.0, notes=notes), [Wanted(UNCHANGED, 2)])
    assert notes == ["suites: 0 whole, 0 to go on with, 2 to begin"]
    assert read_qualification(path).suites == []


@pytest.mark.parametrize(
    ("machine", "scenarios", "num_launches", "what"),
    [
        ({**MACHINE, "torch": "2.11.0"}, list(NAMES), 20, "torch"),
        (MACHINE, ["another"], 20, "scenarios"),
        (MACHINE, list(NAMES), 6, "--launches, 20"),
    ],
)
def test_suites_of_another_machine_or_of_other_options_are_not_continued(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: dict[str, object],
    scenarios: list[str],
    num_launches: int,
    what: str,
) -> None:
    monkeypatch.setattr(recording, "collect", lambda _brief: [f"f.py::{name}" for name in NAMES])
    open_record(tmp_path / "q.jsonl", brief(tmp_path), MACHINE, 20)
    monkeypatch.setattr(recording, "collect", lambda _brief: [f"f.py::{name}" for name in scenarios])
    with pytest.raises(ValueError, match=f"got other {what}; name another --record"):
        open_record(tmp_path / "q.jsonl", brief(tmp_path), machine, num_launches)


# --- what is judged again


def test_without_a_budget_a_suite_is_judged_as_rounds_would_have_judged_it() -> None:
    measured = noisy_suite(np.random.default_rng(1), sd=0.02, kind=SLOW)
    found = replay(measured)
    live = Rounds(
        RecordedLaunches(measured), NO_LIMITS, budget_s=1e9, deadline=1e9, note=list[str]().append, most_launches=20
    ).run(NAMES)
    assert [one.verdict for one in found.judgement.scenarios] == [one.verdict for one in live.scenarios]
    all_launches = [each.paired(name) for each in measured.launches for name in NAMES]
    by_all = {one.scenario: one.verdict for one in decide(all_launches).scenarios}
    assert {name: one.verdict for name, one in found.scenarios.items()} == by_all
    assert found.ending is Verdict.REGRESSED


def test_a_replay_stops_where_everything_is_decided_and_takes_the_time_of_what_it_measured() -> None:
    found = replay(noisy_suite(np.random.default_rng(1), sd=0.005))
    assert found.ending is Verdict.OK
    assert found.num_launches < 20
    measured = sum(one.num_launches for one in found.scenarios.values())  # real ones; placebos measure what is open
    assert found.seconds >= 5.0 + START_S * found.num_launches + SCENARIO_S * measured
    assert found.seconds <= 5.0 + ONE_LAUNCH * found.num_launches


def test_a_budget_holds_what_ends_within_it_and_not_a_launch_more() -> None:
    """Noise of 10 % leaves every scenario open to the end."""
    measured = noisy_suite(np.random.default_rng(1), sd=0.1)
    found = replay(measured, budget_s=300.0)
    assert 300.0 - ONE_LAUNCH < found.seconds <= 300.0
    assert found.ending is Verdict.INCONCLUSIVE
    whole = replay(measured, budget_s=1000.0)
    assert whole.num_launches == 20
    assert whole.seconds == pytest.approx(5.0 + 20 * ONE_LAUNCH)


def test_what_is_left_out_takes_no_time_and_trouble_is_told_again() -> None:
    died = Measured(end_s=START_S + 3 * SCENARIO_S, verdict="FAILED", why="it died")
    source = RecordedLaunches(suite([launch(0, {"a": {"moe": 0.0}, "b": {"moe": 0.0}}, c=died)]))
    found = list(source.launch(0, ["b", "c"]))
    assert source.now() == pytest.approx(5.0 + (START_S - SCENARIO_S) + 2 * SCENARIO_S)
    assert found[1] == Trouble(scenario="c", verdict=Verdict.FAILED, why="it died")


# --- what others would have said


def rule_suite(*heads: Sequence[float], base: Sequence[float] = (1.0,)) -> object:
    """Return launches of one scenario, real ones in order, whose head took these blocks."""
    numbers = [0, 2, 3, 4, 6, 7]  # 1 and 5 are placebos
    made = [
        replace(launch(number, {}), scenarios={"a": Measured(end_s=1.0, arms={"moe": sample(base, head)})})
        for number, head in zip(numbers, heads, strict=False)
    ]
    placebo = replace(launch(1, {}), scenarios={"a": Measured(end_s=1.0, arms={"moe": sample(base, (9.0,))})})
    return suite([placebo, *made])


def test_rules_compare_the_first_launches_with_the_last_unless_they_are_interleaved() -> None:
    found = flagged(rule_suite([1.0], [1.0], [1.1], [1.1]), {"a": 2})  # type: ignore[arg-type]
    assert (found[MEAN], found[MEAN + INTERLEAVED]) == (["a"], [])
    found = flagged(rule_suite([1.1], [1.1], [1.0], [1.0]), {"a": 2})  # type: ignore[arg-type]
    assert (found[MEAN], found[MEAN + INTERLEAVED]) == ([], ["a"])


def test_rules_pool_as_many_launches_as_the_gate_had() -> None:
    heads = [[1.2], [1.0], [1.0], [1.0]]
    assert flagged(rule_suite(*heads), {"a": 1})[MEAN + INTERLEAVED] == ["a"]  # type: ignore[arg-type]
    assert flagged(rule_suite(*heads), {"a": 4})[MEAN + INTERLEAVED] == []  # type: ignore[arg-type]  # 5.0 % on average
    assert flagged(rule_suite(*heads), {"a": 0})[MEAN] == []  # type: ignore[arg-type]


def test_mann_whitney_takes_iterations_for_replicates() -> None:
    base = [1.0 + 0.001 * i for i in range(20)]
    slower = [value + 0.02 for value in base]
    found = flagged(rule_suite(slower, base=base), {"a": 1})  # type: ignore[arg-type]
    assert (found[MEAN], found[MANN_WHITNEY]) == ([], ["a"])


def test_an_anchor_that_moved_is_no_rules_business() -> None:
    moved = suite([launch(0, {"a": {"moe": 0.0, "anchor": 1.0}})])
    assert flagged(moved, {"a": 1})[MEAN] == []


# --- how it is counted


def test_shares_have_the_exact_interval() -> None:
    low, high = Share(2, 40).interval()[1:]
    assert low == pytest.approx(0.0061, abs=1e-4)  # tables of Clopper and Pearson
    assert high == pytest.approx(0.1692, abs=1e-4)
    assert Share(0, 0).interval()[1:] == (0.0, 1.0)


def test_a_share_of_scenarios_is_as_sure_as_its_suites_agree() -> None:
    found = Clustered([Share(2, 10), Share(4, 10), Share(6, 10)])
    assert found.total == (12, 30)
    half = 4.302653 * 0.2 / math.sqrt(3)  # Student's quantile of two degrees of freedom; the shares' sd is 0.2
    assert found.interval() == pytest.approx((0.4, 0.0, min(1.0, 0.4 + half)))
    assert Clustered([Share(0, 12)] * 6).interval() == Share(0, 6).interval()  # 72 scenarios are six suites
    assert Clustered([Share(0, 0)]).interval()[1:] == (0.0, 1.0)


def test_suites_and_scenarios_are_counted_by_their_verdicts() -> None:
    rng = np.random.default_rng(0)
    calm, slow = (replay(noisy_suite(rng, sd=0.005, kind=kind)) for kind in (UNCHANGED, SLOW))
    assert rates.ended([calm, slow], Verdict.OK, Verdict.IMPROVED) == (1, 2)
    assert rates.ended([calm, slow], Verdict.REGRESSED) == (1, 2)
    assert rates.scenarios_where([calm, slow], rates.said(Verdict.REGRESSED)).by_suite == [(0, 12), (12, 12)]
    assert rates.scenarios_where([slow], rates.said(Verdict.REGRESSED), [NAMES[0]]).total == (1, 1)


def test_intervals_are_held_against_what_was_injected() -> None:
    slow = replay(noisy_suite(np.random.default_rng(0), sd=0.005, kind=SLOW))
    assert rates.coverage([slow]).total == (24, 24)
    believed = replace(slow, suite=replace(slow.suite, kind=Kind(injected={"moe": 1.5})))
    assert rates.coverage([believed]).total == (12, 24)  # those of the dense arm


def test_a_change_is_what_all_launches_of_its_suites_say_less_the_placebos() -> None:
    slot = {"moe": 0.01, "dense": 0.01, "anchor": 0.01}
    arms = [{**slot, "dense": 0.06}, slot, {**slot, "dense": 0.08}]  # the second is a placebo
    launches = [launch(number, {"a": found}) for number, found in enumerate(arms)]
    assert effects([suite(launches)]) == {"a": pytest.approx(0.06)}


def test_spread_and_prior_are_those_of_the_launches() -> None:
    rng = np.random.default_rng(2)
    made = [noisy_suite(rng, sd=0.03, state=0.02, number=number) for number in range(10)]
    found = qualification(*made, noisy_suite(rng, sd=0.5, kind=SLOW, number=10))
    spreads = scenario_spreads(found)
    assert [one.scenario for one in spreads[::2]] == list(NAMES)
    assert all(one.num_launches == 200 for one in spreads)
    assert np.mean([one.sd for one in spreads]) == pytest.approx(math.hypot(0.03, 0.02), rel=0.1)
    prior = prior_of(found)
    assert prior.spread == pytest.approx(0.03, rel=0.15)
    assert prior.state == pytest.approx(math.hypot(0.02, 1.25 * 0.03 / math.sqrt(12)), rel=0.15)  # of a median of 12
    assert prior.own_state < 0.01
    assert prior_of(qualification()).spread == 0.02  # what is usual


def test_what_a_launch_does_to_one_arm_of_a_group_is_found() -> None:
    rng, launches = np.random.default_rng(3), []
    for number in range(20):
        own = {kind: 0.02 * rng.normal() for kind in ("x", "y")}
        ratios = {name: {"moe": own[name[6]] + 0.01 * rng.normal(), "dense": 0.01 * rng.normal()} for name in NAMES}
        launches.append(launch(number, ratios))
    # the MoE's variance is (0.02)^2 in each group, the dense arm's none: half of it on average over arms, and in the
    # suite half of that again
    expected = math.sqrt(np.mean([0.02**2, 0.0, 0.02**2, 0.0, 0.02**2 / 2, 0.0]))
    assert prior_of(qualification(suite(launches))).own_state == pytest.approx(expected, rel=0.3)


# --- what is drawn


def test_drawn_suites_raise_few_alarms_and_find_a_large_slowdown() -> None:
    rng = np.random.default_rng(1)
    launches = pool(qualification(*(noisy_suite(rng, number=number) for number in range(3))))
    assert len(launches) == 60
    calm = [decide(draw_suite(launches, 20, {}, rng)).scenarios for _ in range(10)]
    assert not any(one.verdict is Verdict.REGRESSED for judged in calm for one in judged)
    drawn = draw_suite(launches, 20, {"moe": 100.0}, rng)
    assert all((one.arms["moe"][1][0] > 50.0) is not one.is_placebo for one in drawn)
    slow = decide(draw_suite(launches, 20, {"moe": 1.1}, rng)).scenarios
    assert all(one.verdict is Verdict.REGRESSED for one in slow)
    with pytest.raises(ValueError, match="a drawn suite takes 20 launches, got a pool of 3"):
        draw_suite(launches[:3], 20, {}, rng)


def test_a_launch_that_lost_a_scenario_is_not_drawn() -> None:
    died = Measured(end_s=1.0, verdict="FAILED", why="it died")
    lost = suite([launch(0, {"a": {"moe": 0.0}}), launch(1, {"a": {"moe": 0.0}}, b=died)])
    assert pool(qualification(lost, num_launches=2)) == [{"a": {"moe": 0.0}}]


def test_the_launches_of_an_older_record_can_be_drawn_too() -> None:
    launches = pool_of_first_schema(ROOT / "docs" / "records" / "qualify-cpu.json")
    assert len(launches) == 40 * 7
    assert {tuple(one) for one in launches} == {tuple(launches[0])}
    assert set(launches[0]["bench_vision[tiny-mmmu-b1]"]) == {"moe", "dense", "anchor"}


# --- what the reader is told


def test_the_report_tells_of_each_kind_under_each_budget() -> None:
    rng = np.random.default_rng(0)
    calm = [noisy_suite(rng, sd=0.01, number=number) for number in range(3)]
    changed = noisy_suite(rng, sd=0.01, kind=Kind(change="slower"), number=3, slower={"moe": 1.1})
    said = report(qualification(*calm, changed), {"20m": 1200.0, "no limit": math.inf})
    rows = {tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in said.splitlines() if "|" in line}
    assert "4 suites of 12 scenarios and 20 launches on a cpu, 2 CPUs, torch 2.13.0, transformers 5.23.0" in said
    assert "load 0.5 to 19.5" in said
    ends = {row[:2]: row[2:4] for row in rows if len(row) == 10}
    assert ends[("unchanged", "20m")] == ("3 of 3: 100.0 % [29.2, 100.0]", "0 of 3: 0.0 % [0.0, 70.8]")
    assert ends[("slower", "no limit")] == ("0 of 1: 0.0 % [0.0, 97.5]", "1 of 1: 100.0 % [2.5, 100.0]")
    power = {row[:2]: row[2:] for row in rows if len(row) == 8}
    assert "12 scenarios" in power[("slower", "20m")][0]
    assert power[("slower", "20m")][1].startswith("12 of 12")
    assert power[("slower", "20m")][-1] == ""  # nobody knows a real change's truth
    assert [row[0] for row in rows if row[0].startswith("this gate")] == ["this gate"]
    assert "the prior that this machine suggests" in said


def test_a_report_needs_no_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "q.jsonl", qualification(suite([launch(0, {"a": {"moe": 0.0}})])))
    assert main(["qualify", "--report", "--record", str(path)]) == 0
    assert "No suite of 20 launches is whole yet" in capsys.readouterr().out
    assert (tmp_path / "q.md").exists()
    assert main(["qualify", "--report", "--record", str(tmp_path / "absent.jsonl")]) == 13


def test_a_slowdown_that_makes_no_sense_ends_4(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["qualify", "--inject", "moe=0.5"])
    assert ended.value.code == 4
    assert "factors from 1 to 100" in capsys.readouterr().err


def test_the_command_asks_for_the_kinds_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Wanted] = []
    monkeypatch.setattr(command, "this_machine", lambda: MACHINE)
    monkeypatch.setattr(recording, "collect", lambda _brief: [f"f.py::{name}" for name in NAMES])
    monkeypatch.setattr(command, "record", lambda _recorder, wanted: asked.extend(wanted))
    line = "qualify --suites 2 --inject moe=1.05 --change slower --change slowest --slowed-suites 1 --launches 3"
    assert main([*line.split(), "--record", str(tmp_path / "q.jsonl")]) == 0
    assert [(str(one.kind), one.number) for one in asked] == [
        ("unchanged", 2),
        ("moe +5 %", 1),
        ("slower", 1),
        ("slowest", 1),
    ]


@pytest.mark.parametrize(
    "patch", sorted((ROOT / "tests" / "bench" / "gate" / "slower").iterdir()), ids=lambda p: p.stem
)
def test_the_slowed_revisions_can_be_made_of_the_code_as_it_is(patch: Path) -> None:
    """What the method measures as slower code: a patch each, of the package alone."""
    git(ROOT, "apply", "--check", str(patch))
    changed = [line.removeprefix("+++ b/") for line in patch.read_text().splitlines() if line.startswith("+++ ")]
    assert [Path(name).parts[0] for name in changed] == ["moevlm"]


def test_this_machines_history_is_the_prior_and_anothers_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = qualification(noisy_suite(rng, num_launches=20))
    path = written(tmp_path / "q.jsonl", whole)
    assert prior_here(path, whole.machine) == prior_of(whole) != MEASURED
    assert prior_here(path, {**whole.machine, "torch": "1.0"}) == MEASURED
    assert prior_here(tmp_path / "none.jsonl", whole.machine) == MEASURED
