"""Tests of whole launches, with workers that run a small project of scenarios most of which go wrong."""

from pathlib import Path

import pytest

from bench.gate.ab.cores import allowed_cores
from bench.gate.ab.known import Known
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.lockstep import LaunchTerms, run_launch
from bench.gate.ab.own_tree import OwnTree
from bench.gate.ab.pair import Timeouts
from bench.gate.ab.worker_process import Project, Side
from bench.gate.ab.worktree import source_tree
from bench.gate.verdict import Verdict
from bench.harness.blocks import MIN_BLOCKS
from tests.processes import survives

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).parents[4]
INI = f"""
[pytest]
pythonpath = . {REPOSITORY}
python_files = bench_*.py
python_functions = bench_*
addopts = --import-mode=importlib --benchmark-quiet --scenario-budget=0.01
"""
CONFTEST = """
import os, pathlib, torch
pytest_plugins = ["bench.plugin"]

def pytest_measured_setup(config):
    with open("pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
    return {"device": torch.device("cpu"), "dtype": torch.float32, "num_threads": 1, "axes": {}, "launch_options": []}
"""
BENCH = """
import os, signal, subprocess, time
import pack, pytest, torch
from bench.harness.agreement import WrongAnswer
from bench.harness.answers import DRAWS, Answer
from bench.harness.metrics import PEAK_BYTES, TTFT

def measure(paired, call=lambda arm: arm, check=lambda arm: None, **hashes):
    return paired.measure(call, arms=["moe", "dense"], check=check, metric=TTFT, anchor="dispatch", hashes=hashes)

class Nth:
    "Do something in the nth call, on one side."
    def __init__(self, side, number, act):
        self.left, self.act = number if pack.SIDE == side else -1, act
    def __call__(self, arm):
        self.left -= 1
        return self.act() if self.left == 0 else arm

@pytest.mark.parametrize("size", pack.SIZES)
def bench_counted(paired, size):
    assert paired.observe(lambda arm: pack.BYTES * size, arms=["moe"], metric=PEAK_BYTES)["moe"] == pack.BYTES * size

def bench_timed(paired):
    assert measure(paired) == {"moe": "moe", "dense": "dense"}

def bench_on_cores(paired):
    def note(arm):
        with open(f"cores-{pack.SIDE}", "a") as file:
            print(*sorted(os.sched_getaffinity(0)), file=file)
    measure(paired, note)

def bench_new(paired):
    pack.only_in_head
    measure(paired)

def bench_late(paired):
    measure(paired, Nth("base", 8, lambda: pack.only_in_head))

def bench_in_the_end(paired):
    measure(paired)
    pack.only_in_head

def bench_wrong(paired):
    measure(paired)
    assert pack.SIDE != "head"

def wrong_on(*sides):
    def check(arm):
        if arm == "dense" and pack.SIDE in sides:
            raise WrongAnswer(f"dense: got 0.3 on {pack.SIDE}")
    return check

def bench_answer_of_head(paired):
    measure(paired, check=wrong_on("head"))

def bench_answer_of_base(paired):
    measure(paired, check=wrong_on("base"))

def bench_answer_of_both(paired):
    measure(paired, check=wrong_on("base", "head"))

def bench_answer_in_the_end(paired):
    measure(paired)
    wrong_on("head")("dense")

def bench_drawn(paired):
    number = DRAWS.randrange(10**9)
    measure(paired, check=lambda arm: Answer(f"sample {number}", torch.ones(1, 3), 1e-4))

def bench_other_answer(paired):
    measure(paired, check=lambda arm: Answer("logits", torch.full((1, 3), float(pack.BYTES)), 1e-4))

def bench_killed(paired):
    measure(paired, Nth("head", 6, lambda: os.kill(os.getpid(), signal.SIGKILL)))

def start_and_hang():
    process = subprocess.Popen(["sleep", "600"])
    with open("pids", "a") as file:
        file.write(f"{process.pid}\\n")
    process.wait()

def bench_after(paired):
    measure(paired)

def bench_hung(paired):
    measure(paired, Nth("base", 6, start_and_hang))
"""
BENCH_Y = """
from pack import only_in_head

def bench_y(paired): ...
"""
OWN_BENCH = f"""
import pack
{BENCH.partition("import pack, pytest, torch")[2].partition("class Nth")[0]}

def wrong(arm):
    raise WrongAnswer("dense: got 0.3 on base")

def bench_new(paired):
    measure(paired)

def bench_late(paired):
    measure(paired, workload="another")

def bench_in_the_end(paired):
    measure(paired)
    pack.no_such_thing

def bench_answer_of_base(paired):
    measure(paired, check=wrong)
"""
PACKAGES = {  # by folder of the project; its own is what an unpinned import would find
    "base": "SIDE, BYTES, SIZES = 'base', 100, [1]",
    "head": "SIDE, BYTES, SIZES, only_in_head = 'head', 110, [1, 2], True",
    "tree": "SIDE = 'base'",
    ".": "raise ImportError('neither side has this')",
}


def make_project(root: Path) -> Path:
    (root / "bench").mkdir(parents=True)
    (root / "pytest.ini").write_text(INI)
    (root / "conftest.py").write_text(CONFTEST)
    (root / "bench" / "bench_x.py").write_text(BENCH)
    (root / "bench" / "bench_y.py").write_text(BENCH_Y)
    (root / "tree" / "bench").mkdir(parents=True)  # base's whole tree: its scenarios stand in another file
    (root / "tree" / "pytest.ini").write_text(INI)
    (root / "tree" / "conftest.py").write_text(CONFTEST)
    (root / "tree" / "bench" / "bench_old.py").write_text(OWN_BENCH)
    for folder, text in PACKAGES.items():
        (root / folder / "pack").mkdir(parents=True)
        (root / folder / "pack" / "__init__.py").write_text(text)
    return root


OWN = ("bench_new", "bench_late", "bench_in_the_end", "bench_answer_of_base")
Broken = tuple[Path, dict[str, PairedLaunch | Trouble]]  # the project, and the results by scenario


def node_ids(*names: str) -> list[str]:
    return [f"bench/bench_x.py::{name}" for name in names]


def project_terms(root: Path) -> LaunchTerms:
    return LaunchTerms(
        project=Project(root=root, package="pack"),
        base=Side(name="base", folder=root / "base"),
        head=Side(name="head", folder=root / "head"),
        number=0,
        seed=0,
        known=Known(
            lambda: OwnTree(root=root / "tree", node_ids={name: f"bench/bench_old.py::{name}" for name in OWN})
        ),
        budget_s=1e-6,
        timeouts=Timeouts(start_s=120, stage_s=120, block_s=3, block_factor=1),
    )


def started(root: Path) -> list[str]:
    return (root / "pids").read_text().split()


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    """One launch of scenarios most of which go wrong, with real workers."""
    root = make_project(tmp_path_factory.mktemp("broken") / "project")
    names = ["bench_counted[1]", "bench_counted[2]", "bench_timed", "bench_on_cores", "bench_new"]
    names += ["bench_late", "bench_wrong"]
    names += [f"bench_answer_{where}" for where in ("of_head", "of_base", "of_both", "in_the_end")]
    names += ["bench_drawn", "bench_other_answer"]
    names += ["bench_in_the_end", "bench_killed", "bench_after", "bench_hung"]
    results = list(run_launch(project_terms(root), [*node_ids(*names), "bench/bench_y.py::bench_y"]))
    assert sorted(result.scenario for result in results) == sorted([*names, "bench_y"])
    return root, {result.scenario: result for result in results}


def test_each_side_runs_its_own_package(broken: Broken) -> None:
    counted = broken[1]["bench_counted[1]"]
    assert isinstance(counted, PairedLaunch), counted
    assert counted.arms == {"moe": ([100.0], [110.0])}


def test_timed_scenarios_come_with_every_arm_block_by_block(broken: Broken) -> None:
    # a sample drawn at random is the same on both
    for scenario in ("bench_timed", "bench_drawn", "bench_after", "bench_new"):
        timed = broken[1][scenario]
        assert isinstance(timed, PairedLaunch), timed
        assert list(timed.arms) == ["moe", "dense", "anchor"]
        assert all(len(values) == MIN_BLOCKS for sides in timed.arms.values() for values in sides)


@pytest.mark.skipif(len(allowed_cores()) < 2, reason="needs two cores to choose from")
def test_both_sides_are_timed_on_one_core(broken: Broken) -> None:
    seen = {side: (broken[0] / f"cores-{side}").read_text().splitlines()[-MIN_BLOCKS:] for side in ("base", "head")}
    assert seen["base"] == seen["head"] == [str(min(allowed_cores()))] * MIN_BLOCKS  # that of launch 0, on one thread


@pytest.mark.parametrize(
    ("scenario", "verdict", "why"),
    [
        ("bench_counted[2]", Verdict.NEW, "base's own tree does not have it; head's scenario fails on it: it does not"),
        ("bench_late", Verdict.NOT_COMPARABLE, "base and head do not get the same inputs: another workload hash"),
        (
            "bench_in_the_end",
            Verdict.NOT_COMPARABLE,
            "base's own scenario fails: module 'pack' has no attribute 'no_such_thing'; head's scenario fails on it: "
            "module 'pack' has no attribute 'only_in_head'",
        ),
        ("bench_wrong", Verdict.FAILED, "head: assert 'head' != 'head'"),
        ("bench_answer_of_head", Verdict.WRONG, "head: dense: got 0.3 on head"),
        ("bench_answer_of_base", Verdict.NEW, "base answers wrongly: dense: got 0.3 on base; nothing to compare with"),
        (
            "bench_answer_of_both",
            Verdict.WRONG,
            "head: dense: got 0.3 on head; base answers wrongly too: dense: got 0.3 on base",
        ),
        ("bench_answer_in_the_end", Verdict.WRONG, "head: dense: got 0.3 on head"),
        ("bench_other_answer", Verdict.CHANGED, "dense: logits differ by 0.1 of their length, 0.0001 is the bound"),
        ("bench_killed", Verdict.FAILED, "head: its worker died of SIGKILL; the kernel kills so when memory runs out"),
        ("bench_hung", Verdict.FAILED, "base: its worker hung: no answer within 3 s"),
        ("bench_y", Verdict.NEW, "base's own tree does not have it; head's scenario fails on it: it does not collect"),
    ],
)
def test_what_went_wrong_is_named_and_the_rest_is_measured(
    broken: Broken, scenario: str, verdict: Verdict, why: str
) -> None:
    trouble = broken[1][scenario]
    assert isinstance(trouble, Trouble), trouble
    assert trouble.verdict is verdict
    assert why in trouble.why


def test_no_process_is_left_behind(broken: Broken) -> None:
    pids = started(broken[0])
    assert len(pids) == 2 * 2 + 1 + 1  # again after a death, for base's own tree; what hung had started a process
    pids += started(broken[0] / "tree")
    assert not any(map(survives, pids))


def test_this_repository_against_its_own_head() -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("sources without history have no base")
    project = Project(root=REPOSITORY, package="moevlm", arguments=["--device=cpu", "--scale=tiny"])
    with source_tree(REPOSITORY, "HEAD", "moevlm") as base, source_tree(REPOSITORY, None, "moevlm") as head:
        terms = LaunchTerms(
            project=project,
            base=Side(name="base", folder=base.folder),
            head=Side(name="head", folder=head.folder),
            number=0,
            seed=0,
            known=Known(lambda: OwnTree(root=base.tree, node_ids={})),
            budget_s=0.05,
        )
        (result,) = run_launch(terms, ["bench/bench_vision.py::bench_vision[tiny-mmmu-b1]"])
    assert isinstance(result, PairedLaunch), result
    assert set(result.arms) == {"moe", "dense", "anchor"}
