"""What came of comparing base and head: launches, verdicts and profiles, as they are written."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.gate.ab.endings import BASE, HEAD
from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.profile import ScenarioProfile
from bench.gate.ab.worktree import SourceTree
from bench.gate.verdict import ScenarioVerdict
from bench.harness.record import replace_text


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was measured and what is said of it."""

    base: SourceTree
    head: SourceTree
    stage_1: Sequence[PairedLaunch]
    stage_2: Sequence[PairedLaunch]
    verdicts: Sequence[ScenarioVerdict]
    seconds: float
    software: str  # that both sides ran with, for they share one environment
    profiles: Sequence[ScenarioProfile] = ()
    notes: Sequence[str] = ()  # what a reader of the verdicts must know besides, a sentence each

    def document(self) -> dict[str, Any]:
        """Return all launches and verdicts as JSON knows them."""
        sides = {
            name: {"commit": tree.commit, "is_dirty": tree.is_dirty}
            for name, tree in ((BASE, self.base), (HEAD, self.head))
        }
        stages = {"stage_1": [asdict(one) for one in self.stage_1], "stage_2": [asdict(one) for one in self.stage_2]}
        said = [
            {"scenario": v.scenario, "verdict": v.verdict.value, "where": v.where, "why": v.why} for v in self.verdicts
        ]
        profiles = [asdict(one) for one in self.profiles]
        said_of_all = {"verdicts": said, "notes": list(self.notes)}
        rest = {**said_of_all, "profiles": profiles, "seconds": self.seconds, "software": self.software}
        return {**sides, **stages, **rest}

    def write(self, path: Path) -> None:
        """Write the document whole or not at all.

        Raises:
            RecordWriteError: if the file system refuses.
        """
        replace_text(path, json.dumps(self.document()))
