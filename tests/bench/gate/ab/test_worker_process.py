"""Tests of the parent's view of workers, with short scripts in Python's place."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench.gate.ab import worker_process
from bench.gate.ab.channel import Collected, Ended, Finish, Go, Ready, Warm, WarmUp
from bench.gate.ab.cores import allowed_cores
from bench.gate.ab.own_tree import OwnTree
from bench.gate.ab.pair import DidNotStart, EndedEarly, Timeouts, Workers
from bench.gate.ab.worker_process import HARNESS_ROOT, Pinned, Project, Side, Worker, WorkerLost, pin_device
from tests.processes import is_running, survives

HEADER = f"""#!{sys.executable}
import json, os, pathlib, signal, socket, subprocess, sys, time
sys.path.insert(0, {str(HARNESS_ROOT)!r})  # whatever stands on the path that it was started with
from bench.gate.ab.channel import *

arguments = sys.argv[1:]
is_base = arguments[3].endswith("base")
descriptor = int(next(a for a in arguments if a.startswith("--ab-worker=")).partition("=")[2])
channel = Channel(socket.socket(fileno=descriptor))
"""
GREETING = 'channel.send(Collected(package_file=arguments[3] + "/pack/__init__.py", node_ids=["f.py::a"]))'
START_S = 60.0
Start = Callable[..., None]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return a function that puts a script in Python's place; it has sent Collected and has `channel`."""

    def put(text: str, *, greets: bool = True) -> None:
        program = tmp_path / "python"
        program.write_text(f"{HEADER}\n{GREETING if greets else ''}\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return put


def sides(folder: Path) -> list[Side]:
    return [Side(name=name, folder=folder / name, arguments=[f"--only={name}"]) for name in ("base", "head")]


def project(folder: Path) -> Project:
    return Project(root=folder, package="pack", arguments=["--both"], environment={"SHARED": "yes"})


def start(folder: Path) -> Worker:
    worker = Worker(sides(folder)[0], project(folder), ["f.py::a", "g.py::b", "f.py::c"])
    assert isinstance(worker.receive(START_S), Collected)
    return worker


def workers(folder: Path, stage_s: float = START_S) -> Workers:
    return Workers(sides(folder), project(folder), Timeouts(start_s=START_S, stage_s=stage_s), ["f.py::a", "f.py::b"])


def test_a_worker_is_started_with_the_package_the_folder_and_pytests_arguments(
    script: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_job = ("PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    for name in of_the_job:
        monkeypatch.setenv(name, "-n auto")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    script('pathlib.Path("seen").write_text(json.dumps([arguments, dict(os.environ)])); channel.send(Go())')
    worker = start(tmp_path)
    worker.receive(START_S)
    worker.stop()
    arguments, environment = json.loads((tmp_path / "seen").read_text())
    assert arguments[:4] == ["-m", "bench.gate.ab.child", "pack", str(tmp_path / "base")]
    assert arguments[4:8] == ["f.py", "g.py", "--both", "--only=base"]
    assert "--ab-package=pack" in arguments
    assert environment["SHARED"] == "yes"
    assert environment["PYTHONPATH"] == f"{HARNESS_ROOT}{os.pathsep}/elsewhere"
    assert not set(of_the_job) & set(environment)


def test_a_worker_of_base_s_own_tree_runs_that_and_nothing_of_the_project(script: Start, tmp_path: Path) -> None:
    script('pathlib.Path("seen").write_text(json.dumps([arguments, os.environ["PYTHONPATH"]])); channel.send(Go())')
    tree = tmp_path / "base-tree"
    (tree / "bench").mkdir(parents=True)
    # the script in Python's place imports ours from it
    (tree / "bench" / "__init__.py").write_text(f"__path__.append({str(HARNESS_ROOT / 'bench')!r})\n")
    own = OwnTree(root=tree, node_ids={"a": "moved.py::a", "other": "other.py::other"})
    worker = Worker(replace(sides(tmp_path)[0], folder=tree, own=own), project(tmp_path), ["f.py::a", "f.py::new"])
    assert isinstance(worker.receive(START_S), Collected)
    worker.receive(START_S)
    worker.stop()
    arguments, path = json.loads((tree / "seen").read_text())
    assert arguments[:7] == ["-m", "bench.gate.ab.child", "pack", str(tree), "moved.py", "--both", "--only=base"]
    assert path.split(os.pathsep)[0] == str(tree)


def test_each_side_calls_a_scenario_by_its_own_name(script: Start, tmp_path: Path) -> None:
    script("told = channel.receive(); channel.send(Ended(outcome=' '.join(told.node_ids)))")
    (tmp_path / "base").mkdir()  # without a harness: it takes this one's
    own = OwnTree(root=tmp_path / "base", node_ids={"b": "f.py::a"})  # what the script says it has collected
    base, head = sides(tmp_path)
    pair = [replace(base, own=own), head]
    with Workers(pair, project(tmp_path), Timeouts(start_s=START_S), ["g.py::b", "f.py::a"]) as both:
        assert both.collected() == {"base": {"g.py::b"}, "head": {"f.py::a"}}
        both.choose(["g.py::b"])
        assert [both._expect(name, Ended, START_S).outcome for name in ("base", "head")] == ["f.py::a", "g.py::b"]


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("print('no such option'); sys.exit(4)", 4, "base: its worker ended 4: no such option"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -11, "base: its worker died of SIGSEGV: "),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, "SIGKILL; the kernel kills so when memory runs out"),
        ("time.sleep(600)", None, "base: its worker hung: no answer within 0 s; run the scenario alone"),
        ("print('last words', flush=True); channel.close(); time.sleep(600)", None, "stayed alive: last words"),
    ],
)
def test_a_worker_that_is_lost_says_how(
    script: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int | None, why: str
) -> None:
    monkeypatch.setattr(worker_process, "EXIT_S", 0.3 if code is None else START_S)
    script(text)
    worker = start(tmp_path)
    with pytest.raises(WorkerLost) as lost:
        worker.receive(0.2 if "sleep" in text else START_S)
    worker.stop()
    assert (lost.value.side, lost.value.code) == ("base", code)
    assert why in str(lost.value)


def test_what_is_sent_to_a_dead_worker_loses_it(script: Start, tmp_path: Path) -> None:
    script("sys.exit(5)")
    worker = start(tmp_path)
    with pytest.raises(WorkerLost, match="ended 5"):
        worker.receive(START_S)
    with pytest.raises(WorkerLost, match="ended 5"):
        worker.send(Go())
    worker.stop()


def test_a_stopped_worker_takes_what_it_started_with_it(script: Start, tmp_path: Path) -> None:
    script("child = subprocess.Popen(['sleep', '600']); channel.send(Ended(outcome=f'{child.pid}')); time.sleep(600)")
    worker = start(tmp_path)
    answer = worker.receive(START_S)
    assert isinstance(answer, Ended)
    assert is_running(answer.outcome)
    worker.stop()
    assert not survives(answer.outcome)


def test_a_worker_that_is_done_may_tidy_up(script: Start, tmp_path: Path) -> None:
    script("try:\n    channel.receive()\nexcept EOFError:\n    time.sleep(0.2); pathlib.Path('tidy').touch()")
    start(tmp_path).stop(START_S)
    assert (tmp_path / "tidy").exists()


def test_a_pair_is_asked_in_turn(script: Start, tmp_path: Path) -> None:
    script("channel.receive(); channel.send(Warm(block_s=1.0 if is_base else 2.0, anchor_calls=1)); channel.receive()")
    with workers(tmp_path) as both:
        assert both.collected() == {"base": {"f.py::a"}, "head": {"f.py::a"}}
        answers = both.in_turn(Go(), Warm, turns=["head", "base"])
    assert [(name, warm.block_s) for name, warm in answers.items()] == [("head", 2.0), ("base", 1.0)]


def test_when_a_side_ends_early_the_other_leaves_the_scenario_too(script: Start, tmp_path: Path) -> None:
    script(
        "channel.receive()\n"
        "if is_base: channel.send(Ended(outcome='failed'))\n"
        "else: channel.send(Warm(block_s=1, anchor_calls=1)); left = channel.receive(); "
        "channel.send(Ended(outcome=type(left).__name__)); pathlib.Path('left').write_text(type(left).__name__)\n"
        "channel.receive(); channel.send(Ended(outcome='passed'))"
    )
    with workers(tmp_path) as both:
        both.collected()
        with pytest.raises(EndedEarly) as early:
            both.in_turn(Go(), Warm)
        assert early.value.ended == {"base": Ended(outcome="failed")}
        assert both.in_turn(Finish(), Ended) == dict.fromkeys(("base", "head"), Ended(outcome="passed"))
    assert (tmp_path / "left").read_text() == "Abandon"


def test_an_answer_to_another_question_loses_the_worker(script: Start, tmp_path: Path) -> None:
    script("channel.receive(); channel.send(Go())")  # head is never asked, and ends when its channel does
    with workers(tmp_path) as both:
        both.collected()
        with pytest.raises(WorkerLost, match=r"base: it must answer Warm, got Go\(seed=0\)"):
            both.in_turn(Go(), Warm)


READY = "Ready(arms=[], metric='', hashes={}, params={'cores': ' '.join(map(str, sorted(os.sched_getaffinity(0))))})"
ON_CORES = f"""
channel.send(Collected(package_file=arguments[3] + "/pack/__init__.py", node_ids=[], num_threads=THREADS))
channel.receive()
if AT_ONCE:  # neither is ready before both were asked
    pathlib.Path(f"asked-{{is_base}}").touch()
    while not pathlib.Path(f"asked-{{not is_base}}").exists():
        time.sleep(0.01)
channel.send({READY})
channel.receive()
channel.send({READY})
"""
CORES = sorted(allowed_cores())


def told(ready: Mapping[str, Ready]) -> set[str]:
    return {side.params["cores"] for side in ready.values()}


@pytest.mark.skipif(len(CORES) < 2, reason=f"needs two cores to choose from, got {CORES}")
@pytest.mark.parametrize(
    ("base", "head", "number", "shared"),
    [
        (1, 1, 0, CORES[:1]),
        (1, 1, 1, CORES[1:2]),
        (len(CORES), len(CORES), 0, None),
        (1, 2, 0, None),
        (0, 1, 0, None),
    ],
    ids=["first launch", "second launch", "all cores", "more threads on head", "a GPU, or a worker that does not say"],
)
def test_both_set_up_at_once_on_any_cores_and_are_then_timed_on_the_same(
    script: Start, tmp_path: Path, base: int, head: int, number: int, shared: list[int] | None
) -> None:
    text = ON_CORES.replace("THREADS", f"({base} if is_base else {head})").replace("AT_ONCE", str(shared is not None))
    script(text, greets=False)
    with workers(tmp_path, stage_s=20.0) as both:
        both.collected()
        both.share_cores(number)  # of a scenario before
        assert told(both.set_up(Go())) == {" ".join(map(str, CORES))}
        both.share_cores(number)
        assert told(both.in_turn(WarmUp(), Ready)) == {" ".join(map(str, shared or CORES))}


def test_a_side_that_ends_a_scenario_as_both_set_it_up_has_the_other_leave_it(script: Start, tmp_path: Path) -> None:
    script(
        "channel.send(Collected(package_file=arguments[3] + '/pack/__init__.py', node_ids=[], num_threads=1))\n"
        f"channel.receive(); channel.send(Ended(outcome='skipped') if is_base else {READY})\n"
        "is_base or channel.send(Ended(outcome=type(channel.receive()).__name__))",
        greets=False,
    )
    with workers(tmp_path) as both:
        both.collected()
        with pytest.raises(EndedEarly) as early:
            both.set_up(Go())
        assert early.value.ended == {"base": Ended(outcome="skipped")}


def test_a_package_from_elsewhere_is_refused(script: Start, tmp_path: Path) -> None:
    script("")
    elsewhere = [Side(name="base", folder=tmp_path / "based")]
    with Workers(elsewhere, project(tmp_path), Timeouts(start_s=START_S), []) as both:
        both.sides = sides(tmp_path)[:1]
        with pytest.raises(DidNotStart, match=r"pack must come from .*/base, got '.*/based/pack/__init__.py'"):
            both.collected()


@pytest.mark.parametrize(
    ("base", "head", "lost"),
    [
        ("sys.exit(3)", "sys.exit(4)", {"base": 3, "head": 4}),
        ("sys.exit(3)", "start()", {"base": 3}),
        ("start()", "sys.exit(4)", {"head": 4}),
        ("start(protocol=7)", "start()", {"base": None}),
    ],
)
def test_a_side_that_does_not_start_is_told_of_once_the_other_has_answered(
    script: Start, tmp_path: Path, base: str, head: str, lost: dict[str, int | None]
) -> None:
    script(
        "def start(**more): channel.send(Collected(package_file=arguments[3] + '/pack', node_ids=[], **more))\n"
        f"{base} if is_base else {head}\nchannel.receive()",
        greets=False,
    )
    with workers(tmp_path) as both:
        with pytest.raises(DidNotStart) as error:
            both.collected()
        assert {side: one.code for side, one in error.value.lost.items()} == lost
    assert ("its bench/ speaks protocol 7 of `ab`, this one" in str(error.value)) is ("protocol" in base)


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Let SIGINT interrupt: a shell that starts tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_in_the_middle_of_a_block_leaves_nothing_behind(script: Start, tmp_path: Path) -> None:
    script(
        "child = subprocess.Popen(['sleep', '600'])\n"
        "pathlib.Path(f'pids-{is_base}').write_text(f'{os.getpid()} {child.pid}')\n"
        "channel.receive(); os.kill(os.getppid(), signal.SIGINT); time.sleep(600)"
    )

    def measure() -> None:
        with workers(tmp_path) as both:
            both.collected()
            both.in_turn(Go(), Warm)

    with pytest.raises(KeyboardInterrupt):
        measure()
    pids = [pid for path in tmp_path.glob("pids-*") for pid in path.read_text().split()]
    assert len(pids) >= 2
    assert not any(map(survives, pids))


@pytest.mark.parametrize(
    ("name", "has_gpu", "pinned"),
    [
        ("cpu", True, Pinned(("--device=cpu",), {})),
        ("auto", False, Pinned(("--device=auto",), {})),
        ("auto", True, Pinned(("--device=cuda",), {"CUDA_VISIBLE_DEVICES": "GPU-of-cuda"})),
        ("cuda:1", True, Pinned(("--device=cuda",), {"CUDA_VISIBLE_DEVICES": "GPU-of-cuda:1"})),
    ],
)
def test_both_sides_are_pinned_to_one_gpu_by_its_uuid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, has_gpu: bool, pinned: Pinned
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\n" + ("echo of-$3\n" if has_gpu else "exit 1\n"))  # $3: the device asked for
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert pin_device(name) == pinned
