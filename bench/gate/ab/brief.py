"""What base and head are compared by: revisions, scenarios, options and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.gate.ab.noise import MEASURED, Prior
from bench.harness.project import ProjectTable


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What is compared, and how long it may take."""

    root: Path  # of the project
    project: ProjectTable  # what base and head differ in, and where scenarios and tolerances lie
    base: str  # a git revision
    head: str | None  # a git revision; None is the working tree as it is
    expression: str = ""  # pytest's -k; empty for all scenarios
    arguments: Sequence[str]  # pytest options of both sides: scales, sizes, device
    paths: Sequence[str] = ()  # to which the scenarios are narrowed, relative to the root; none are all
    budget_s: float
    seed: int = 0
    side_arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of one side, to rehearse a regression
    accept_answers: str = ""  # why head may answer otherwise than base; empty: it may not
    prior: Prior = MEASURED  # what is known of this machine's noise before any launch
    force: bool = False  # measure even if both sides are the same
    profile: bool = False  # regressed scenarios once more, under the profiler
