"""What came of comparing base and head: launches, verdicts and profiles, as they are written."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.gate.ab.endings import BASE, HEAD
from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.profile import ScenarioProfile
from bench.gate.ab.verdicts import Judgement
from bench.gate.ab.worktree import SourceTree
from bench.gate.telling import plain
from bench.gate.verdict import ScenarioVerdict, Verdict, closed
from bench.harness.writing import replace_text


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was measured and what is said of it."""

    base: SourceTree
    head: SourceTree
    launches: Sequence[PairedLaunch]
    judgement: Judgement
    seconds: float
    software: str  # that both sides ran with, for they share one environment
    profiles: Sequence[ScenarioProfile] = ()
    accept_answers: str = ""  # why head may answer otherwise than base
    notes: Sequence[str] = ()  # what a reader of the verdicts must know besides, a sentence each
    machine: str = ""  # that was measured on
    load: Sequence[float] = ()  # its average of a minute, before and after
    command: str = ""  # that compares the same again

    def changed_answers(self) -> dict[str, str]:
        """Return by scenario in what head answers otherwise than base, where that was accepted."""
        return {launch.scenario: launch.changed for launch in self.launches if launch.changed}

    @property
    def verdicts(self) -> list[ScenarioVerdict]:
        """Return what decides how the process ends: of every scenario, and of the groups that became slower."""
        slower = [group for group in self.judgement.groups if group.verdict is Verdict.REGRESSED]
        return closed([*self.judgement.scenarios, *slower])

    def document(self) -> dict[str, Any]:
        """Return all launches and verdicts as JSON knows them."""
        sides = {
            name: {"commit": tree.commit, "is_dirty": tree.is_dirty}
            for name, tree in ((BASE, self.base), (HEAD, self.head))
        }
        said = {
            name: [_said(verdict) for verdict in found]
            for name, found in (("verdicts", self.judgement.scenarios), ("groups", self.judgement.groups))
        }
        launches, profiles = ([asdict(one) for one in many] for many in (self.launches, self.profiles))
        rest = {"launches": launches, "profiles": profiles, "seconds": self.seconds, "software": self.software}
        rest |= {"machine": self.machine, "load": list(self.load), "command": self.command}
        accepted = {"accepted_answers": {"reason": self.accept_answers, "changed": self.changed_answers()}}
        return {**sides, **said, "notes": list(self.notes), **rest, **accepted}

    def write(self, path: Path) -> None:
        """Write the document whole or not at all.

        Raises:
            RecordWriteError: if the file system refuses.
        """
        replace_text(path, json.dumps(self.document()))


def _said(verdict: ScenarioVerdict) -> dict[str, Any]:
    changes = [plain(change) for change in verdict.changes]
    return {
        "scenario": verdict.scenario, "verdict": verdict.verdict.value, "where": verdict.where, "why": verdict.why,
        "changes": changes,
    }  # fmt: skip
