"""One archive: the record, what machine, software and command it came from, the claims, and a hash of each file."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.evidence.bundle.allowed import check_words
from bench.evidence.bundle.claims import Claim, claims_of
from bench.evidence.bundle.manifest import MANIFEST, check_files, check_record, manifest_of
from bench.evidence.bundle.members import MIB, MOST_PACKED, members_of
from bench.harness.arms import PRIMARY
from bench.harness.documents import DocumentError, parse_json
from bench.harness.forms import LARGEST
from bench.harness.record import KEY, CorruptRecord, Record, check_seal, entries_of
from bench.harness.writing import replace_bytes
from fixtures.programs.visible import visible

RECORD, CLAIMS = "record.json", "claims.md"
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
        ValueError: the record answers wrongly, claims nothing, is a rehearsal, or does not say how it was measured; or
            it is too large.
        CorruptRecord: it names something else than scenarios and their options.
        RecordWriteError: the archive could not be written.
    """
    bundle = _bundle(document)
    files = {RECORD: json.dumps(document, indent=1).encode(), CLAIMS: claims_table.encode()}
    manifest = json.dumps(_manifest(bundle, document, files), indent=1, default=str)
    files = {MANIFEST: manifest.encode(), **files}
    packed = _archived(files)
    if len(packed) > MOST_PACKED or any(len(content) > MOST_BYTES[name] for name, content in files.items()):
        most = f"{MOST_BYTES[RECORD] // MIB} MiB, and {MOST_PACKED // MIB} MiB packed"
        raise ValueError(f"a record to bundle must be of at most {most}, got a larger one; measure fewer scenarios")
    replace_bytes(path, packed)
    return bundle


def unpack(path: Path) -> Bundle:
    """Read an archive that anyone may have made, and check each file against its hash; nothing is written to disk.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptRecord: it is no archive that `pack` writes: cut short, changed, too large, or holding something else.
    """
    try:
        files = members_of(path, MOST_BYTES)
        manifest = parse_json(files.pop(MANIFEST))
        check_files(manifest, files)
        document = parse_json(files[RECORD])
        bundle = _bundle(document)
        check_seal(document)
        check_record(manifest, _manifest(bundle, document, files))
        return bundle
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
            f"a record to bundle must be of right answers, got {visible(said)}; mend the code, and measure it again"
        )
    claims = claims_of(record)
    if not claims:
        raise ValueError("a record to bundle must have a timed scenario with a dense arm, got none; name another")
    if min(claim.num_launches for claim in claims) < LAUNCHES_TO_CLAIM:
        raise ValueError(
            f"a record to bundle must hold {LAUNCHES_TO_CLAIM} launches or more, whose spread gives the tolerance, "
            "got one; name several records of the same scenarios, or a baseline"
        )
    if wild := [claim for claim in claims if claim.speedup.high > LARGEST]:
        raise ValueError(
            f"a record to bundle must be of launches that agree, got speed-ups of {visible(wild[0].scenario)} that no "
            "number holds; measure it again"
        )
    if record.injected:
        raise ValueError(
            f"a record to bundle must not be a rehearsal, got --inject {dict(record.injected)}; measure without"
        )
    options = record.options.get("arguments")
    if options is None:
        raise ValueError("a record must say with which options it was measured, got none; measure it again")
    claimed = {claim.scenario for claim in claims}
    entries = [(entry["extra_info"][KEY], entry["fullname"]) for entry in entries_of(document)]
    node_ids = {ours["scenario"]: name for ours, name in entries if ours["arm"] == PRIMARY}
    check_words(options, node_ids)
    return Bundle(
        record=record,
        claims=claims,
        node_ids={scenario: name for scenario, name in node_ids.items() if scenario in claimed},
        options=list(options),
    )


def _manifest(bundle: Bundle, document: Mapping[str, Any], files: Mapping[str, bytes]) -> Mapping[str, Any]:
    return manifest_of(document, bundle.claims, [*bundle.node_ids.values(), *bundle.options], files)


def _archived(files: Mapping[str, bytes]) -> bytes:
    """Return a gzipped tar without dates, owners or modes of this machine."""
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(tarred.getvalue(), mtime=0)
