"""Which folder keeps compiled libraries: one that others can write is left alone, one that cannot be written too."""

import os
import pwd
import re
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from moevlm.kernels.cpu import digest
from tests.moevlm.kernels.cpu.machine import ANY_COMPILER, COMPILED, NOBODY, Machine, asked

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to somebody else")


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
