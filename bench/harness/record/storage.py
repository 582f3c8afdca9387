"""Records on disk: read and checked whole, sealed with a checksum, written whole or not at all."""

import hashlib
import json
from pathlib import Path
from typing import Any, NoReturn

from bench.harness.record.schema import KEY, READ_REMEDY, CorruptRecord, Json, Record
from bench.harness.writing import replace_text


def load(path: Path) -> Record:
    """Read a record's file; see `read` for what it raises."""
    return Record.from_document(read(path), path)


def read(path: Path) -> dict[str, Any]:
    """Read and check the document of a record.

    Raises:
        FileNotFoundError: if there is no such file.
        CorruptRecord: if it is unreadable, truncated, of another schema or changed, or holds impossible samples.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        problem = f"a record must be readable JSON, got {type(error).__name__}: {error}"
        raise CorruptRecord(f"{path}: {problem}; {READ_REMEDY}") from error
    Record.from_document(document, path)
    result: dict[str, Any] = document
    stored, computed = result[KEY].get("checksum"), checksum(result)
    if stored != computed:
        problem = f"the checksum must be that of the content, {computed[:12]}..., got {stored!r:.20}"
        raise CorruptRecord(f"{path}: {problem}; {READ_REMEDY}")
    return result


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


def checksum(document: Json) -> str:
    """Return the SHA-256 of a document's canonical JSON (sorted keys, no spaces), its checksum left out."""
    header = {key: value for key, value in document[KEY].items() if key != "checksum"}
    canonical = json.dumps({**document, KEY: header}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def write(path: Path, document: Json) -> None:
    """Seal a document and write it whole or not at all.

    Raises:
        RecordWriteError: if the file system refuses; an older file stays as it was.
    """
    lines = []
    for key, value in seal(document).items():
        text = json.dumps(value)
        if key == "benchmarks":  # one a line: a version control's difference names those that changed
            text = "[\n" + ",\n".join(json.dumps(entry) for entry in value) + "\n]"
        lines.append(f"{json.dumps(key)}: {text}")
    replace_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"numbers must be finite, got {name}")
