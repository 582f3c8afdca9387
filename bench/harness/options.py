"""Options of the harness: how it compares, where it writes, how long it may take."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.harness.blocks import MIN_BLOCKS
from bench.harness.launch import ON_DEVICE

DEFAULT_TIME_BUDGET_S = 285.0  # `pytest bench` promises five minutes
DEFAULT_SCENARIO_BUDGET_S = 0.4  # a median over tens of blocks at the default sizes; launches differ by more than that


@dataclass(frozen=True, kw_only=True)
class Options:
    """The harness's options, checked."""

    compare: str  # auto, require, off
    baselines: Path
    baseline: Path | None
    record: Path | None
    measured: tuple[Path, ...]
    strict: bool
    time_budget_s: float
    scenario_budget_s: float
    min_blocks: int
    slowdowns: dict[str, float]
    on_device: str  # that a fresh process shall measure on; empty for the project's choice


def add_options(parser: pytest.Parser) -> None:
    """Register the options with pytest."""
    group = parser.getgroup("moevlm harness", "measure, compare and judge")
    group.addoption(
        "--compare",
        choices=("auto", "require", "off"),
        default="auto",
        help="auto: compare where this kind of machine has a baseline; require: fail closed (CI); off: only record",
    )
    group.addoption("--baselines", default="baselines", metavar="DIR", help="where promoted baselines lie")
    group.addoption("--baseline", default=None, metavar="FILE", help="compare with this record and no other")
    group.addoption("--record", default=None, metavar="FILE", help="where the record goes (default: records/, by date)")
    group.addoption(
        "--measured",
        action="append",
        default=[],
        metavar="RECORD",
        help="leave out what this record holds, to go on with what an interrupted run has left; repeatable",
    )
    group.addoption("--strict-verdicts", action="store_true", help="an INCONCLUSIVE verdict fails the run (exit 11)")
    group.addoption(
        "--time-budget",
        type=float,
        default=DEFAULT_TIME_BUDGET_S,
        metavar="SECONDS",
        help="for the whole run; what is left of it confirms suspects in fresh processes (default: %(default)s)",
    )
    group.addoption(
        "--scenario-budget",
        type=float,
        default=DEFAULT_SCENARIO_BUDGET_S,
        metavar="SECONDS",
        help="clock time of the blocks of one scenario (default: %(default)s)",
    )
    group.addoption(
        "--min-blocks",
        type=int,
        default=MIN_BLOCKS,
        metavar="N",
        help="fewest blocks of a scenario, whatever they take (default: %(default)s)",
    )
    group.addoption(
        "--inject",
        default="",
        metavar="ARM=FACTOR,...",
        help="rehearse a regression: make an arm slower, for instance moe=1.3; such a record is never promoted",
    )
    # how fresh processes and `ab`'s workers are started; nobody types them
    group.addoption(ON_DEVICE, default="", help=argparse.SUPPRESS)  # one of pytest_measured_devices
    group.addoption("--ab-worker", type=int, default=None, help=argparse.SUPPRESS)  # file descriptor of the channel
    group.addoption("--ab-package", default="", help=argparse.SUPPRESS)  # the package that the sides differ in


def read_options(config: pytest.Config) -> Options:
    """Read the options.

    Raises:
        pytest.UsageError: if a value makes no sense.
    """
    root, chosen = config.rootpath, config.option
    for name in ("time_budget", "scenario_budget"):
        if not getattr(chosen, name) > 0:
            option = f"--{name.replace('_', '-')}"
            raise pytest.UsageError(f"{option} must be above 0 seconds, got {getattr(chosen, name)}")
    if chosen.min_blocks < 1:
        raise pytest.UsageError(f"--min-blocks must be at least 1, got {chosen.min_blocks}")
    return Options(
        compare=chosen.compare,
        baselines=root / chosen.baselines,
        baseline=Path(chosen.baseline) if chosen.baseline else None,
        record=Path(chosen.record) if chosen.record else None,
        measured=tuple(map(Path, chosen.measured)),
        strict=chosen.strict_verdicts,
        time_budget_s=chosen.time_budget,
        scenario_budget_s=chosen.scenario_budget,
        min_blocks=chosen.min_blocks,
        slowdowns=parse_slowdowns(chosen.inject),
        on_device=chosen.measured_on,
    )


def parse_slowdowns(text: str) -> dict[str, float]:
    """Parse `--inject`.

    Raises:
        pytest.UsageError: if it is not ARM=FACTOR with a factor of at least 1.

    >>> parse_slowdowns("moe=1.3,dense=1.1")
    {'moe': 1.3, 'dense': 1.1}
    """
    slowdowns: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        arm, _, factor = part.partition("=")
        try:
            slowdowns[arm] = float(factor)
        except ValueError:
            slowdowns[arm] = 0.0
        if not arm or not 1 <= slowdowns[arm] < 100:
            raise pytest.UsageError(f"--inject must be ARM=FACTOR,... with factors from 1 to 100, got {part!r}")
    return slowdowns


def inject_option(slowdowns: Mapping[str, float]) -> list[str]:
    """Return what `parse_slowdowns` reads, as an argument of a fresh pytest; none if nothing is slowed.

    >>> inject_option({"moe": 1.3, "dense": 1.1})
    ['--inject=moe=1.3,dense=1.1']
    """
    text = ",".join(f"{arm}={factor}" for arm, factor in slowdowns.items())
    return [f"--inject={text}"] if text else []
