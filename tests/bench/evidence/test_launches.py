"""Tests of measuring a baseline's launches: what is kept between calls, what is measured again, what is refused."""

import datetime
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as commands
from bench.evidence.launches import Wanted, measure_launches
from bench.evidence.processes import Ended, run_logged
from bench.gate.launch import LaunchFailed
from bench.gate.promotion import PromotionRefused
from bench.gate.verdict import Verdict
from bench.harness import record
from tests.bench.plugin.fake_project import SCENARIOS, write_project
from tests.bench.plugin.fresh_pytest import run_module, run_pytest
from tests.bench.sample_records import document

WRONG = {"complete": False, "wrong": [{"scenario": "bench_x[1]", "why": "dense: got 0.3"}]}
FEWER = "import bench.gate.baseline as stored\nstored.LAUNCHES_TO_PROMOTE = 2"


class Machine:
    """Stands in for the processes: each leaves a record with its number, and may end otherwise."""

    def __init__(self, **fields: Any) -> None:
        self.commands: list[list[str]] = []
        self.fields = fields  # of the records' headers
        self.code = 0
        self.interrupted_in = 0  # number of the launch in which Ctrl-C comes

    def run(self, command: Sequence[str], **_places: object) -> Ended:
        self.commands.append(list(command))
        target = next(word for word in command if word.startswith("--record=")).removeprefix("--record=")
        is_cut_short = len(self.commands) == self.interrupted_in
        fields = {**self.fields, "complete": False} if is_cut_short else self.fields
        if self.code != 4:
            record.write(Path(target), document(f"l{len(self.commands)}", **fields))
        if is_cut_short:
            raise KeyboardInterrupt
        return Ended(self.code, "the end of the log")


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Return what measures two launches on a machine, and gives back what it noted."""

    def measured(
        machine: Machine, *options: str, code: str = "c0ffee", count: int = 2, over_s: float = 0.0
    ) -> list[str]:
        monkeypatch.setattr("bench.evidence.launches.run_logged", machine.run)
        folder, notes = tmp_path / "out", list[str]()
        wanted = Wanted(
            root=tmp_path,
            scenarios="bench",
            folder=folder,
            options=options,
            count=count,
            over_s=over_s,
            begun_with={"code": code},
        )
        paths = measure_launches(wanted, notes.append)
        assert [path.exists() for path in paths] == [True] * count
        return notes

    (tmp_path / "bench").mkdir()
    return measured


def test_each_launch_is_a_fresh_process_that_measures_everything_and_compares_nothing(
    measure: Callable[..., list[str]],
) -> None:
    machine = Machine()
    measure(machine, "--scale", "tiny")
    assert [command[1:6] for command in machine.commands] == [["-m", "pytest", "bench", "--scale", "tiny"]] * 2
    assert all("--compare=off" in command for command in machine.commands)
    assert len({command[-1] for command in machine.commands}) == 2


def test_files_that_are_named_are_measured_alone(measure: Callable[..., list[str]]) -> None:
    machine = Machine()
    measure(machine, "bench/bench_x.py", "--scale=tiny")
    assert machine.commands[0][1:5] == ["-m", "pytest", "bench/bench_x.py", "--scale=tiny"]


def test_an_interrupted_call_goes_on_with_the_launches_that_are_whole(measure: Callable[..., list[str]]) -> None:
    machine = Machine()
    machine.interrupted_in = 3
    with pytest.raises(KeyboardInterrupt):
        measure(machine, count=4)
    notes = measure(machine, count=4)
    assert notes[0].endswith("2 of 4 launches are there")
    assert [note.split(",")[0] for note in notes[1:]] == ["launch 3 of 4", "launch 4 of 4"]
    assert len(machine.commands) == 5  # the third twice
    assert measure(machine, count=4) == [notes[0].replace("2 of 4", "4 of 4")]


def test_the_time_left_is_that_of_the_launches_so_far(
    measure: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, now = Machine(), [0.0]

    def run(command: Sequence[str], **places: object) -> Ended:
        now[0] += 240.0
        return Machine.run(machine, command, **places)

    monkeypatch.setattr("bench.evidence.launches.time.monotonic", lambda: now[0])
    monkeypatch.setattr(machine, "run", run)
    assert measure(machine, count=3)[1:] == [
        "launch 1 of 3",
        "launch 2 of 3, about 8 min left",
        "launch 3 of 3, about 4 min left",
    ]


def test_launches_begin_as_far_apart_as_is_asked_whatever_they_take(
    measure: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, now, began = Machine(), [1767225600.0], list[float]()

    def run(command: Sequence[str], **places: object) -> Ended:
        began.append(now[0] - 1767225600.0)
        moment = datetime.datetime.fromtimestamp(now[0], datetime.UTC).isoformat()
        machine.fields["launch"] = {**document()["moevlm"]["launch"], "started": moment}
        now[0] += 700.0 if len(began) == 2 else 60.0
        return Machine.run(machine, command, **places)

    monkeypatch.setattr("bench.evidence.launches.time.time", lambda: now[0])
    monkeypatch.setattr("bench.evidence.launches.time.monotonic", lambda: now[0])
    monkeypatch.setattr("bench.evidence.launches.time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(machine, "run", run)
    notes = measure(machine, count=3, over_s=1200.0)
    assert began == [0.0, 600.0, 1300.0]
    assert notes[2:] == ["launch 2 of 3, about 20 min left", "launch 3 of 3, about 11 min left"]
    measure(machine, count=5, over_s=1200.0)
    assert began[3:] == [1600.0, 1900.0]  # a later call waits for what the earlier one measured


def test_a_later_call_knows_the_time_from_the_records(measure: Callable[..., list[str]], tmp_path: Path) -> None:
    machine = Machine()
    measure(machine, count=1)
    path = tmp_path / "out" / "launch-1.json"
    started = 1767225600.0  # 2026-01-01, when the sample's launch began
    os.utime(path, (started + 300, started + 300))
    assert measure(machine, count=3)[1] == "launch 2 of 3, about 10 min left"


def test_another_command_or_code_is_refused_before_anything_is_measured(measure: Callable[..., list[str]]) -> None:
    machine = Machine()
    measure(machine, "--scale=tiny")
    with pytest.raises(
        ValueError, match=r"out must go on with .* got another command: --scale=tiny / --scale=7b; choose"
    ):
        measure(machine, "--scale=7b")
    with pytest.raises(
        ValueError, match=r"got another code: c0ffee / decaf; choose another --out, or remove the folder"
    ):
        measure(machine, "--scale=tiny", code="decaf")
    assert len(machine.commands) == 2


@pytest.mark.parametrize("options", [("-k", "decode"), ("-mlong",), ("bench/bench_x.py::bench_x[1]",)])
def test_a_selection_is_refused_before_anything_is_measured(
    measure: Callable[..., list[str]], options: tuple[str, ...]
) -> None:
    machine = Machine()
    with pytest.raises(ValueError, match="a baseline must hold every scenario, got"):
        measure(machine, *options)
    assert machine.commands == []


def test_what_could_not_be_promoted_stops_after_the_launch_that_shows_it(measure: Callable[..., list[str]]) -> None:
    machine = Machine(injected={"moe": 1.3})
    with pytest.raises(PromotionRefused, match="a baseline must be of real code"):
        measure(machine, "--inject=moe=1.3")
    assert len(machine.commands) == 1


def test_a_launch_on_another_installation_is_refused_and_not_kept(measure: Callable[..., list[str]]) -> None:
    machine = Machine()
    measure(machine, count=1)
    machine.fields = {"fingerprint": {**document()["moevlm"]["fingerprint"], "torch": "2.12.0"}}
    with pytest.raises(
        PromotionRefused, match=r"share one machine and installation, got torch: 2\.13\.0\+cpu / 2\.12\.0"
    ):
        measure(machine)
    machine.fields = {}
    assert measure(machine)[0].endswith("1 of 2 launches are there")


@pytest.mark.parametrize(
    ("fields", "code", "verdict", "says"),
    [
        (WRONG, 17, Verdict.WRONG, "dense: got 0.3; mend the code"),
        ({"complete": False}, 1, Verdict.FAILED, "a launch ended 1, see .*launch-1.log: the end of the log"),
    ],
)
def test_a_launch_that_failed_ends_the_call_with_its_verdict(
    measure: Callable[..., list[str]], fields: dict[str, Any], code: int, verdict: Verdict, says: str
) -> None:
    machine = Machine(**fields)
    machine.code = code
    with pytest.raises(LaunchFailed, match=says) as failed:
        measure(machine)
    assert failed.value.verdict is verdict
    assert len(machine.commands) == 1


def test_what_an_earlier_call_found_wrong_is_not_said_of_a_launch_that_left_nothing(
    measure: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(**WRONG)
    with pytest.raises(LaunchFailed):
        measure(machine)
    monkeypatch.setattr(machine, "run", lambda _command, **_places: Ended(1, "no space"))
    with pytest.raises(LaunchFailed, match="no space") as failed:
        measure(machine)
    assert failed.value.verdict is Verdict.FAILED


def test_options_that_pytest_refuses_are_a_usage_error_with_its_words(measure: Callable[..., list[str]]) -> None:
    machine = Machine()
    machine.code = 4
    with pytest.raises(
        ValueError, match="pytest must accept the options after --, got --scal; it says: the end of the log"
    ):
        measure(machine, "--scal")
    machine.code = 0
    assert len(measure(machine, "--scale=tiny")) == 3  # what left nothing is not gone on with


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--launches=7", "--reason=x"), "--launches must be 8 or more, got 7; leave it out"),
        (("--reason= ",), "--reason must say why the baseline changes, got ' '"),
    ],
)
def test_what_promotion_would_refuse_is_refused_before_an_hour_of_measuring(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert commands.main(["baseline", *arguments]) == 4
    assert f"error: {says}" in capsys.readouterr().err


def test_a_process_that_outlasts_its_time_is_interrupted_and_its_words_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    started = time.monotonic()
    assert run_logged(["sleep", "60"], root=tmp_path, log=log, timeout_s=0.1) == (None, "")
    assert time.monotonic() - started < 30
    assert run_logged(["sh", "-c", "echo one; exit 3"], root=tmp_path, log=log) == (3, "one")
    assert run_logged(["sh", "-c", "echo two >&2"], root=tmp_path, log=log) == (0, "two")
    assert log.read_text() == "one\ntwo\n"


@pytest.mark.long
def test_an_unknown_machine_gets_its_baseline_by_one_command(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    done = run_module(folder, "bench", "baseline", "--launches=2", "--over=1s", "--reason=first", first=FEWER)
    assert done.code == 0, done.said
    assert "launch 2 of 2, about" in done.said
    assert "git add baselines && git commit -m 'Baseline: first'" in done.said
    assert "slowdowns above 5 % of a scenario will be seen" in done.said
    (path,) = (folder / "baselines").glob("*.json")
    promotion = json.loads(path.read_text())["moevlm"]["promotion"]
    assert (promotion["reason"], promotion["launches"]) == ("first", 2)
    assert list(record.load(path).scenarios) == SCENARIOS
    compared = run_pytest(folder, "bench", "--compare=require")
    assert compared.code == 0, compared.said
    assert "4 compared: 4 OK; slowdowns above 5 % would have been seen" in compared.said
