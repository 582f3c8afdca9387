"""Tests of the campaign: steps in order, what is left after an interruption, and what is said of it."""

import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from bench import __main__ as commands
from bench.evidence.campaign.plan import PLAN, Step, read_plan
from bench.evidence.campaign.state import State, check_same_options, record_path, records_of, state_of
from bench.evidence.campaign.steps import Invocation, run_steps
from bench.evidence.campaign.tables import report
from bench.evidence.campaign.took import took
from bench.evidence.processes import Ended
from bench.harness import record
from tests.bench.plugin.fake_project import write_project
from tests.bench.plugin.fresh_pytest import run_module
from tests.bench.sample_records import document

PLAN_TEXT = """
[[step]]
name = "small"
why = "a first look"
files = ["bench_x.py"]
options = ["-k", "1 or 2"]

[[step]]
name = "all"
why = "the rest"
files = ["bench_x.py"]
options = []
"""
SMALL, ALL = (
    Step(name="small", why="a first look", files=("bench_x.py",), options=("-k", "1 or 2")),
    Step(name="all", why="the rest", files=("bench_x.py",), options=()),
)


def plan_file(folder: Path, text: str = PLAN_TEXT) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def run_steps_in(folder: Path, *steps: Step, seconds: float = 120.0) -> dict[str, str]:
    invocation = Invocation(root=folder, folder=folder / "out", options=(), deadline=time.monotonic() + seconds)
    return run_steps(steps, invocation, note=lambda _text: None)


def state(folder: Path, step: Step = ALL) -> State:
    return state_of(folder / "out", step)


def test_a_plan_is_read_in_order(tmp_path: Path) -> None:
    assert read_plan(plan_file(tmp_path)) == [SMALL, ALL]


def test_steps_with_rounds_take_turns_round_by_round_and_others_have_one(tmp_path: Path) -> None:
    text = PLAN_TEXT.replace("options = []", "options = []\nrounds = 3").replace('or 2"]', 'or 2"]\nrounds = 2')
    steps = read_plan(plan_file(tmp_path, f'{text}\n[[step]]\nname = "once"\nwhy = "w"\nfiles = ["x"]\noptions = []\n'))
    assert [step.name for step in steps] == [
        *("small-round-1", "all-round-1", "once", "small-round-2", "all-round-2", "all-round-3"),
    ]
    assert {step.files for step in steps if step.name.startswith("all")} == {ALL.files}
    assert {step.rounds for step in steps} == {1}


@pytest.mark.long
def test_every_round_measures_everything_in_processes_of_its_own_and_goes_on_where_it_was_interrupted(
    tmp_path: Path,
) -> None:
    interrupts = "if size == 3: raise KeyboardInterrupt"
    folder = write_project(tmp_path / "project", ending=interrupts)
    rounds = read_plan(plan_file(tmp_path, PLAN_TEXT.replace("options = []", "options = []\nrounds = 2")))[1:]
    assert "bench_x[3], bench_x[4] failed" in run_steps_in(folder, *rounds, seconds=600.0)["all-round-1"]
    bench = folder / "bench" / "bench_x.py"
    bench.write_text(bench.read_text().replace(interrupts, "pass"))
    assert run_steps_in(folder, *rounds, seconds=600.0) == {}
    kept = [[set(record.scenarios) for record in records_of(folder / "out", step)] for step in rounds]
    everything = {f"bench_x[{size}]" for size in (1, 2, 3, 4)}
    assert [set().union(*of_round) for of_round in kept] == [everything, everything]
    assert sum(map(len, kept[0])) == 4  # nothing twice in a round


def test_the_shipped_plan_is_valid() -> None:
    root = Path(__file__).parents[3]
    steps = read_plan(root / PLAN)
    assert steps[0].files == ("bench_decode.py", "bench_prefill.py")
    assert all((root / "bench" / name).exists() for step in steps for name in step.files)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one step or more"),
        (PLAN_TEXT.replace('"all"', '"small"'), "with different names, got small, small"),
        (PLAN_TEXT.replace('"all"', '"a/b"'), "step 2: name must be lower-case letters"),
        (PLAN_TEXT + "suites = 2", "step 2 must have files, suites or a program, got files and suites; see"),
        (PLAN_TEXT + "program = ['x']\nrounds = 2", "got files and program; see"),
        ("[[step]]\nname = 'x'\nwhy = 'w'\noptions = []", "step 1 must have files, suites or a program, got none; see"),
        (
            "[[step]]\nname = 'x'\nwhy = 'w'\noptions = []\nprogram = ['y']\nrounds = 2",
            "have rounds or program, got both",
        ),
        (PLAN_TEXT + "most_s = 0", "step 2.most_s must be number > 0.0, got 0"),
        (PLAN_TEXT + "launches = 0", "step 2.launches must be integer of 1 or more, got 0"),
        (PLAN_TEXT + 'file = "x"', "step 2 must have known fields alone, got file"),
        (PLAN_TEXT.replace('why = "the rest"', ""), "step 2 must have why, got no why"),
        ("[[steps]]", r"must hold \[\[step\]\] entries alone, got steps"),
        ("[[step", "must be TOML"),
        ("[step]\nname = 'x'", r"step must be a list, \[\[step\]\]"),
        (PLAN_TEXT + "suites = -1", "step 2.suites must be integer of 1 or more, got -1"),
        (PLAN_TEXT.replace("options = []", "options = [3]"), r"step 2.options\[0\] must be string, got 3"),
        (
            PLAN_TEXT + "rounds = 2\nlaunches = 3",
            "step 2 must have rounds or launches, got both; a round",
        ),
        (
            '[[step]]\nname = "q"\nwhy = "w"\noptions = []\nsuites = 2\nrounds = 3',
            "have rounds or suites, got both",
        ),
        (PLAN_TEXT + "rounds = 0", "step 2.rounds must be integer of 1 or more, got 0"),
        ('[[step]]\nname = "q"\nwhy = "w"\noptions = []\nsuites = 2\nlaunches = 3', "launches belong to files"),
    ],
)
def test_a_plan_that_breaks_a_rule_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_plan(plan_file(tmp_path, text))


PROGRAM = Step(name="tell", why="a program", program=("platform",), options=("{out}",), predicted_s=9.0)


def invocation_in(folder: Path, **fields: Any) -> Invocation:
    return Invocation(root=folder, folder=folder / "out", options=(), deadline=time.monotonic() + 120.0, **fields)


def test_a_program_runs_once_its_log_and_seconds_are_kept_and_packed(tmp_path: Path) -> None:
    said, archive = [], tmp_path / "kept.tar.gz"
    for _ in range(2):
        assert run_steps([PROGRAM], invocation_in(tmp_path, archive=archive), note=said.append) == {}
    assert len(said) == 1
    assert state(tmp_path, PROGRAM).is_done
    assert 0 < took(tmp_path / "out", PROGRAM).seconds < 120
    with tarfile.open(archive) as packed:
        assert sorted(packed.getnames()) == ["out/tell.begun", "out/tell.log", "out/tell.took"]
        log = packed.extractfile("out/tell.log")
        assert log is not None
        assert log.read().decode().startswith("Linux")
    row = [cell.strip() for cell in report(tmp_path / "out", [PROGRAM], {}).splitlines()[2].split("|")[1:-1]]
    assert row[:6] == ["tell", "a program", "1", "", "", "9 s"]
    assert row[6].endswith(" s")


def test_a_step_is_ended_after_its_seconds_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.evidence.processes.GRACE_S", 0.5)
    (tmp_path / "sleeping.py").write_text("import time\ntime.sleep(60)")
    slow = Step(name="slow", why="w", program=("sleeping",), options=(), most_s=1.0)
    troubles = run_steps([slow, PROGRAM], invocation_in(tmp_path), note=lambda _: None)
    assert troubles == {"slow": f"it was ended after 1 s, 1 left; see {tmp_path / 'out' / 'slow.log'}"}
    assert state(tmp_path, PROGRAM).is_done
    assert "sleeping was not reached" in report(tmp_path / "out", [slow], {})


def test_a_program_that_fails_is_told_of_and_not_run_again(tmp_path: Path) -> None:
    broken = Step(name="broken", why="w", program=("no_such_module",), options=())
    troubles = run_steps([broken], invocation_in(tmp_path), note=lambda _: None)
    assert troubles["broken"].startswith("its process ended 1: ")
    assert "No module named no_such_module" in troubles["broken"]
    assert state(tmp_path, broken).is_done


@pytest.mark.parametrize("name", ["campaign-gpu-first.toml", "campaign-gpu-second.toml"])
def test_the_plans_for_a_gpu_fit_their_minutes_and_can_be_rehearsed(name: str) -> None:
    root = Path(__file__).parents[3]
    steps = read_plan(root / "bench" / name)
    budget_s = 60 * {"first": 6, "second": 4}[name.removeprefix("campaign-gpu-").removesuffix(".toml")]
    assert sum(step.predicted_s for step in steps) < 0.9 * budget_s
    assert all(step.predicted_s < step.most_s and step.rehearsal for step in steps)
    named = [*(f"bench/{file}" for step in steps for file in step.files)]
    named += [word for step in steps for word in step.program if "/" in word]
    assert all((root / path).exists() for path in named)


def test_a_rehearsal_runs_a_steps_module_on_a_gpu_that_is_not_there_with_smaller_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(
        "bench.evidence.campaign.steps.run_logged", lambda command, **_: ran.append(command[2:]) or Ended(0, "")
    )
    step = structs.replace(PROGRAM, rehearsal=("--small",), most_s=1.0)
    assert run_steps([step], invocation_in(tmp_path, is_rehearsed=True), note=lambda _: None) == {}
    assert ran == [["bench.rehearsal.child", "platform", str(tmp_path / "out"), "--small"]]


def test_nothing_is_known_of_a_step_that_was_not_begun(tmp_path: Path) -> None:
    assert state(tmp_path).wanted is None
    assert not state(tmp_path).is_done
    assert "| all    | the rest     | not begun" in report(tmp_path, [SMALL, ALL], {})


@pytest.mark.long
def test_a_campaign_measures_every_step_once_and_then_nothing(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    assert run_steps_in(folder, SMALL, ALL) == {}
    assert state(folder, SMALL).measured == {"bench_x[1]", "bench_x[2]"}
    assert state(folder).is_done
    assert len(state(folder).measured) == 4
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*.json")}
    assert run_steps_in(folder, SMALL, ALL) == {}
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*.json")} == before


@pytest.mark.long
def test_an_interrupted_step_goes_on_with_what_is_left_and_fits(tmp_path: Path) -> None:
    interrupts, skips = "if size == 3: raise KeyboardInterrupt", "if size == 4: pytest.skip('does not fit')"
    folder = write_project(tmp_path / "project", ending=f"{interrupts}\n    {skips}")
    troubles = run_steps_in(folder, ALL)
    assert "bench_x[3], bench_x[4] failed; see" in troubles["all"]
    assert state(folder).left == {"bench_x[3]", "bench_x[4]"}
    assert "- all: bench_x[4] was not reached" in report(folder / "out", [ALL], {})
    bench = folder / "bench" / "bench_x.py"
    bench.write_text(bench.read_text().replace(interrupts, "pass"))
    assert run_steps_in(folder, ALL) == {}
    assert list(records_of(folder / "out", ALL)[-1].scenarios) == ["bench_x[3]"]
    assert state(folder).is_done  # what does not fit is not tried again
    said = report(folder / "out", [ALL], {})
    assert "| all    | the rest | 3          | 1" in said
    assert "- all: bench_x[4] does not fit" in said


@pytest.mark.long
def test_the_time_budget_ends_a_step_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.evidence.campaign.steps.SHORTEST_S", 0.0)
    monkeypatch.setattr("bench.evidence.processes.GRACE_S", 2.0)  # a shell's background jobs ignore Ctrl-C
    folder = write_project(tmp_path / "project", ending="time.sleep(600)")
    assert run_steps_in(folder, ALL, seconds=3.0) == {}
    assert not state(folder).measured


@pytest.mark.long
def test_a_scenario_that_fails_in_every_launch_does_not_hold_up_the_others(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", ending="assert size != 2")
    step = Step(name="gate", why="a baseline", files=("bench_x.py",), options=("-k", "1 or 2"), launches=2)
    assert "bench_x[2] failed; see" in run_steps_in(folder, step)["gate"]
    assert len(records_of(folder / "out", step)) == 3  # two, and one to spare


@pytest.mark.long
def test_a_wrong_answer_fails_its_step_with_the_reason_and_can_be_mended(tmp_path: Path) -> None:
    check = "if size == 2: raise WrongAnswer(f'{arm}: got 0.3')"
    folder = write_project(tmp_path / "project", check=check)
    step = structs.replace(ALL, launches=2)
    assert run_steps_in(folder, step) == {"all": "bench_x[2] answers wrongly: moe: got 0.3"}
    assert len(records_of(folder / "out", step)) == 1
    assert len(state(folder, step).left) == 4  # of two launches, one is there
    said = report(folder / "out", [step], {})
    assert "- all: bench_x[2] answers wrongly: moe: got 0.3" in said
    assert "bench_x[2] was not reached" not in said
    bench = folder / "bench" / "bench_x.py"
    bench.write_text(bench.read_text().replace(check, "pass"))
    assert run_steps_in(folder, step) == {}
    assert state(folder, step).wrong == {}
    assert state(folder, step).is_done
    assert [len(record.scenarios) for record in records_of(folder / "out", step)] == [3, 4, 4]
    assert not record_path(folder / "out", step, 4).exists()


def test_a_step_goes_on_with_its_own_options_alone(tmp_path: Path) -> None:
    check_same_options(tmp_path, ALL, ["--scale=tiny"])
    check_same_options(tmp_path, ALL, ["--scale=tiny"])
    with pytest.raises(
        ValueError,
        match=r"got another command of all: bench_x\.py --scale=tiny / bench_x\.py --scale=tiny,proxy; choose",
    ):
        check_same_options(tmp_path, ALL, ["--scale=tiny,proxy"])


@pytest.mark.long
def test_a_later_step_whose_options_pytest_refuses_ends_16_and_the_others_are_measured(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    refused = PLAN_TEXT.replace("options = []", 'options = ["--no-such-option"]')
    plan = plan_file(tmp_path, refused + '[[step]]\nname = "last"\nwhy = "w"\nfiles = ["bench_x.py"]\noptions = []')
    ended = run_module(folder, "bench", "campaign", "--scale=tiny", "--out=out", f"--plan={plan}")
    assert ended.code == 16, ended.said
    assert "- all: its process ended 4" in ended.said
    assert "--no-such-option" in ended.said
    assert state(folder, SMALL).is_done
    assert state(folder, structs.replace(ALL, name="last")).is_done
    assert "| all    |" in (folder / "out" / "campaign.md").read_text()


@pytest.mark.long
def test_options_that_the_first_step_is_refused_end_4_before_any_other(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    plan = plan_file(tmp_path)
    arguments = ("campaign", "--scale=tiny", "--out=out", f"--plan={plan}", "--", "--time-budget=soon")
    ended = run_module(folder, "bench", *arguments)
    assert ended.code == 4, ended.said
    assert "error: steps must be able to start, got of small: " in ended.said
    assert "argument --time-budget: a time must be above 0" in ended.said
    assert "correct the options" in ended.said
    assert "| step" not in ended.said
    assert not (folder / "out" / "all.log").exists()


@pytest.mark.parametrize(
    ("name", "found"), [("none.toml", "must be a file to read, got no such"), (".", "got a folder")]
)
def test_a_plan_that_cannot_be_read_ends_4_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, found: str
) -> None:
    assert commands.main(["campaign", "--scale=tiny", f"--out={tmp_path}", f"--plan={tmp_path / name}"]) == 4
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / name}: ")
    assert found in said
    assert "see bench/evidence/campaign/plan.py for the form" in said


@pytest.mark.parametrize(
    ("header", "troubles", "code"),
    [
        ({}, {}, 0),
        ({}, {"small": "its process ended 9"}, 16),
        (
            {"complete": False, "wrong": [{"scenario": "bench_x[1]", "why": "got 0.3"}]},
            {"small": "it answers wrongly"},
            17,
        ),
    ],
    ids=["measured", "failed", "wrong"],
)
def test_a_campaign_ends_with_the_code_of_its_worst_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: dict[str, Any], troubles: dict[str, str], code: int
) -> None:
    monkeypatch.setattr("bench.commands.campaign.run_steps", lambda *_arguments, **_options: troubles)
    record.write(record_path(tmp_path, SMALL, 1), document(**header))
    assert commands.main(["campaign", "--scale=tiny", f"--out={tmp_path}", f"--plan={plan_file(tmp_path)}"]) == code
