"""Options of the harness: how it compares, where it writes, how long it may take."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.harness.blocks import MIN_BLOCKS
from bench.harness.longest import LONGEST_BLOCK_S
from bench.harness.project import read_project
from bench.harness.reading import seconds, slowdowns

DEFAULT_TIME_BUDGET_S = 285.0  # `pytest bench` promises five minutes
DEFAULT_SCENARIO_BUDGET_S = 0.4  # a median over tens of blocks at the default sizes; launches differ by more than that
ON_DEVICE = "--measured-on"  # gives a process one of the devices that workers can have

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--compare": {
        "choices": ("auto", "require", "off"),
        "default": "auto",
        "help": "auto: compare where this kind of machine has a baseline; require: fail closed (CI); off: only record "
        "(default: %(default)s)",
    },
    "--baselines": {
        "metavar": "DIR",
        "help": "where promoted baselines lie (default: what [tool.moevlm-bench] says, else baselines)",
    },
    "--baseline": {"metavar": "FILE", "help": "compare with this record and no other"},
    "--record": {"metavar": "FILE", "help": "where the record goes (default: records/, by date)"},
    "--report": {"metavar": "DIR", "help": "takes an HTML page of the run, which opens from disk"},
    "--measured": {
        "action": "append",
        "default": [],
        "metavar": "RECORD",
        "help": "leave out what this record holds, to go on with what an interrupted run has left; repeatable",
    },
    "--allow-inconclusive": {
        "action": "store_true",
        "help": "what --compare=require cannot judge does not fail it (exit 11), unless it looks slower",
    },
    "--time-budget": {
        "type": seconds,
        "default": DEFAULT_TIME_BUDGET_S,
        "metavar": "TIME",
        "help": "for the whole run, like 90s or 20m; what is left of it confirms suspects in fresh processes "
        f"(default: {DEFAULT_TIME_BUDGET_S:g}s)",
    },
    "--scenario-budget": {
        "type": seconds,
        "default": DEFAULT_SCENARIO_BUDGET_S,
        "metavar": "TIME",
        "help": f"clock time of the blocks of one scenario (default: {DEFAULT_SCENARIO_BUDGET_S:g}s)",
    },
    "--min-blocks": {
        "type": int,
        "default": MIN_BLOCKS,
        "metavar": "N",
        "help": "fewest blocks of a scenario, whatever they take (default: %(default)s)",
    },
    "--longest-block": {
        "type": seconds,
        "default": LONGEST_BLOCK_S,
        "metavar": "TIME",
        "help": "of a scenario; one whose blocks would take longer is skipped, and predicted on pages "
        f"(default: {LONGEST_BLOCK_S:g}s)",
    },
    "--parts": {
        "action": "store_true",
        "help": "show the parts of a pass that bench_layers times alone, a row each",
    },
    "--legend": {
        "action": "store_true",
        "help": "say what the columns are; the first run in a clone says so unasked",
    },
    "--inject": {
        "type": slowdowns,
        "default": {},
        "metavar": "ARM=FACTOR,...",
        "help": "rehearse a regression: make an arm slower, for instance moe=1.3; such a record is never promoted",
    },
    # of fresh processes and `ab`'s workers; nobody types them
    ON_DEVICE: {"default": "", "help": argparse.SUPPRESS},  # one of pytest_measured_devices
    "--ab-worker": {"type": int, "help": argparse.SUPPRESS},  # file descriptor of the channel
    "--ab-package": {"default": "", "help": argparse.SUPPRESS},  # the package that the sides differ in
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The harness's options, checked."""

    compare: str  # auto, require, off
    baselines: Path
    baseline: Path | None
    record: Path | None
    report: Path | None
    measured: tuple[Path, ...]
    allow_inconclusive: bool
    time_budget_s: float
    scenario_budget_s: float
    min_blocks: int
    longest_block_s: float
    slowdowns: dict[str, float]
    parts: bool  # show them
    legend: bool  # show it
    on_device: str  # that a fresh process shall measure on; empty for the project's choice


def add_options(parser: pytest.Parser) -> None:
    """Register the options with pytest."""
    group = parser.getgroup("moevlm harness", "measure, compare and judge")
    for name, about in OPTIONS.items():
        group.addoption(name, **about)


def read_options(config: pytest.Config) -> Options:
    """Read the options.

    Raises:
        pytest.UsageError: if a value, or the project's table, makes no sense.
    """
    root, chosen = config.rootpath, config.option
    if chosen.min_blocks < 1:
        raise pytest.UsageError(
            f"--min-blocks must be at least 1, got {chosen.min_blocks}; {MIN_BLOCKS} give a median its interval"
        )
    try:
        baselines = chosen.baselines or read_project(root).baselines
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    return Options(
        compare=chosen.compare,
        baselines=root / baselines,
        baseline=Path(chosen.baseline) if chosen.baseline else None,
        record=Path(chosen.record) if chosen.record else None,
        report=Path(chosen.report) if chosen.report else None,
        measured=tuple(map(Path, chosen.measured)),
        allow_inconclusive=chosen.allow_inconclusive,
        time_budget_s=chosen.time_budget,
        scenario_budget_s=chosen.scenario_budget,
        min_blocks=chosen.min_blocks,
        longest_block_s=chosen.longest_block,
        slowdowns=chosen.inject,
        parts=chosen.parts,
        legend=chosen.legend,
        on_device=chosen.measured_on,
    )
