"""Bundles to spoil: built of documents that need not be whole, taken apart by the standard library alone."""

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from bench.__main__ import main
from tests.bench.evidence.sample_bundles import (
    launches,
    manifest_of,
    measure_nothing,
    member,
    sealed,
    tar_of,
    write_checkout,
)
from tests.bench.hostile.mutations import resealed, written

FITTING = "its own"  # stands for the hash of a file, whatever that file becomes
REFUSED = (4, 14)
CHECKOUT = TemporaryDirectory()

Json = Any


def a_bundle() -> Json:
    """Return the files of a bundle."""
    document = launches()
    files = {"record.json": b"", "claims.md": b""}
    manifest = {**manifest_of(document, files), "sha256": dict.fromkeys(files, FITTING)}
    return {"manifest.json": manifest, "record.json": document, "claims.md": "claims"}


def zipped_files(files: Json) -> bytes:
    """Write a bundle of files, of which some may be missing, more, or anything."""
    if not isinstance(files, Mapping):
        return gzip.compress(written(files), 1)
    writers = {"record.json": resealed}
    contents = {name: writers.get(name, written)(one) for name, one in files.items() if name != "manifest.json"}
    if "manifest.json" in files:
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        contents = {"manifest.json": written(_fitting(files["manifest.json"], hashes)), **contents}
    return gzip.compress(tar_of(*(member(_name(name), content) for name, content in contents.items())), 1)


def _fitting(manifest: Json, hashes: Mapping[str, str]) -> Json:
    if not isinstance(manifest, dict) or not isinstance(manifest.get("sha256"), dict):
        return manifest
    known = {name: hashes.get(name, "") if one == FITTING else one for name, one in manifest["sha256"].items()}
    return {**manifest, "sha256": known}


def _name(name: str) -> str:
    return name.encode(errors="surrogatepass").decode(errors="replace")


def tar_about(document: Json) -> bytes:
    """Write what a bundle of a record unpacks to; all else fits it, if anything can."""
    text = resealed(document)
    try:
        return tar_of(*sealed(text, document))
    except (KeyError, TypeError, IndexError, ValueError, AttributeError):
        return tar_of(*sealed(text))


def zipped_text(content: bytes) -> str:
    """Return the files of a bundle, and their hashes, as the text of one JSON document."""
    return tar_text(gzip.decompress(content))


def tar_text(content: bytes) -> str:
    """Return the files of a tar, and their hashes, as the text of one JSON document."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    hashes = {name: hashlib.sha256(one).hexdigest() for name, one in files.items() if name != "manifest.json"}
    texts = {name: one.decode() for name, one in files.items() if name.endswith(".json")}
    texts |= {"hashes": json.dumps(hashes), "names": json.dumps(sorted(files))}
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in texts.items()) + "}"


def reproduced(arguments: list[str]) -> int:
    """Run `reproduce` where nothing is measured; what is refused ends in one line, before a process is started."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
        folder = Path(CHECKOUT.name)
        patch.chdir(folder if (folder / "bench").exists() else write_checkout(folder))
        started = measure_nothing(patch)
        code = main(arguments)
    if code in REFUSED:
        assert len(said.getvalue().splitlines()) == 1, said.getvalue()
        assert said.getvalue().startswith("error: ")
        assert not started
    return code
