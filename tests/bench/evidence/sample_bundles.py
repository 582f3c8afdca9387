"""Records and archives of claims for tests, and what is measured of them by a script."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.evidence.bundle.archive import Bundle, pack
from bench.evidence.bundle.reproduction import judge, measure
from bench.gate.launch import Launcher, LaunchFailed
from bench.gate.verdict import Verdict
from bench.harness import record
from bench.harness.record import Record
from tests.bench.sample_records import DENSE, document

ARGUMENTS = {"arguments": ["--scale=tiny"]}
SPREAD = (0.99, 1.0, 1.01, 1.0)  # of the launches' dense arms


def launches(*, dense: float = 1.0, options: Any = ARGUMENTS, **header: Any) -> dict[str, Any]:
    """Return a record of four launches, in which MoE takes about twice as long as dense."""
    return record.merge(
        [
            document(f"l{i}", dense=tuple(dense * factor * s for s in DENSE), options=options, **header)
            for i, factor in enumerate(SPREAD)
        ]
    )


def packed(folder: Path, **changes: Any) -> Path:
    path = folder / "claims.tar.gz"
    pack(launches(**changes), path, "claims")
    return path


def here(*, dense: float = 1.0, num_launches: int = 3, **header: Any) -> Record:
    """Return what was measured here: launches that differ by one percent."""
    documents = [
        document(f"h{i}", dense=tuple(dense * (1 + 0.01 * i) * s for s in DENSE), **header) for i in range(num_launches)
    ]
    return Record.from_document(record.merge(documents) if num_launches > 1 else documents[0])


def verdicts(bundle: Bundle, measured: Record | None) -> list[Verdict]:
    return [one.verdict for one in judge(bundle, measured)]


@dataclass(frozen=True, kw_only=True)
class Scripted(Launcher):
    """A launcher that returns what is on its list."""

    script: list[Record | LaunchFailed] = field(default_factory=list)

    def measure(self, node_ids: Sequence[str], *, timeout_s: float) -> Record:  # noqa: ARG002  # the script knows
        found = self.script.pop(0)
        if isinstance(found, LaunchFailed):
            raise found
        return found


def measured(bundle: Bundle, *script: Record | LaunchFailed) -> Record | None:
    launcher = Scripted(root=Path(), options=(), script=list(script))
    return measure(bundle, launcher, launches=3, deadline=time.monotonic() + 60, note=lambda _text: None)
