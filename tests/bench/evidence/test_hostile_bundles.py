"""Archives that a stranger made: every one ends 14 with a reason, and none runs more than the suite's own options."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _pytest.config import get_config

from bench import __main__ as commands
from bench.evidence.bundle.allowed import OPTIONS, check_scenarios, options_here
from bench.evidence.bundle.archive import MANIFEST, MOST_BYTES, RECORD, unpack
from bench.harness.options import OPTIONS as HARNESS_OPTIONS
from bench.harness.record import CorruptRecord
from fixtures.options import OPTIONS as SCENARIO_OPTIONS
from tests.bench.evidence.sample_bundles import launches, packed

Member = tuple[tarfile.TarInfo, bytes]


def members_of(path: Path) -> list[Member]:
    """Return what tarfile itself reads of an archive."""
    with tarfile.open(path) as archive:
        return [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def tar_of(*members: Member) -> bytes:
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return tarred.getvalue()


def zipped(*members: Member) -> bytes:
    return gzip.compress(tar_of(*members), 1)


def member(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, to: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, to
    return info, content


def sealed(record: bytes, claims: bytes = b"") -> list[Member]:
    """Return members whose hashes are right, whatever they hold: who changes a file can compute them anew."""
    known = {
        name: hashlib.sha256(content).hexdigest() for name, content in (("record.json", record), ("claims.md", claims))
    }
    manifest = json.dumps({"schema_version": 1, "sha256": known}).encode()
    return [member(MANIFEST, manifest), member(RECORD, record), member("claims.md", claims)]


def changed_record(**top: Any) -> bytes:
    return json.dumps({**launches(), **top}).encode()


LINKS = [member(RECORD, kind=tarfile.SYMTYPE, to="claims.md"), member("claims.md", kind=tarfile.SYMTYPE, to=RECORD)]
HOSTILE: dict[str, tuple[Callable[[list[Member]], bytes], str]] = {  # what is made of a whole bundle's members
    "nothing": (lambda _whole: b"", "cut short"),
    "no archive": (lambda _whole: b"not an archive", "must be compressed by gzip.*incorrect header check"),
    "no tar": (lambda _whole: gzip.compress(b"x" * 512), "ReadError"),
    "not compressed": (lambda whole: tar_of(*whole), "must be compressed by gzip.*incorrect header check"),
    "bzip2": (lambda whole: bz2.compress(tar_of(*whole)), "must be compressed by gzip.*incorrect header check"),
    "xz": (lambda whole: lzma.compress(tar_of(*whole)), "must be compressed by gzip.*incorrect header check"),
    "two streams": (lambda whole: zipped(*whole) * 2, "more behind it"),
    "words behind it": (lambda whole: zipped(*whole) + b"x", "more behind it"),
    "cut short": (lambda whole: zipped(*whole)[:-200], "cut short"),
    "a tar cut short": (lambda whole: gzip.compress(tar_of(*whole)[:4000]), "unexpected end of data"),
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
    "a manifest that is a list": (lambda whole: zipped(member(MANIFEST, b"[]"), *whole[1:]), "TypeError"),
    "a manifest that is no text": (
        lambda whole: zipped(member(MANIFEST, b"\xff{}"), *whole[1:]),
        "must be an archive that `bundle` wrote",
    ),
    "another schema": (
        lambda whole: zipped(member(MANIFEST, b'{"schema_version": 2}'), *whole[1:]),
        "schema_version must be 1, got 2",
    ),
    "no hashes": (
        lambda whole: zipped(member(MANIFEST, b'{"schema_version": 1}'), *whole[1:]),
        "KeyError: 'sha256'",
    ),
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
}  # fmt: skip


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


FOREIGN = [
    *("-p", "-pplugin", "--rootdir=/", "-c/tmp/x.ini", "--config-file=/tmp/x.ini", "--confcutdir=/", "--basetemp=/tmp"),
    *("--override-ini=log_file=/tmp/x", "-o", "--junitxml=/tmp/x", "--record=/tmp/x", "--import-mode=prepend"),
    *("@/tmp/x", "--pyargs", "--pastebin=all", "--debug=/tmp/x", "--log-file=/tmp/x", "--measured=/tmp/x"),
    "--inject=moe=0.1",
    *("--scale", "--scale=tiny\n-p", "--sca=tiny", "bench/x.py", "--ab-worker=3", ""),
]  # fmt: skip


@pytest.mark.parametrize("word", [*FOREIGN, 3, None, ["--scale=tiny"]])
def test_options_that_are_not_the_scenarios_are_refused(tmp_path: Path, word: object) -> None:
    with pytest.raises(CorruptRecord, match="scenarios and their options alone"):
        packed(tmp_path, options={"arguments": ["--scale=tiny", word]})


@pytest.mark.parametrize(
    "file", ["-p/x.py", "/tmp/x.py", "../x.py", "bench/../../x.py", "x.txt", "@x.py", "bench/x\n.py", "bench\\x.py"]
)
def test_names_that_are_no_scenarios_below_the_folder_are_refused(tmp_path: Path, file: str) -> None:
    record = launches()
    for entry in record["benchmarks"]:
        entry["fullname"] = f"{file}::{entry['name']}"
    path = packed(tmp_path)
    path.write_bytes(zipped(*sealed(json.dumps(record).encode())))
    with pytest.raises(CorruptRecord, match="scenarios and their options alone"):
        unpack(path)


def test_all_options_of_scenarios_may_be_named_and_none_of_pytests_or_the_harnesss() -> None:
    assert set(SCENARIO_OPTIONS) == {f"--{name}" for name in OPTIONS}
    theirs = {name for option in get_config()._parser._anonymous.options for name in option.names()}
    theirs |= {name for group in get_config()._parser._groups for one in group.options for name in one.names()}
    assert {"-p", "--rootdir", "-c", "--confcutdir"} <= theirs  # the parser knows what it must
    assert not {f"--{name}" for name in OPTIONS} & {*theirs, *HARNESS_OPTIONS}


NAMING = ["--data=/etc", "--data=x", "--data=..", "--routing=replay:/etc/passwd", "--routing=uniform,replay:x.json"]


@pytest.mark.parametrize("word", [*NAMING, "--device=/dev/sda", "--scale=../x", "--seed=~"])
def test_a_bundle_opens_no_file_of_this_machine(word: str) -> None:
    with pytest.raises(ValueError, match=r"must name no files of this machine, got .*; name your own: -- --"):
        options_here(["--scale=tiny", word], [])


def test_ones_own_option_replaces_a_bundles() -> None:
    theirs = ["--scale=tiny,proxy@2", "--routing=specialized:6..1/2,uniform", "--data=/theirs", "--seed=0"]
    assert options_here(theirs, ["--data", "/mine"]) == [*theirs[:2], "--seed=0", "--data", "/mine"]
    assert options_here(theirs, ["--data=/mine"])[-1] == "--data=/mine"


def test_scenarios_must_lie_in_the_projects_folder_of_them_links_followed(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "link.py").symlink_to(tmp_path / "conftest.py")
    check_scenarios(["bench/bench_x.py::bench_x[1]"], tmp_path, "bench")
    for file in ("conftest.py", "tests/test_x.py", "bench_x.py", "bench/link.py"):
        with pytest.raises(ValueError, match=r"must lie in bench/ of .*; reproduce it in a checkout"):
            check_scenarios([f"{file}::x"], tmp_path, "bench")
