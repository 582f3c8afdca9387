"""`ab`, from revisions to a comment and an exit code: two stages within a budget, what is shown, what is refused."""

import dataclasses
import json
import math
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.commands import ab as commands_ab
from bench.gate.ab import stages
from bench.gate.ab.brief import Brief
from bench.gate.ab.compare import compare
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import LaunchTerms
from bench.gate.ab.profile import ScenarioProfile
from bench.gate.ab.result import Comparison
from bench.gate.ab.stages import pinned_project
from bench.gate.ab.verdicts import PLACEBO_EVERY, STAGE_1_LAUNCHES, STAGE_2_LAUNCHES
from bench.gate.ab.worker_process import Pinned
from bench.gate.comment import comment
from bench.gate.verdict import ScenarioVerdict, Verdict, exit_code
from bench.harness.measuring import scenario_of

NODE_IDS = ["bench/f.py::a", "bench/f.py::b", "bench/f.py::c"]
WOBBLE = (-0.004, 0.003, 0.001, -0.002, 0.004, -0.001, 0.002)  # log ratios of launches on unchanged code


class Machine:
    """In the workers' place: head's arms are slower by given factors, and a launch takes given seconds."""

    def __init__(self, slower: dict[str, dict[str, float]], launch_s: float = 0.0) -> None:
        self.slower, self.launch_s, self.now = slower, launch_s, 0.0
        self.launched: list[LaunchTerms] = []
        self.asked: list[list[str]] = []

    def run(self, terms: LaunchTerms, node_ids: Sequence[str]) -> Iterator[PairedLaunch | Trouble]:
        self.launched.append(terms)
        self.asked.append([scenario_of(node_id) for node_id in node_ids])
        self.now += self.launch_s
        for name in self.asked[-1]:
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
) -> Comparison:
    monkeypatch.setattr(stages, "run_launch", machine.run)
    monkeypatch.setattr("bench.gate.ab.collect.collect", lambda _request: NODE_IDS)
    monkeypatch.setattr(stages, "pin_device", lambda name: Pinned((f"--device={name}",), {}))
    monkeypatch.setattr("bench.gate.ab.compare.time.monotonic", lambda: machine.now)
    brief = brief_in(repository, base=base, budget_s=budget_s)
    return compare(dataclasses.replace(brief, profile=profile), note=lambda _text: None)


def brief_in(repository: Path, *, base: str = "HEAD", budget_s: float = 1e9, arguments: Sequence[str] = ()) -> Brief:
    return Brief(root=repository, base=base, head=None, arguments=arguments, budget_s=budget_s, force=True)


def ends(comparison: Comparison, *, strict: bool) -> int:
    return exit_code((verdict.verdict for verdict in comparison.verdicts), strict=strict)


def found(comparison: Comparison) -> dict[str, Verdict]:
    return {verdict.scenario: verdict.verdict for verdict in comparison.verdicts}


def test_unchanged_code_is_cleared_by_stage_1_alone(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    machine = Machine({})
    comparison = run(monkeypatch, repository, machine)
    assert set(found(comparison).values()) == {Verdict.OK}
    assert sum(not terms.is_placebo for terms in machine.launched) == STAGE_1_LAUNCHES
    assert [terms.is_placebo for terms in machine.launched[:PLACEBO_EVERY]] == [False] * (PLACEBO_EVERY - 1) + [True]
    assert ends(comparison, strict=True) == 0


def test_a_slow_arm_is_confirmed_in_fresh_launches_of_it_alone(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    machine = Machine({"a": {"moe": 1.05}, "b": {"moe": 1.05, "dense": 1.05}})
    comparison = run(monkeypatch, repository, machine)
    assert found(comparison) == {"a": Verdict.REGRESSED, "b": Verdict.REGRESSED, "c": Verdict.OK}
    assert {v.scenario: v.where for v in comparison.verdicts if v.where} == {"a": "MoE", "b": "shared code"}
    second = machine.asked[len(machine.asked) - sum(sorted(asked) == ["a", "b"] for asked in machine.asked) :]
    assert all(sorted(asked) == ["a", "b"] for asked in second)
    assert len({launch.scenario for launch in comparison.stage_2}) == 2
    assert sum(launch.scenario == "a" and not launch.is_placebo for launch in comparison.stage_2) == STAGE_2_LAUNCHES
    assert ends(comparison, strict=False) == 10


def test_what_the_budget_leaves_undecided_is_inconclusive(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    machine = Machine({"a": {"moe": 1.05}}, launch_s=60.0)
    comparison = run(monkeypatch, repository, machine, budget_s=900.0)
    assert found(comparison)["a"] is Verdict.INCONCLUSIVE
    assert machine.now <= 900.0
    why = next(verdict.why for verdict in comparison.verdicts if verdict.scenario == "a")
    assert "the time budget ended after" in why
    assert (ends(comparison, strict=False), ends(comparison, strict=True)) == (0, 11)


def test_a_scenario_with_a_wider_tolerance_is_cleared_of_what_others_are_not(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    (repository / "baselines").mkdir()
    (repository / "baselines" / "tolerances.toml").write_text(
        '[[limit]]\nscenarios = "a"\ntolerance_percent = 20\nsmallest_effect_percent = 15\nreason = "noisy"\n'
    )
    comparison = run(monkeypatch, repository, Machine({"a": {"moe": 1.1}, "b": {"moe": 1.1}}))
    assert found(comparison) == {"a": Verdict.OK, "b": Verdict.REGRESSED, "c": Verdict.OK}


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
    assert set(found(comparison).values()) == {Verdict.NEW}
    assert machine.launched == []
    assert ends(comparison, strict=True) == 0


def test_a_scenario_that_a_worker_died_of_is_named_and_the_others_judged(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    machine = Machine({"b": {"failed": 1.0}})
    comparison = run(monkeypatch, repository, machine)
    assert found(comparison) == {"a": Verdict.OK, "b": Verdict.FAILED, "c": Verdict.OK}
    assert machine.asked[0] == ["a", "b", "c"]
    assert all(asked == ["a", "c"] for asked in machine.asked[1:])  # it would lose its worker in each
    assert ends(comparison, strict=False) == 16
    assert "- `b`: FAILED, `base: it was killed by SIGKILL`" in comment(comparison)


def test_a_wrong_answer_ends_17_and_is_not_measured_again(
    monkeypatch: pytest.MonkeyPatch, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine({"b": {"wrong": 1.0}, "c": {"moe": 1.05}})
    comparison = run(monkeypatch, repository, machine)
    assert found(comparison) == {"a": Verdict.OK, "b": Verdict.WRONG, "c": Verdict.REGRESSED}
    assert machine.asked[0] == ["a", "b", "c"]
    assert not any("b" in asked for asked in machine.asked[1:])
    monkeypatch.setattr(commands_ab, "compare", lambda *_, **__: comparison)
    out = repository / "out"
    assert main(["ab", "--base", "HEAD", "--out", str(out), f"--junitxml={out / 'ab.xml'}"]) == 17
    said = capsys.readouterr().out
    assert "### WRONG: 1 WRONG, 1 REGRESSED, 1 OK" in said
    assert "- `b`: WRONG, `head: dense: got 0.3`" in said
    suite = ET.parse(out / "ab.xml").getroot()[0]
    failed = {case.get("name"): failure.get("message") for case in suite for failure in case.iter("failure")}
    assert failed["b"] == "b: WRONG: head: dense: got 0.3"


def test_where_every_answer_is_wrong_one_launch_is_enough(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    machine = Machine({name: {"wrong": 1.0} for name in "abc"})
    assert set(found(run(monkeypatch, repository, machine)).values()) == {Verdict.WRONG}
    assert machine.asked == [["a", "b", "c"]]


def test_the_document_holds_every_launch(monkeypatch: pytest.MonkeyPatch, repository: Path, tmp_path: Path) -> None:
    comparison = run(monkeypatch, repository, Machine({"a": {"moe": 1.05}}))
    comparison.write(tmp_path / "ab.json")
    document = json.loads((tmp_path / "ab.json").read_text())
    assert len(document["stage_1"]) == len(comparison.stage_1)
    assert document["stage_2"][0]["scenario"] == "a"
    assert document["head"]["is_dirty"] is False
    assert document["software"].startswith(
        f"transformers {version('transformers')}, torch {version('torch')}, Python 3"
    )
    assert {said["scenario"]: said["verdict"] for said in document["verdicts"]}["a"] == "REGRESSED"


def test_only_what_regressed_is_profiled_after_the_verdicts_stand(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    asked: list[dict[str, Verdict]] = []

    def profiled(verdicts: Sequence[ScenarioVerdict], *_: object) -> list[ScenarioProfile]:
        asked.append({verdict.scenario: verdict.verdict for verdict in verdicts})
        return [ScenarioProfile(scenario="a", arm="moe", why="no profiler here")]

    monkeypatch.setattr(stages, "profile_regressed", profiled)
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
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")


def test_both_sides_get_the_gpu_that_was_asked_for_by_its_uuid(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    pinned = {"cuda:1": Pinned(("--device=cuda",), {"CUDA_VISIBLE_DEVICES": "GPU-abc"})}
    monkeypatch.setattr(stages, "pin_device", pinned.__getitem__)
    project = pinned_project(brief_in(repository, arguments=["--scale", "tiny", "--device", "cuda:1"]))
    assert project.arguments == ["--scale", "tiny", "--device=cuda"]
    assert project.environment == {"CUDA_VISIBLE_DEVICES": "GPU-abc"}
