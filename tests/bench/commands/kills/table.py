"""The six commands that measure for long: how each is run small, when it is killed, what it keeps, how it goes on."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.gate.qualify.store import read_qualification
from bench.harness.record import load
from fixtures.programs.codes import INTERRUPTED
from tests.bench.commands.kills.killing import Started, leaves, registered_trees, runs, says

SMALL = ("--scale=tiny", "--batch-size=1,2", "--seq-len=128")
SCENARIOS = "bench/bench_decode.py"
EARLIER = "of an earlier run"  # stands for an ab.json
PLAN = f"""
[[step]]
name = "decode"
why = "the kill test"
files = ["bench_decode.py"]
options = {list(SMALL[1:])}
"""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One of the six."""

    arguments: Callable[[Path], Sequence[str]]  # by the output folder
    moments: Mapping[str, Callable[[Started], bool]]  # by name; nothing is finished at the first, something at the last
    kept: Callable[[Path], int]  # reads what is finished, which must be valid, and counts it
    # With so much kept, the moment at which the next run has gone on, and is ended too; None: it ends by itself.
    goes_on: Callable[[int], Callable[[Started], bool] | None] = lambda _kept: None
    interrupted: int = INTERRUPTED  # exit code
    again: Callable[[Path], Sequence[str]] = lambda _out: ()  # arguments of the next run in addition


def _kept_record(out: Path) -> int:
    paths = [*out.glob("run.json"), *out.glob("decode-*.json")]
    return sum(len(load(path).scenarios) for path in paths)


def _kept_suites(out: Path) -> int:
    path = out / "suites.jsonl"
    return sum(len(suite.launches) for suite in read_qualification(path).suites) if path.exists() else 0


def _kept_launches(out: Path) -> int:
    paths = sorted(out.glob("launch-*.json"))
    return sum(load(path).complete for path in paths)


def _kept_verdicts(out: Path) -> int:
    path = out / "ab.json"
    if path.exists():
        assert path.read_text() == EARLIER
    else:
        path.write_text(EARLIER)
    return 0


def _kept_twins(out: Path) -> int:
    return sum((path.parent / "model" / "model.safetensors").stat().st_size > 0 for path in out.rglob("twin.json"))


def _plan(out: Path) -> Path:
    path = out / "plan.toml"
    path.write_text(PLAN)
    return path


def _measured(out: Path) -> Sequence[str]:
    return [f"--record={out / 'rest.json'}", *([f"--measured={out / 'run.json'}"] if _kept_record(out) else [])]


COMMANDS: Mapping[str, Command] = {
    "pytest bench": Command(
        arguments=lambda out: [
            *("-m", "pytest", SCENARIOS, *SMALL, "--compare=off", "--scenario-budget=0.2"),
            f"--record={out / 'run.json'}",
        ],
        moments={"collects": says("test session starts"), "measures": leaves("run.json")},
        kept=_kept_record,
        again=_measured,  # the last --record counts
        interrupted=2,
    ),
    "ab": Command(
        arguments=lambda out: [
            *("-m", "bench", "ab", "--base=HEAD", "--force", "--budget=10m", f"--out={out}", "--"),
            *(*SMALL, SCENARIOS),
        ],
        moments={"lays out": lambda run: bool(registered_trees(run.clone)), "measures": runs("--ab-worker")},
        kept=_kept_verdicts,
        goes_on=lambda _kept: runs("--ab-worker"),
    ),
    "qualify": Command(
        arguments=lambda out: [
            *("-m", "bench", "qualify", f"--record={out / 'suites.jsonl'}", "--suites=1", "--launches=4", "--"),
            *(*SMALL, SCENARIOS),
        ],
        moments={"launch 1": says("launch 1 of 4"), "launch 2": says("launch 2 of 4")},
        kept=_kept_suites,
        goes_on=lambda kept: says(f"to begin\nsuite 1, unchanged: launch {kept + 1} of 4"),
    ),
    "campaign": Command(
        arguments=lambda out: [
            *("-m", "bench", "campaign", "--scale=tiny", "--budget=10m", f"--out={out}", f"--plan={_plan(out)}"),
        ],
        moments={"begins": says("decode: the kill test"), "measures": leaves("decode-1.json")},
        kept=_kept_record,
    ),
    "baseline": Command(
        arguments=lambda out: [
            *("-m", "bench", "baseline", "--reason=x", "--over=1s"),
            *(f"--out={out}", f"--baselines={out / 'baselines'}", "--"),
            *(*SMALL, SCENARIOS),
        ],
        moments={"launch 1": says("launch 1 of 8"), "launch 2": says("launch 2 of 8")},
        kept=_kept_launches,
        goes_on=lambda kept: says(f"{kept} of 8 launches are there\nlaunch {kept + 1} of 8"),
    ),
    "training": Command(
        arguments=lambda out: [
            *("-m", "fixtures.training", "--recipe=seconds", "--tasks=charts,documents", "--variants=dense,plain"),
            *("--seeds=0", f"--out={out}"),
        ],
        moments={"begins": leaves("recipe.json"), "a twin is there": leaves("twin.json")},
        kept=_kept_twins,
    ),
}
TERM = [signal.SIGTERM]
