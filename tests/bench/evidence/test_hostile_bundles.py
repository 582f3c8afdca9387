"""Archives that a stranger made: every one ends 14 with a reason, and none runs more than the suite's own options."""

import bz2
import gzip
import json
import lzma
import os
import random
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as commands
from bench.evidence.bundle import archive
from bench.evidence.bundle.archive import MOST_BYTES, RECORD, unpack
from bench.evidence.bundle.manifest import MANIFEST
from bench.harness.record import CorruptRecord
from tests.bench.evidence.sample_bundles import (
    Member,
    launches,
    manifest_of,
    member,
    packed,
    sealed,
    tar_of,
    zipped,
)
from tests.bench.sample_records import SCENARIOS


def members_of(path: Path) -> list[Member]:
    """Return what tarfile itself reads of an archive."""
    with tarfile.open(path) as found:
        return [(one, found.extractfile(one).read()) for one in found]  # type: ignore[union-attr]


def changed_record(**top: Any) -> bytes:
    return json.dumps({**launches(), **top}).encode()


def extended(*, size: int | None = None, kind: bytes = tarfile.XHDTYPE, content: bytes = b"") -> Callable[..., bytes]:
    """Return what puts a header that extends the next before the first file, of another size than it has."""

    def make(whole: list[Member]) -> bytes:
        info = tarfile.TarInfo("././@PaxHeader")
        info.type, info.size = kind, len(content) if size is None else size
        room = bytes(-len(content) % 512)
        return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + content + room + tar_of(*whole), 1)

    return make


def resized(size: int) -> Callable[[list[Member]], bytes]:
    """Return what writes another size into the header of the first file."""

    def make(whole: list[Member]) -> bytes:
        info = tarfile.TarInfo(whole[0][0].name)
        info.size = size
        return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + tar_of(*whole)[512:], 1)

    return make


def manifested(**changes: Any) -> Callable[[list[Member]], bytes]:
    """Return what changes a manifest; None leaves a field out."""

    def make(whole: list[Member]) -> bytes:
        said = {**json.loads(whole[0][1]), **changes}
        kept = {name: value for name, value in said.items() if value is not None}
        return zipped(member(MANIFEST, json.dumps(kept).encode()), *whole[1:])

    return make


def claiming(**changes: Any) -> Callable[[list[Member]], bytes]:
    """Return what changes the first claim of a manifest."""

    def make(whole: list[Member]) -> bytes:
        first, *others = json.loads(whole[0][1])["claims"]
        return manifested(claims=[{**first, **changes}, *others])(whole)

    return make


def about(**entry: Any) -> bytes:
    """Return an archive about a record whose first entry says something else; the manifest fits."""
    found = launches()
    found["benchmarks"][0]["extra_info"]["moevlm"] |= entry
    return zipped(*sealed(json.dumps(found).encode(), found))


def of_launches(*factors: float) -> bytes:
    """Return an archive about launches whose dense arms took so many times a second, and whose MoE arms that less."""
    found = launches()
    for entry in found["benchmarks"]:
        ours = entry["extra_info"]["moevlm"]
        ours["launches"] = [
            {**one, "samples": [factor if ours["arm"] == "dense" else 1 / factor] * 3}
            for one, factor in zip(ours["launches"], factors, strict=True)
        ]
    return zipped(*sealed(json.dumps(found).encode(), found))


LINKS = [member(RECORD, kind=tarfile.SYMTYPE, to="claims.md"), member("claims.md", kind=tarfile.SYMTYPE, to=RECORD)]
HOSTILE: dict[str, tuple[Callable[[list[Member]], bytes], str]] = {  # what is made of a whole bundle's members
    "nothing": (lambda _whole: b"", "cut short"),
    "no archive": (lambda _whole: b"not an archive", "must be compressed by gzip.*incorrect header check"),
    "no tar": (lambda _whole: gzip.compress(b"x" * 512), "InvalidHeaderError"),
    "nothing in it": (lambda _whole: gzip.compress(b""), "got no manifest.json, record.json, claims.md"),
    "not compressed": (lambda whole: tar_of(*whole), "must be compressed by gzip.*incorrect header check"),
    "bzip2": (lambda whole: bz2.compress(tar_of(*whole)), "must be compressed by gzip.*incorrect header check"),
    "xz": (lambda whole: lzma.compress(tar_of(*whole)), "must be compressed by gzip.*incorrect header check"),
    "two streams": (lambda whole: zipped(*whole) * 2, "more behind it"),
    "words behind it": (lambda whole: zipped(*whole) + b"x", "more behind it"),
    "cut short": (lambda whole: zipped(*whole)[:-200], "cut short"),
    "a tar cut short": (
        lambda whole: gzip.compress(tar_of(*whole)[:4000]),
        r"record.json must have \d+ bytes, got \d+: it is cut short",
    ),
    "a header cut short": (lambda whole: gzip.compress(tar_of(*whole)[:500]), "TruncatedHeaderError"),
    "words behind the end": (
        lambda whole: gzip.compress(tar_of(*whole) + b"x" * 512),
        "must end behind its files, got more",
    ),
    "a size below 0": (resized(-512), "manifest.json must be a plain file .* of -512 bytes"),
    "a size beyond all": (resized(2**70), "manifest.json must be a plain file .* of 1180591620717411303424 bytes"),
    "a header that resizes the next": (extended(content=b"19 size=-1024\n"), "got '././@PaxHeader'"),
    "a header for all": (extended(kind=tarfile.XGLTYPE, content=b"20 path=../../x\n"), "got '././@PaxHeader'"),
    "a header that takes long": (extended(content=b"1" * 2**20), "got '././@PaxHeader'"),
    "a long name": (extended(kind=tarfile.GNUTYPE_LONGNAME, content=b"../../x\0"), "got '././@PaxHeader'"),
    "a header of a size below 0": (extended(kind=tarfile.GNUTYPE_LONGLINK, size=-1024), "got '././@PaxHeader'"),
    "a sparse file": (
        lambda whole: zipped(*whole[:2], member("claims.md", b"x", kind=tarfile.GNUTYPE_SPARSE)),
        "claims.md must be a plain file",
    ),
    "a file of no kind": (
        lambda whole: zipped(*whole[:2], member("claims.md", b"x", kind=b"?")),
        "claims.md must be a plain file",
    ),
    "a folder": (
        lambda whole: zipped(*whole[:2], member("claims.md", kind=tarfile.DIRTYPE)),
        "claims.md must be a plain file",
    ),
    "a bomb": (lambda _whole: gzip.compress(bytes(sum(MOST_BYTES.values()) + 2**21), 1), "must unpack to at most"),
    "a file too large": (
        lambda whole: zipped(*whole[:2], member("claims.md", bytes(MOST_BYTES["claims.md"] + 1))),
        "claims.md must be a plain file of at most 16 MiB",
    ),
    "a link": (lambda whole: zipped(whole[0], LINKS[0], whole[2]), "record.json must be a plain file"),
    "a loop of links": (lambda whole: zipped(whole[0], *LINKS), "record.json must be a plain file"),
    "a hard link": (
        lambda whole: zipped(*whole[:2], member("claims.md", kind=tarfile.LNKTYPE, to=RECORD)),
        "claims.md must be a plain file",
    ),
    "a link out of it": (
        lambda whole: zipped(*whole[:2], member("claims.md", kind=tarfile.SYMTYPE, to="/etc/passwd")),
        "claims.md must be a plain file",
    ),
    "a device": (
        lambda whole: zipped(*whole[:2], member("claims.md", kind=tarfile.CHRTYPE)),
        "claims.md must be a plain file",
    ),
    "a pipe": (
        lambda whole: zipped(*whole[:2], member("claims.md", kind=tarfile.FIFOTYPE)),
        "claims.md must be a plain file",
    ),
    "a name out of it": (lambda whole: zipped(*whole, member("../../x", b"x")), r"got '\.\./\.\./x'"),
    "an absolute name": (lambda whole: zipped(*whole, member("/tmp/x", b"x")), "got '/tmp/x'"),
    "a file more": (lambda whole: zipped(*whole, member("x.py", b"x")), r"got 'x\.py'"),
    "a file twice": (lambda whole: zipped(*whole, whole[1]), r"once each, got 'record\.json'"),
    "a file less": (lambda whole: zipped(*whole[:2]), r"got no claims\.md"),
    "a manifest that is a list": (
        lambda whole: zipped(member(MANIFEST, b"[]"), *whole[1:]),
        "manifest.json must be object",
    ),
    "a manifest that is no text": (
        lambda whole: zipped(member(MANIFEST, b"\xff{}"), *whole[1:]),
        "must be an archive that `bundle` wrote: must be UTF-8",
    ),
    "another schema": (manifested(schema_version=2), r"manifest.json.schema_version must be 1, got 2"),
    "a schema that is true": (
        manifested(schema_version=True),
        "manifest.json.schema_version must be integer, got True",
    ),
    "no schema": (manifested(schema_version=None), "manifest.json must have schema_version"),
    "no hashes": (manifested(sha256=None), "manifest.json must have sha256"),
    "a hash less": (
        manifested(sha256={}),
        "manifest.json.sha256 must be those of .* got another of record.json, claims.md",
    ),
    "a hash of a file more": (
        lambda whole: manifested(sha256={**json.loads(whole[0][1])["sha256"], "../x": ""})(whole),
        r"got another of \.\./x",
    ),
    "an unknown field": (manifested(run="rm -r ."), "manifest.json must have known fields alone, got run"),
    "another command": (
        manifested(command=["sh", "-c", "touch x"]),
        "manifest.json.command must be what the record says",
    ),
    "a command that is no list": (manifested(command="touch x"), "manifest.json.command must be list"),
    "another commit": (
        manifested(commit={"id": "--upload-pack=touch x"}),
        "manifest.json.commit must be what the record",
    ),
    "a commit that is no object": (manifested(commit="--upload-pack=touch x"), "manifest.json.commit must be object"),
    "another machine": (
        manifested(environment={"LD_PRELOAD": "x"}),
        "manifest.json.environment must be what the record",
    ),
    "no claims": (manifested(claims=[]), "manifest.json.claims must be those of the record"),
    "a claim of another scenario": (claiming(scenario="bench_y"), "manifest.json.claims must be those of the record"),
    "a claim against another": (claiming(against="dense_active"), "manifest.json.claims must be those of the record"),
    "a claim of minus 1": (claiming(speedup=[-1, 1, 1]), r"claims\[0\].speedup\[0\] must be number above 0, got -1"),
    "a claim of two figures": (claiming(speedup=[1, 1]), r"claims\[0\].speedup must be list"),
    "a claim that says more": (claiming(run="x"), r"claims\[0\] must have known fields alone, got run"),
    "a record that is no object": (lambda _whole: zipped(*sealed(b"[]")), "must be"),
    "a record nested deep": (lambda _whole: zipped(*sealed(b"[" * 100_000)), "must be"),
    "a record without entries": (
        lambda _whole: zipped(*sealed(changed_record(benchmarks=[]))),
        "must have a timed scenario",
    ),
    "a record whose entries are text": (
        lambda _whole: zipped(*sealed(changed_record(benchmarks=["x"]))),
        "benchmarks",
    ),
    "a record without options": (lambda _whole: zipped(*sealed(changed_record(moevlm={}))), "moevlm must have"),
    "a commit of a record that is a list": (
        lambda _whole: zipped(*sealed(changed_record(commit_info=["x"]))),
        "commit_info",
    ),
    "a record under another checksum": (
        lambda _whole: zipped(*sealed(changed_record(version="x"))),
        "the checksum must be that of the content",
    ),
    "a metric that is none": (lambda _whole: about(metric="rm"), "metric must be one of"),
    "speed-ups beyond all that is believed": (
        lambda _whole: of_launches(1e-50, 1e50, 1e-50, 1e50),
        r"launches that agree, got speed-ups of bench_decode\[tiny-b1\] that no number holds",
    ),
    "speed-ups that no number holds": (
        lambda _whole: of_launches(1e-100, 1e100, 1e-100, 1e100),
        r"launches that agree, got speed-ups of bench_decode\[tiny-b1\] that no number holds",
    ),
}
EVENTS = {  # of Python's own audit: what starts a process, reaches another machine, or changes a file
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn", "ctypes.dlopen",
    "socket.connect", "socket.getaddrinfo", "socket.bind", "urllib.Request", "os.remove", "os.rename", "os.mkdir",
    "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate", "shutil.rmtree", "compile", "exec", "import",
}  # fmt: skip
WATCHED: list[list[str]] = []


def note_event(event: str, arguments: tuple[Any, ...]) -> None:
    """Note for whoever watches what must not happen; a file's opening is noted with its name."""
    if WATCHED and (event in EVENTS or event == "open"):
        is_text = event == "open" and isinstance(arguments[0], str)
        WATCHED[-1].append(f"{event} {arguments[0]}" if is_text or event != "open" else event)


sys.addaudithook(note_event)


@contextmanager
def watched() -> Iterator[list[str]]:
    found: list[str] = []
    WATCHED.append(found)
    try:
        yield found
    finally:
        WATCHED.pop()


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_ends_14_with_the_rule_that_it_breaks(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, said = HOSTILE[case]
    path = packed(tmp_path)
    path.write_bytes(make(members_of(path)))
    with pytest.raises(CorruptRecord, match=said) as refused:
        unpack(path)
    assert str(path) in str(refused.value)
    assert str(refused.value).endswith("get the file again, or pack it again from its record")
    monkeypatch.chdir(tmp_path)
    assert commands.main(["reproduce", str(path)]) == 14
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [path]  # nothing was written
    with watched() as events:
        unpack_refused(path)
    assert events == [f"open {path}"]


def unpack_refused(path: Path) -> None:
    try:
        unpack(path)
    except CorruptRecord:
        return
    raise AssertionError(path)


def test_a_whole_archive_that_tarfile_wrote_anew_is_read(tmp_path: Path) -> None:
    path = packed(tmp_path)
    known = unpack(path)
    path.write_bytes(zipped(*reversed(members_of(path))))
    assert unpack(path).claims == known.claims


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)], ids=["folder", "pipe", "loop"]
)
def test_what_is_no_file_ends_14(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "x.tar.gz")
    assert commands.main(["reproduce", str(tmp_path / "x.tar.gz")]) == 14


def test_any_byte_changed_ends_14_or_says_the_same(tmp_path: Path) -> None:
    path = packed(tmp_path)
    known, whole, rng = unpack(path), path.read_bytes(), random.Random(0)
    for place in [*range(20), *rng.sample(range(20, len(whole)), 60)]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ rng.randrange(1, 256)]) + whole[place + 1 :])
        try:
            found = unpack(path)
        except CorruptRecord:
            continue
        assert place < 10, place  # gzip's date, and the system that wrote it, say nothing
        assert (found.claims, found.node_ids, found.options) == (known.claims, known.node_ids, known.options)


def test_a_record_too_large_to_be_read_again_is_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in (("MOST_PACKED", 1000), ("MOST_BYTES", {**MOST_BYTES, RECORD: 1000})):
        with monkeypatch.context() as patch:
            patch.setattr(archive, limit, value)
            with pytest.raises(ValueError, match=r"must be of at most .* measure fewer"):
                packed(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_bundle_packs_can_be_read(tmp_path: Path) -> None:
    whole = members_of(packed(tmp_path))
    found = launches()
    ours = manifest_of(found, {one.name: content for one, content in whole[1:]})
    theirs = json.loads(whole[0][1])
    assert {**theirs, "claims": []} == {**ours, "claims": []}
    assert [claim["scenario"] for claim in theirs["claims"]] == list(SCENARIOS)
