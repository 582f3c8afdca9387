"""What an archive says of its record, for readers and programs: nothing that the record itself does not say."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from msgspec import Struct

from bench.evidence.bundle.claims import Claim
from bench.harness.documents import DocumentError
from bench.harness.forms import Axis, Count, Positive, Text, checked
from bench.harness.record import KEY

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
OF_RECORD = ("commit", "environment", "command")  # repeated from it, exactly

Json = Mapping[str, Any]


class ClaimForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim, computed from the record by whoever packed it."""

    scenario: Text
    against: Text
    params: Mapping[str, Axis]
    speedup: tuple[Positive, Positive, Positive]
    num_launches: Count
    text: Text
    verdict: Text


class ManifestForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    schema_version: int
    commit: Json
    environment: Json
    command: list[str]
    claims: list[ClaimForm]
    sha256: Mapping[str, str]


def manifest_of(document: Json, claims: Sequence[Claim], words: Sequence[str], files: Mapping[str, bytes]) -> Json:
    """Return what an archive says.

    Args:
        document: the record's.
        claims: that it makes.
        words: after `python -m pytest`, by which its claims are measured again.
        files: of the archive, but for this one.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "commit": document.get("commit_info", {}),
        "environment": document[KEY]["fingerprint"],
        "command": ["python", "-m", "pytest", *words],
        "claims": [{**asdict(claim), "text": str(claim), "verdict": claim.verdict} for claim in claims],
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }


def check_files(manifest: Any, files: Mapping[str, bytes]) -> None:
    """Demand a manifest of this schema, and the files that it is of.

    Raises:
        DocumentError: it breaks its form, or a file was changed.
    """
    version = manifest.get("schema_version", SCHEMA_VERSION) if isinstance(manifest, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        raise DocumentError(f"must be {SCHEMA_VERSION}, got {version!r:.60}", place=f"{MANIFEST}.schema_version")
    hashes = checked(manifest, ManifestForm, MANIFEST).sha256
    changed = [name for name, content in files.items() if hashes.get(name) != hashlib.sha256(content).hexdigest()]
    if changed or len(hashes) > len(files):
        names = ", ".join(changed or sorted(set(hashes) - set(files)))
        raise DocumentError(
            f"must be those of {' and '.join(files)}, got another of {names}", place=f"{MANIFEST}.sha256"
        )


def check_record(manifest: Json, expected: Json) -> None:
    """Demand that a manifest, whose form is checked, says of a record what the record does.

    Its claims' figures are not compared: they are computed anew, and another machine may round them otherwise.

    Raises:
        DocumentError: it says something else.
    """
    for name in OF_RECORD:
        if manifest[name] != expected[name]:
            raise DocumentError("must be what the record says, got something else", place=f"{MANIFEST}.{name}")
    theirs, ours = ([(one["scenario"], one["against"]) for one in said["claims"]] for said in (manifest, expected))
    if theirs != ours:
        raise DocumentError("must be those of the record, got others", place=f"{MANIFEST}.claims")
