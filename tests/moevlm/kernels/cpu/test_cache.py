"""What is done to the folder of compiled libraries, what is said of it, and whether the library is compiled again."""

import multiprocessing
import os
import pwd
import re
import shutil
import stat
import tempfile
import time
import warnings
from pathlib import Path

import pytest

from moevlm.kernels.cpu import cache, digest
from tests.moevlm.kernels.cpu.machine import COMPILED, MADE_FROM, Machine

ANY_COMPILER = {name: value for name, value in MADE_FROM.items() if name != "compiler"}
ENDLESS = 1 << 42  # bytes that take no room on the disk
NOBODY = 65534
OPEN = Path("/proc/self/fd")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to somebody else")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The preferred folder; TMPDIR holds the other one."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    return tmp_path / "extensions" / "moevlm"


@pytest.fixture
def spare(folder, tmp_path):
    return tmp_path / "temporary" / f"moevlm-{os.geteuid()}"


def asked(machine):
    """Return the library and what was warned of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        library = machine.library()
    return library, " ".join(str(each.message) for each in said)


def of_another(thing):
    """Put a library of another machine, with its digest, under this machine's name."""

    def put(library):
        digest.note(library, MADE_FROM | {thing: "another"})

    return put


def flipped(library):
    held = bytearray(library.read_bytes())
    held[3] ^= 1
    library.write_bytes(held)


def linked(library):
    library.replace(library.with_name("elsewhere"))
    library.symlink_to("elsewhere")


def endless_digest(library):
    digest.beside(library).write_text("")
    os.truncate(digest.beside(library), ENDLESS)


DAMAGE = {  # what is done to a library that is kept: by what, and what is said; None: nothing is wrong
    "nothing": (lambda _: None, None),
    "removed": (lambda library: library.unlink(), ""),
    "truncated": (lambda library: library.write_bytes(COMPILED[:5]), "holds 5 bytes, 20 were compiled"),
    "empty": (lambda library: library.write_bytes(b""), "holds 0 bytes, 20 were compiled"),
    "flipped": (flipped, "holds other bytes than were compiled"),
    "foreign": (lambda library: shutil.copy("/bin/sh", library), r"holds \d+ bytes, 20 were compiled"),
    "of another processor": (of_another("processor"), "was compiled for another processor"),
    "of another torch": (of_another("torch"), "was compiled for another torch"),
    "of another source": (of_another("source"), "was compiled for another source"),
    "of other flags": (of_another("set of flags"), "was compiled for another set of flags"),
    "of another compiler": (of_another("compiler"), "was compiled for another compiler"),
    "endless": (lambda library: os.truncate(library, ENDLESS), f"holds {ENDLESS} bytes, 20 were compiled"),
    "with an endless digest": (endless_digest, "has a damaged digest"),
    "without a digest": (lambda library: digest.beside(library).unlink(), "its digest cannot be read: No such file"),
    "with an empty digest": (lambda library: digest.beside(library).write_text(""), "has a damaged digest"),
    "with a digest of noise": (
        lambda library: digest.beside(library).write_bytes(b"\xff" * 10000),
        "has a damaged digest",
    ),
    "with a digest of other bytes": (
        lambda library: digest.beside(library).write_text(
            digest.beside(library).read_text().replace("sha256: ", "sha256: 0")
        ),
        "holds other bytes than were compiled",
    ),
    "a link": (linked, "is not a plain file"),
    "writable by all": (lambda library: library.chmod(0o777), "others can write .*chmod go-w"),
    "with a digest writable by all": (lambda library: digest.beside(library).chmod(0o666), "others can write"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_library_is_compiled_once_more_with_the_reason(folder, name):
    damage, said = DAMAGE[name]
    library, first = asked(Machine())
    damage(library)
    machine = Machine()
    again, warned = asked(machine)
    assert (first, again, library.parent) == ("", library, folder)
    assert machine.compiled == (said is not None)
    assert bool(warned) == bool(said)
    assert re.search(f"compiles its CPU kernels anew: {library} .*{said}" if said else "^$", warned)
    assert again.read_bytes() == COMPILED
    assert not again.is_symlink()
    assert asked(machine) == (library, "")  # compiled once, for good
    assert machine.compiled == (said is not None)


@needs_root
@pytest.mark.parametrize("which", [lambda library: library, digest.beside])
def test_what_another_user_put_there_is_compiled_once_more(folder, which):
    library, _ = asked(Machine())
    os.chown(which(library), NOBODY, -1)
    machine = Machine()
    assert "belongs to another user" in asked(machine)[1]
    assert machine.compiled == 1
    assert asked(machine) == (library, "")


def test_a_library_that_cannot_be_loaded_is_compiled_once_more(folder):
    library, _ = asked(Machine())
    machine = Machine(refused={library: "cannot be loaded: no such symbol"})
    assert f"{library} cannot be loaded: no such symbol" in asked(machine)[1]
    assert machine.compiled == 1


UNTRUSTED = {  # what is done to the preferred folder, and what is said
    "writable by all": (lambda folder: folder.chmod(0o777), r"others can write .*/moevlm \(mode 0777; chmod go-w"),
    "sticky and writable by all": (lambda folder: folder.chmod(0o1777), r"others can write .*/moevlm \(mode 1777"),
    "in a folder writable by all": (lambda folder: folder.parent.chmod(0o777), r"others can write .*/extensions \("),
    "a file": (lambda folder: (shutil.rmtree(folder), folder.write_text("")), "Not a directory"),
    "in a file": (lambda folder: (shutil.rmtree(folder.parent), folder.parent.write_text("")), "Not a directory"),
    "not to be made": (lambda _: os.environ.update(TORCH_EXTENSIONS_DIR="/proc/none"), "No such file.*/proc/none"),
    "with a lock that cannot be opened": (
        lambda folder: (folder / "lock").unlink() or (folder / "lock").mkdir() or next(folder.glob("*.so")).unlink(),
        "Is a directory: .*/lock",
    ),
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_folder_that_cannot_be_used_is_left_alone_for_another_one(folder, spare, name):
    spoil, said = UNTRUSTED[name]
    asked(Machine())
    spoil(folder)
    before = {path: path.lstat().st_mtime_ns for path in folder.parent.rglob("*")} if folder.parent.is_dir() else {}
    machine = Machine()
    for _ in range(2):  # said each time, compiled once
        library, warned = asked(machine)
        assert library.parent == spare
        assert re.search(f"keeps its CPU kernels as {library}: .*{said}", warned)
        assert warned.endswith("; set TORCH_EXTENSIONS_DIR to a folder that you alone can write")
    assert machine.compiled == 1
    if before:
        assert before == {path: path.lstat().st_mtime_ns for path in folder.parent.rglob("*")}


def test_a_folder_that_others_make_while_this_process_makes_it_is_not_used(folder, spare, monkeypatch):
    make = Path.mkdir

    def make_for_all(path, **how):
        make(path, **how)
        path.chmod(0o777 if path == folder else 0o755)

    monkeypatch.setattr(Path, "mkdir", make_for_all)
    library, warned = asked(Machine())
    assert library.parent == spare
    assert f"others can write {folder} " in warned


@needs_root
@pytest.mark.parametrize("which", [lambda folder: folder, lambda folder: folder.parent])
def test_a_folder_of_another_user_is_left_alone_for_another_one(folder, spare, which):
    asked(Machine())
    os.chown(which(folder), NOBODY, -1)
    library, warned = asked(Machine())
    assert library.parent == spare
    assert f"{which(folder)} belongs to another user (" in warned


def test_without_a_folder_that_is_safe_nothing_is_compiled_and_the_remedy_is_named(folder, spare):
    for each in (folder, spare):
        each.mkdir(parents=True)
        each.chmod(0o777)
    machine = Machine()
    with pytest.raises(
        OSError, match=f"others can write {folder} .*others can write {spare} .*; set TORCH_EXTENSIONS_DIR"
    ):
        machine.library()
    assert machine.compiled == 0


def test_a_link_that_another_user_left_in_the_temporary_folder_is_not_followed(folder, spare, tmp_path):
    folder.parent.write_text("")
    (tmp_path / "mine").mkdir()
    spare.symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match=f"others can write {spare}"):
        Machine().library()
    assert not list((tmp_path / "mine").iterdir())


def test_a_user_without_a_home_is_told_where_the_library_is(folder, spare, monkeypatch):
    for name in ("TORCH_EXTENSIONS_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)  # KeyError, as for a number that no user has
    monkeypatch.chdir(spare.parent)
    library, warned = asked(Machine())
    assert library.parent == spare
    assert "this user has no home folder (HOME); set TORCH_EXTENSIONS_DIR" in warned
    assert list(Path().iterdir()) == [Path(spare.name)]  # no folder named ~


def test_a_home_that_cannot_be_written_is_told(folder, spare, monkeypatch):
    for name in ("TORCH_EXTENSIONS_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/proc/none")
    library, warned = asked(Machine())
    assert library.parent == spare
    assert "/proc/none" in warned


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_what_is_made_can_be_written_by_its_user_alone_whatever_the_umask(folder, umask):
    before = os.umask(umask)
    try:
        _, warned = asked(Machine())
    finally:
        os.umask(before)
    made = [folder.parent, folder, *folder.iterdir()]
    assert warned == ""
    assert len(made) == 5  # two folders, the library, its digest and a lock
    assert not [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o022]


def test_a_kept_library_is_found_without_a_compiler_and_without_writing(folder):
    library, _ = asked(Machine())
    (folder / "lock").unlink()
    for machine in (Machine(), Machine(made_from=ANY_COMPILER, has_compiler=False)):
        assert asked(machine) == (library, "")
        assert machine.compiled == 0
    assert {path.name for path in folder.iterdir()} == {library.name, digest.beside(library).name}


def test_a_library_in_the_temporary_folder_is_found_without_a_compiler(folder, spare):
    library, _ = asked(Machine())
    spare.mkdir()
    for each in (library, digest.beside(library)):
        each.rename(spare / each.name)
    assert asked(Machine(made_from=ANY_COMPILER, has_compiler=False)) == (spare / library.name, "")


@pytest.fixture
def plain_user(monkeypatch):
    """A temporary folder of a user that modes hold for, as they do not for root."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    user = os.geteuid()
    if user == 0:
        os.chown(made, NOBODY, -1)
        os.seteuid(NOBODY)
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    yield made
    os.seteuid(user)
    shutil.rmtree(made)


def test_a_folder_that_cannot_be_written_gives_what_it_has_and_is_left_for_another_one(plain_user, monkeypatch):
    folder = plain_user / "extensions" / "moevlm"
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(folder.parent))
    library, _ = asked(Machine())
    folder.chmod(0o555)
    machine = Machine()
    assert asked(machine) == (library, "")
    assert machine.compiled == 0
    library.write_bytes(COMPILED[:5])
    again, warned = asked(machine)
    assert again.parent == plain_user / f"moevlm-{os.geteuid()}"
    assert f"Permission denied: '{folder}" in warned
    assert (machine.compiled, asked(machine)[0]) == (1, again)
    folder.chmod(0o755)


def test_another_compiler_makes_a_library_of_its_own(folder):
    names = {asked(Machine(made_from=MADE_FROM | {"compiler": compiler}))[0].name for compiler in ("g++12", "g++13")}
    assert len(names) == len(list(folder.glob("*.so"))) == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda library: library.unlink(),
            "^a C.. compiler must be there .g.., clang.. or CXX., found none; install one$",
        ),
        (lambda library: library.write_bytes(b""), "install one; .*so holds 0 bytes, 20 were compiled$"),
        (lambda library: library.parent.chmod(0o777), "install one; others can write"),
    ],
)
def test_without_a_compiler_and_a_library_to_trust_both_are_said(folder, spoil, said):
    spoil(asked(Machine())[0])
    with pytest.raises(OSError, match=said):
        Machine(made_from=ANY_COMPILER, has_compiler=False).library()


def test_a_compiler_that_fails_leaves_nothing_but_the_lock(folder):
    def fail(library):
        library.write_bytes(b"half")
        raise RuntimeError("out of registers")

    with pytest.raises(RuntimeError, match="out of registers"):
        cache.find_or_make(cache.Wanted(MADE_FROM, fail, {}))
    assert list(folder.iterdir()) == [folder / "lock"]


def test_what_a_killed_compiler_left_is_swept_by_the_next(folder):
    left = folder / f"{cache.BUILDING}left"
    left.mkdir(parents=True)
    (left / "half.so").write_bytes(b"half")
    library, _ = asked(Machine())
    assert {path.name for path in folder.iterdir()} == {library.name, digest.beside(library).name, "lock"}


@pytest.mark.skipif(not OPEN.exists(), reason="no system that tells a file by its descriptor")
def test_a_library_is_on_disk_before_it_has_its_name(folder, monkeypatch):
    happened = []

    def noting(what, name_of, function):
        return lambda *arguments: (happened.append((what, name_of(arguments[-1]).name)), function(*arguments))

    monkeypatch.setattr(os, "fsync", noting("fsync", lambda at: (OPEN / str(at)).readlink(), os.fsync))
    monkeypatch.setattr(Path, "replace", noting("name", Path, Path.replace))
    library, _ = asked(Machine())
    noted = digest.beside(library).name
    first, second = ([("fsync", name), ("name", name), ("fsync", "moevlm")] for name in (noted, library.name))
    assert happened == first + second


def _compile_slowly(log):
    machine = Machine()
    quick = machine._compile
    machine._compile = lambda library: (log.open("a").write("compiled\n"), time.sleep(0.2), quick(library))
    assert machine.library().read_bytes() == COMPILED


def test_two_processes_compile_once_and_both_have_the_library(folder, tmp_path):
    log = tmp_path / "log"
    forking = multiprocessing.get_context("fork")
    processes = [forking.Process(target=_compile_slowly, args=(log,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert log.read_text() == "compiled\n"
