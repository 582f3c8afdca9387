"""Records and archives of claims for tests, and what is measured of them by a script."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.evidence.bundle.archive import Bundle, pack
from bench.evidence.bundle.reproduction import judge, measure
from bench.gate.launch import Launcher, LaunchFailed
from bench.gate.verdict import Verdict
from bench.harness import record
from bench.harness.record import Record
from tests.bench.sample_records import DENSE, SCENARIOS, document

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


Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, to: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, to
    return info, content


def tar_of(*members: Member) -> bytes:
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return tarred.getvalue()


def zipped(*members: Member) -> bytes:
    return gzip.compress(tar_of(*members), 1)


def manifest_of(document: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a manifest that fits, whatever its record holds: who changes a record can write another."""
    series = [(entry["fullname"], entry["extra_info"]["moevlm"]) for entry in document["benchmarks"]]
    names = [name for name, one in series if one["arm"] == "moe"]
    figures = {"speedup": [0.5, 0.49, 0.51], "num_launches": 4, "text": "said", "verdict": "supported"}
    claims = [
        {"scenario": one["scenario"], "against": one["arm"], "params": one["params"], **figures}
        for _, one in series
        if one["arm"].startswith("dense")
    ]
    return {
        "schema_version": 1,
        "commit": document["commit_info"],
        "environment": document["moevlm"]["fingerprint"],
        "command": ["python", "-m", "pytest", *names, *document["moevlm"]["options"]["arguments"]],
        "claims": claims,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }


def sealed(record_text: bytes, of: Mapping[str, Any] | None = None, **changes: Any) -> list[Member]:
    """Return an archive's members, which fit one another, about any record.

    Args:
        record_text: of the record's file.
        of: the document that the manifest is about, by default the usual one.
        changes: of the manifest's fields.
    """
    files = {"record.json": record_text, "claims.md": b"claims"}
    manifest = {**manifest_of(of or launches(), files), **changes}
    return [member(name, content) for name, content in {"manifest.json": written(manifest), **files}.items()]


def written(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode()


def forged(folder: Path, document: Mapping[str, Any], **changes: Any) -> Path:
    """Write an archive about a document that `bundle` need not take."""
    path = folder / "claims.tar.gz"
    path.write_bytes(zipped(*sealed(written(record.seal(document)), document, **changes)))
    return path


def with_names(found: dict[str, Any], *node_ids: str) -> dict[str, Any]:
    """Return a record whose scenarios pytest calls otherwise."""
    for node_id, scenario in zip(node_ids, SCENARIOS, strict=False):
        for entry in found["benchmarks"]:
            ours = entry["extra_info"]["moevlm"]
            if ours["scenario"] == scenario:
                ours["scenario"], entry["fullname"] = node_id.partition("::")[2] or node_id, node_id
    return found


@dataclass(frozen=True, kw_only=True)
class Started:
    """The process that would measure, as it was started."""

    words: Sequence[str]  # of pytest
    environment: Mapping[str, str]


def measure_nothing(patch: pytest.MonkeyPatch, scenarios: Iterable[str] = SCENARIOS) -> list[Started]:
    """Have fresh processes leave a record without measuring; return a list of those started."""
    started: list[Started] = []

    def run(command: Sequence[str], *, env: Mapping[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        words = list(command[command.index("pytest") + 1 :])
        path = next(word for word in words if word.startswith("--record=")).removeprefix("--record=")
        started.append(Started(words=words, environment=env))
        found = with_names(document(f"here-{len(started)}"), *(f"bench/bench_tiny.py::{name}" for name in scenarios))
        record.write(Path(path), found)
        return subprocess.CompletedProcess(command, 0, "", "")

    patch.setattr("bench.gate.launch.subprocess", SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired))
    return started


def write_checkout(folder: Path, *node_ids: str) -> Path:
    """Write a project that has scenarios; the usual ones unless others are named."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").touch()
    for node_id in node_ids or [f"bench/bench_tiny.py::{scenario}" for scenario in SCENARIOS]:
        file, _, name = node_id.partition("::")
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        with (folder / file).open("a", encoding="utf-8") as source:
            source.write(f"def {name.partition('[')[0].rpartition('::')[2]}(paired): ...\n")
    return folder


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
