"""What base and head are compared by: revisions, scenarios, options and time."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.gate.ab.noise import MEASURED, Prior
from bench.gate.ab.worktree import SourceTree
from bench.harness.naming import COMMANDS
from bench.harness.project import ProjectTable

COMMIT_LETTERS = 12  # that name a commit of any repository


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

    def command(self, base: SourceTree, head: SourceTree) -> str:
        """Return the command line that compares the same commits again; what no commit holds is the working tree's."""
        flags = {"--force": self.force, "--profile": self.profile}
        words = [
            *("ab", "--base", base.commit[:COMMIT_LETTERS]),
            *(() if head.is_dirty else ("--head", head.commit[:COMMIT_LETTERS])),
            *("--budget", f"{self.budget_s:g}s"),
            *(("--scenarios", self.expression) if self.expression else ()),
            *(("--accept-answers", self.accept_answers) if self.accept_answers else ()),
            *(flag for flag, is_set in flags.items() if is_set),
            *(argument for arguments in self.side_arguments.values() for argument in arguments),
        ]
        passed = [*self.arguments, *self.paths]
        return f"{COMMANDS} {shlex.join([*words, *(['--', *passed] if passed else [])])}"
