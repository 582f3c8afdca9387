"""One archive: the record, what machine, software and command it came from, the claims, and a hash of each file."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.evidence.bundle.allowed import foreign_word
from bench.evidence.bundle.claims import Claim, claims_of
from bench.evidence.bundle.members import MIB, members_of
from bench.harness.arms import PRIMARY
from bench.harness.documents import DocumentError, parse_json
from bench.harness.record import KEY, CorruptRecord, Record
from bench.harness.writing import replace_bytes

SCHEMA_VERSION = 1
MANIFEST, RECORD, CLAIMS = "manifest.json", "record.json", "claims.md"
MOST_BYTES = {MANIFEST: 16 * MIB, RECORD: 64 * MIB, CLAIMS: 16 * MIB}  # thirty times the largest that we have seen
LAUNCHES_TO_CLAIM = 2  # one has no spread, and without that a claim has no tolerance to be reproduced within
REMEDY = "get the file again, or pack it again from its record"
# What tar headers, JSON and the fields of a document that anyone wrote can raise.
REFUSED = (OSError, EOFError, RecursionError, tarfile.TarError, LookupError, ValueError, TypeError)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What an archive holds, checked."""

    record: Record
    claims: Sequence[Claim]
    node_ids: Mapping[str, str]  # scenario -> what pytest calls it
    options: Sequence[str]  # of pytest, which select the same models and inputs


def pack(document: Mapping[str, Any], path: Path, claims_table: str) -> Bundle:
    """Write an archive, a gzipped tar, with a table of its claims for readers; the same record makes the same bytes.

    Raises:
        ValueError: the record answers wrongly, claims nothing, is a rehearsal, or does not say how it was measured.
        RecordWriteError: the archive could not be written.
    """
    bundle = _bundle(document)
    files = {RECORD: json.dumps(document, indent=1).encode(), CLAIMS: claims_table.encode()}
    header = document[KEY]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "commit": document.get("commit_info", {}),
        "environment": header["fingerprint"],
        "command": ["python", "-m", "pytest", *bundle.node_ids.values(), *bundle.options],
        "claims": [{**asdict(claim), "text": str(claim), "verdict": claim.verdict} for claim in bundle.claims],
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    files = {MANIFEST: json.dumps(manifest, indent=1, default=str).encode(), **files}
    replace_bytes(path, _archived(files))
    return bundle


def unpack(path: Path) -> Bundle:
    """Read an archive that anyone may have made, and check each file against its hash; nothing is written to disk.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptRecord: it is no archive that `pack` writes: cut short, changed, too large, or holding something else.
    """
    try:
        files = members_of(path, MOST_BYTES)
        manifest = parse_json(files[MANIFEST])
        if manifest["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {manifest['schema_version']!r:.60}")
        changed = [n for n in (RECORD, CLAIMS) if hashlib.sha256(files[n]).hexdigest() != manifest["sha256"][n]]
        if changed:
            raise ValueError(f"files must be as they were packed, got another {', '.join(changed)}")
        return _bundle(parse_json(files[RECORD]))
    except FileNotFoundError:
        raise
    except REFUSED as error:
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        if isinstance(error, DocumentError):  # whose remedy is a record's
            said = f"{error.place} {error.rule}".strip()
        rule = f"must be an archive that `bundle` wrote: {said}"
        raise CorruptRecord(rule, file=path, remedy=REMEDY) from error


def _bundle(document: Mapping[str, Any]) -> Bundle:
    record = Record.from_document(document)
    if record.wrong:
        said = "; ".join(f"{name}: {why}" for name, why in record.wrong.items())
        raise ValueError(
            f"a record to bundle must be of right answers, got {said}; mend the code, and measure it again"
        )
    claims = claims_of(record)
    if not claims:
        raise ValueError("a record to bundle must have a timed scenario with a dense arm, got none; name another")
    if min(claim.num_launches for claim in claims) < LAUNCHES_TO_CLAIM:
        raise ValueError(
            f"a record to bundle must hold {LAUNCHES_TO_CLAIM} launches or more, whose spread gives the tolerance, "
            "got one; name several records of the same scenarios, or a baseline"
        )
    if record.injected:
        raise ValueError(
            f"a record to bundle must not be a rehearsal, got --inject {dict(record.injected)}; measure without"
        )
    options = record.options.get("arguments")
    if options is None:
        raise ValueError("a record must say with which options it was measured, got none; measure it again")
    claimed = {claim.scenario for claim in claims}
    entries = [(entry["extra_info"][KEY], entry["fullname"]) for entry in document["benchmarks"]]
    node_ids = {ours["scenario"]: name for ours, name in entries if ours["arm"] == PRIMARY}
    if (foreign := foreign_word(options, node_ids.values())) is not None:
        raise CorruptRecord(f"a bundle must name scenarios and their options alone, got {foreign!r:.200}; {REMEDY}")
    return Bundle(
        record=record,
        claims=claims,
        node_ids={scenario: name for scenario, name in node_ids.items() if scenario in claimed},
        options=list(options),
    )


def _archived(files: Mapping[str, bytes]) -> bytes:
    """Return a gzipped tar without dates, owners or modes of this machine."""
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(tarred.getvalue(), mtime=0)
