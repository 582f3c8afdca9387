"""Records on disk: read and checked whole, sealed with a checksum, written whole or not at all."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from bench.harness.documents import DocumentError, content_of, document_of, parse_json, uncollected
from bench.harness.record.schema import COUNTED, KEY, TIMED, Json
from bench.harness.record.view import READ_REMEDY, Record
from bench.harness.writing import replace_text


def load(path: Path) -> Record:
    """Read a record's file; see `read` for what it raises."""
    return _read(path)[1]


def read(path: Path) -> dict[str, Any]:
    """Read and check the document of a record.

    Raises:
        FileNotFoundError: if there is no such file.
        CorruptRecord: if it is unreadable, truncated, of another schema or changed, or holds impossible samples.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Any], Record]:
    with uncollected(), document_of(path, remedy=READ_REMEDY):
        document: dict[str, Any] = parse_json(content_of(path))
        record = Record.from_document(document, path)
        check_seal(document)
    return document, record


def check_seal(document: Json) -> None:
    """Demand that the checksum of a document, whose form is checked, is that of its content.

    Raises:
        DocumentError: it was changed, or never sealed.
    """
    stored, computed = document[KEY].get("checksum"), checksum(document)
    if stored != computed:
        rule = f"must be that of the content, {computed[:12]}..., got {stored!r:.20}"
        raise DocumentError(rule, place="the checksum")


def seal(document: Json) -> dict[str, Any]:
    """Return the document as plain JSON values, with a new checksum; what is not JSON is replaced by its text.

    Raises:
        ValueError: if it holds NaN or an infinity.
    """
    try:
        plain: dict[str, Any] = json.loads(json.dumps(document, default=str, allow_nan=False))
    except ValueError as error:
        raise ValueError(
            f"a record must hold finite numbers only ({error}); drop what could not be measured"
        ) from error
    plain[KEY]["checksum"] = checksum(plain)
    return plain


def sealed(document: Json) -> Json:
    """Return a document as it is where its checksum is right, else sealed: see `seal`."""
    with contextlib.suppress(TypeError):  # what is not JSON has no checksum
        if document[KEY].get("checksum") == checksum(document):
            return document
    return seal(document)


def checksum(document: Json) -> str:
    """Return the SHA-256 of a document's canonical JSON (sorted keys, no spaces), its checksum left out."""
    header = {key: value for key, value in document[KEY].items() if key != "checksum"}
    canonical = json.dumps({**document, KEY: header}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def write(path: Path, document: Json) -> None:
    """Seal a document where it is not, and write it whole or not at all.

    Raises:
        RecordWriteError: if the file system refuses; an older file stays as it was.
    """
    lines = []
    for key, value in sealed(document).items():
        text = json.dumps(value)
        if key in (TIMED, COUNTED):  # one a line: a version control's difference names those that changed
            text = "[\n" + ",\n".join(json.dumps(entry) for entry in value) + "\n]"
        lines.append(f"{json.dumps(key)}: {text}")
    replace_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
