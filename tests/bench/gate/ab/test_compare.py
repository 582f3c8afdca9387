"""`ab`, from revisions to a comment and an exit code: launches within a budget, what is shown, what is refused."""

import dataclasses
import json
import math
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.commands import ab as commands_ab
from bench.gate.ab import live, sides
from bench.gate.ab.brief import Brief
from bench.gate.ab.compare import compare
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import LaunchTerms
from bench.gate.ab.profile import ScenarioProfile
from bench.gate.ab.result import Comparison
from bench.gate.ab.schedule import launches_to_decide
from bench.gate.ab.sides import pinned_project
from bench.gate.ab.worker_process import Pinned
from bench.gate.comment import comment
from bench.gate.verdict import ScenarioVerdict, Verdict, exit_code
from bench.harness import environment
from bench.harness.measuring import scenario_of
from bench.harness.project import ProjectTable

NODE_IDS = [f"bench/f.py::{name}" for name in "abcdef"]
ALL_OK = dict.fromkeys("abcdef", Verdict.OK)
WOBBLE = (-0.004, 0.003, 0.001, -0.002, 0.004, -0.001, 0.002)  # log ratios of launches on unchanged code


class Machine:
    """In the workers' place: head's arms are slower by given factors, and a launch takes given seconds."""

    def __init__(self, slower: dict[str, dict[str, float]], launch_s: float = 0.0, scenario_s: float = 0.0) -> None:
        self.slower, self.launch_s, self.scenario_s, self.now = slower, launch_s, scenario_s, 0.0
        self.launched: list[LaunchTerms] = []
        self.asked: list[list[str]] = []

    def run(self, terms: LaunchTerms, node_ids: Sequence[str]) -> Iterator[PairedLaunch | Trouble]:
        self.launched.append(terms)
        self.asked.append([scenario_of(node_id) for node_id in node_ids])
        self.now += self.launch_s
        for name in self.asked[-1]:
            self.now += self.scenario_s
            if "failed" in self.slower.get(name, {}):
                yield Trouble(scenario=name, verdict=Verdict.FAILED, why="base: it was killed by SIGKILL")
                continue
            if "wrong" in self.slower.get(name, {}):
                yield Trouble(scenario=name, verdict=Verdict.WRONG, why="head: dense: got 0.3")
                continue
            factors = {} if terms.is_placebo else self.slower.get(name, {})
            noise = math.exp(WOBBLE[(terms.number + len(name) + ord(name[0])) % len(WOBBLE)])
            arms = {arm: ([1.0] * 5, [noise * factors.get(arm, 1.0)] * 5) for arm in ("moe", "dense", "anchor")}
            yield PairedLaunch(scenario=name, arms=arms, is_placebo=terms.is_placebo, sign=1.0, counted=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository whose first commit lacks the package and whose second has it."""

    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True
        )

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "before the package")
    (tmp_path / "moevlm").mkdir()
    (tmp_path / "moevlm" / "__init__.py").write_text("")
    git("add", "-A")
    git("commit", "-q", "-m", "package")
    return tmp_path


def run(
    monkeypatch: pytest.MonkeyPatch,
    repository: Path,
    machine: Machine,
    *,
    base: str = "HEAD",
    budget_s: float = 1e9,
    profile: bool = False,
    accept_answers: str = "",
) -> Comparison:
    monkeypatch.setattr(live, "run_launch", machine.run)
    monkeypatch.setattr("bench.gate.ab.collect.collect", lambda _request: NODE_IDS)
    monkeypatch.setattr(sides, "pin_device", lambda name: Pinned((f"--device={name}",), {}))
    monkeypatch.setattr("bench.gate.ab.compare.time.monotonic", lambda: machine.now)
    brief = brief_in(repository, base=base, budget_s=budget_s)
    brief = dataclasses.replace(brief, profile=profile, accept_answers=accept_answers)
    return compare(brief, note=lambda _text: None)


def brief_in(repository: Path, *, base: str = "HEAD", budget_s: float = 1e9, arguments: Sequence[str] = ()) -> Brief:
    return Brief(
        root=repository,
        project=ProjectTable(package="moevlm"),
        base=base,
        head=None,
        arguments=arguments,
        budget_s=budget_s,
        force=True,
    )


def ends(comparison: Comparison) -> int:
    return exit_code(comparison.verdicts)


def found(comparison: Comparison) -> dict[str, Verdict]:
    return {verdict.scenario: verdict.verdict for verdict in comparison.verdicts}


def test_unchanged_code_is_ok_after_few_launches_the_second_of_them_a_placebo(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    machine = Machine({})
    comparison = run(monkeypatch, repository, machine)
    assert set(found(comparison).values()) == {Verdict.OK}
    assert 4 <= len(machine.launched) <= 9
    assert [terms.is_placebo for terms in machine.launched[:4]] == [False, True, False, False]
    assert ends(comparison) == 0


def test_what_is_decided_is_left_alone_and_the_rest_is_measured_on(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    machine = Machine({"a": {"moe": 1.5}, "b": {"moe": 1.05, "dense": 1.05}})
    comparison = run(monkeypatch, repository, machine)
    assert found(comparison)["a"] is Verdict.REGRESSED
    assert {v.scenario: v.where for v in comparison.verdicts if v.scenario == "a"} == {"a": "MoE"}
    assert all("a" in asked for asked in machine.asked[:3])  # 50 % are seen after two launches and a placebo
    assert any("a" not in asked for asked in machine.asked[3:])
    assert ends(comparison) == 10


def test_what_all_of_a_suite_lost_is_told_of_the_suite(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    comparison = run(monkeypatch, repository, Machine({name: {"moe": 1.05} for name in "abcdef"}))
    assert found(comparison)["suite"] is Verdict.REGRESSED
    assert {verdict.where for verdict in comparison.verdicts} == {"MoE"}
    assert ends(comparison) == 10


def test_what_the_budget_leaves_undecided_ends_11_with_the_minutes_that_it_lacked(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    machine = Machine({"a": {"moe": 1.04}}, launch_s=60.0)
    comparison = run(monkeypatch, repository, machine, budget_s=250.0)
    assert found(comparison)["a"] is Verdict.INCONCLUSIVE
    assert machine.now <= 250.0
    why = next(verdict.why for verdict in comparison.verdicts if verdict.scenario == "a")
    assert re.search(r"about [1-9]\d* min more would decide; raise --budget", why)
    assert ends(comparison) == 11


class Slowing(Machine):
    """A machine on which every launch but the first takes ten minutes to start."""

    def run(self, terms: LaunchTerms, node_ids: Sequence[str]) -> Iterator[PairedLaunch | Trouble]:
        self.launch_s = 600.0 if terms.number else 0.0
        return super().run(terms, node_ids)


def test_the_minutes_lacked_are_of_the_launches_that_are_still_to_come(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    machine = Slowing({}, scenario_s=1.0)
    comparison = run(monkeypatch, repository, machine, budget_s=2000.0)
    assert len(machine.launched) == 4  # all scenarios in each, a placebo among them
    assert comparison.judgement.evidence is not None
    left = launches_to_decide(noise=comparison.judgement.evidence.noise) - 4
    why = {verdict.why for verdict in comparison.verdicts if verdict.scenario in ALL_OK}
    assert why == {f"about {left * 606 / 60:.0f} min more would decide; raise --budget or name fewer --scenarios"}


def test_a_budget_too_short_for_all_decides_a_few(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    machine = Machine({}, scenario_s=60.0)
    comparison = run(monkeypatch, repository, machine, budget_s=900.0)
    said = list(found(comparison).values())
    assert 1 <= said.count(Verdict.OK) < len(NODE_IDS)
    assert said.count(Verdict.OK) + said.count(Verdict.INCONCLUSIVE) == len(NODE_IDS)
    assert ends(comparison) == 11


def test_a_scenario_with_a_wider_tolerance_is_cleared_of_what_others_are_not(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    (repository / "baselines").mkdir()
    (repository / "baselines" / "tolerances.toml").write_text(
        '[[limit]]\nscenarios = "a"\ntolerance_percent = 20\nsmallest_effect_percent = 15\nreason = "noisy"\n'
    )
    comparison = run(monkeypatch, repository, Machine({"a": {"moe": 1.1}, "b": {"moe": 1.1}}))
    assert found(comparison) == {**ALL_OK, "b": Verdict.REGRESSED}


def test_both_sides_sources_and_the_placebos_are_what_they_are_called(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    machine = Machine({})
    comparison = run(monkeypatch, repository, machine)
    for terms in machine.launched:
        assert terms.base.folder == comparison.base.folder
        assert terms.head.folder == (comparison.base.folder if terms.is_placebo else comparison.head.folder)
    assert not comparison.base.folder.exists()  # gone with the comparison
    assert not comparison.head.folder.exists()


def test_a_base_without_the_package_makes_every_scenario_new(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    machine = Machine({})
    comparison = run(monkeypatch, repository, machine, base="HEAD~1")
    assert set(found(comparison).values()) == {Verdict.NEW, Verdict.MISSING}  # nothing was compared
    assert machine.launched == []
    assert ends(comparison) == 13


def test_a_scenario_that_a_worker_died_of_is_named_and_the_others_judged(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    machine = Machine({"b": {"failed": 1.0}})
    comparison = run(monkeypatch, repository, machine)
    assert found(comparison) == {**ALL_OK, "b": Verdict.FAILED}
    assert sorted(machine.asked[0]) == list("abcdef")
    assert not any("b" in asked for asked in machine.asked[1:])  # it would lose its worker in each
    assert ends(comparison) == 16
    assert "- `b`: FAILED, `base: it was killed by SIGKILL`" in comment(comparison)


def test_a_wrong_answer_ends_17_and_is_not_measured_again(
    monkeypatch: pytest.MonkeyPatch, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine({"b": {"wrong": 1.0}, "c": {"moe": 1.05}})
    comparison = run(monkeypatch, repository, machine)
    assert found(comparison) == {**ALL_OK, "b": Verdict.WRONG, "c": Verdict.REGRESSED}
    assert sorted(machine.asked[0]) == list("abcdef")
    assert not any("b" in asked for asked in machine.asked[1:])
    monkeypatch.setattr(commands_ab, "compare", lambda *_, **__: comparison)
    out = repository / "out"
    assert main(["ab", "--base", "HEAD", "--out", str(out), f"--junitxml={out / 'ab.xml'}"]) == 17
    said = capsys.readouterr().out
    assert "**WRONG: " in said
    assert "\n1 WRONG, 1 REGRESSED, 4 OK · " in said
    assert "- `b`: WRONG, `head: dense: got 0.3`" in said
    suite = ET.parse(out / "ab.xml").getroot()[0]
    failed = {case.get("name"): failure.get("message") for case in suite for failure in case.iter("failure")}
    assert failed["b"] == "b: WRONG: head: dense: got 0.3"


def test_where_every_answer_is_wrong_one_launch_is_enough(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    machine = Machine({name: {"wrong": 1.0} for name in "abcdef"})
    assert set(found(run(monkeypatch, repository, machine)).values()) == {Verdict.WRONG}
    assert [sorted(asked) for asked in machine.asked] == [list("abcdef")]


@pytest.mark.parametrize("reason", ["", "a new epsilon"])
def test_answers_may_change_where_a_reason_says_why(
    monkeypatch: pytest.MonkeyPatch, repository: Path, reason: str
) -> None:
    machine, asked = Machine({}), []

    def compared(brief: Brief, note: object) -> Comparison:
        asked.append(brief)
        return run(monkeypatch, repository, machine, accept_answers=brief.accept_answers)

    monkeypatch.setattr(commands_ab, "compare", compared)
    accepting = ["--accept-answers", reason] if reason else []
    assert main(["ab", "--base", "HEAD", "--out", str(repository / "out"), *accepting]) == 0
    assert {terms.accepts_answers for terms in machine.launched} == {bool(reason)}
    assert json.loads((repository / "out" / "ab.json").read_text())["accepted_answers"]["reason"] == reason


def test_accepting_without_a_reason_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="4"):
        main(["ab", "--base", "HEAD", "--accept-answers", " "])
    assert "a reason must say why" in capsys.readouterr().err


def test_the_document_holds_every_launch(monkeypatch: pytest.MonkeyPatch, repository: Path, tmp_path: Path) -> None:
    comparison = run(monkeypatch, repository, Machine({"a": {"moe": 1.05}}))
    comparison.write(tmp_path / "ab.json")
    document = json.loads((tmp_path / "ab.json").read_text())
    assert len(document["launches"]) == len(comparison.launches)
    assert {one["number"] for one in document["launches"] if one["is_placebo"]} >= {1}
    assert {said["scenario"] for said in document["groups"]} == {"suite"}
    assert document["head"]["is_dirty"] is False
    assert document["software"].startswith(
        f"transformers {version('transformers')}, torch {version('torch')}, Python 3"
    )
    assert {said["scenario"]: said["verdict"] for said in document["verdicts"]}["a"] == "REGRESSED"
    assert document["machine"].endswith(f" x {environment.cpu_model()}")
    assert len(document["load"]) == 2
    assert document["command"].startswith("python -m bench ab --base ")


def test_only_what_regressed_is_profiled_after_the_verdicts_stand(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    asked: list[dict[str, Verdict]] = []

    def profiled(verdicts: Sequence[ScenarioVerdict], *_: object) -> list[ScenarioProfile]:
        asked.append({verdict.scenario: verdict.verdict for verdict in verdicts})
        return [ScenarioProfile(scenario="a", arm="moe", why="no profiler here")]

    monkeypatch.setattr("bench.gate.ab.compare.profile_regressed", profiled)
    slow = Machine({"a": {"moe": 1.05}})
    assert run(monkeypatch, repository, slow).profiles == []
    comparison = run(monkeypatch, repository, Machine({"a": {"moe": 1.05}}), profile=True)
    assert asked == [found(comparison)]
    assert "it could not be profiled, `no profiler here`" in comment(comparison)
    assert found(comparison)["a"] is Verdict.REGRESSED


def test_the_command_leaves_launches_comment_and_junit_file(
    monkeypatch: pytest.MonkeyPatch, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison = run(monkeypatch, repository, Machine({"a": {"moe": 1.05}}))
    monkeypatch.setattr(commands_ab, "compare", lambda *_, **__: comparison)
    out = repository / "out"
    assert main(["ab", "--base", "HEAD", "--out", str(out), "--junitxml", str(out / "deep" / "ab.xml")]) == 10
    assert (out / "ab.md").read_text() in capsys.readouterr().out
    assert json.loads((out / "ab.json").read_text())["profiles"] == []
    suite = ET.parse(out / "deep" / "ab.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("6", "1")


def test_both_sides_get_the_gpu_that_was_asked_for_by_its_uuid(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    pinned = {"cuda:1": Pinned(("--device=cuda",), {"CUDA_VISIBLE_DEVICES": "GPU-abc"})}
    monkeypatch.setattr(sides, "pin_device", pinned.__getitem__)
    project = pinned_project(brief_in(repository, arguments=["--scale", "tiny", "--device", "cuda:1"]))
    assert project.arguments == ["--scale", "tiny", "--device=cuda"]
    assert project.environment == {"CUDA_VISIBLE_DEVICES": "GPU-abc"}
