"""What is done to the folder of compiled libraries, what is said of it, and whether the library is compiled again."""

import multiprocessing
import os
import re
import shutil
import time
from pathlib import Path

import pytest

from moevlm.kernels.cpu import cache, digest
from tests.moevlm.kernels.cpu.machine import ANY_COMPILER, COMPILED, MADE_FROM, NOBODY, Machine, asked

ENDLESS = 1 << 42  # bytes that take no room on the disk
FORK = multiprocessing.get_context("fork")  # at once: this process has imported everything
OPEN = Path("/proc/self/fd")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to somebody else")


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


def test_a_kept_library_is_found_without_a_compiler_and_without_writing(folder):
    library, _ = asked(Machine())
    (folder / "lock").unlink()
    for machine in (Machine(), Machine(made_from=ANY_COMPILER, has_compiler=False)):
        assert asked(machine) == (library, "")
        assert machine.compiled == 0
    assert {path.name for path in folder.iterdir()} == {library.name, digest.beside(library).name}


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


def _compile_slowly(log, seconds=0.2):
    machine = Machine()
    quick = machine._compile
    machine._compile = lambda library: (log.open("a").write("compiled\n"), time.sleep(seconds), quick(library))
    assert machine.library().read_bytes() == COMPILED


def test_two_processes_compile_once_and_both_have_the_library(folder, tmp_path):
    log = tmp_path / "log"
    processes = [FORK.Process(target=_compile_slowly, args=(log,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert log.read_text() == "compiled\n"


def test_a_process_killed_while_it_compiles_is_waited_for_by_nobody_and_leaves_nothing(folder, tmp_path):
    log = tmp_path / "log"
    process = FORK.Process(target=_compile_slowly, args=(log, 60))
    process.start()
    while process.is_alive() and not log.exists():
        time.sleep(0.01)
    process.kill()
    process.join(30)
    assert len(list(folder.glob(f"{cache.BUILDING}*"))) == 1
    library, warned = asked(Machine())
    assert warned == ""
    assert {path.name for path in folder.iterdir()} == {library.name, digest.beside(library).name, "lock"}
