"""Who can write a file: root and its user alone, on the whole way from the root."""

import grp
import os
import pwd

import pytest

from moevlm.kernels.cpu.trust import writable_by_others

GROUP = 54321


@pytest.fixture
def entry(monkeypatch):
    """Give the folder's group a name and members."""
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd(("ann", "x", 1, 1, "", "/", "/bin/sh")))

    def named(name, *members):
        monkeypatch.setattr(grp, "getgrgid", lambda _: grp.struct_group((name, "x", GROUP, list(members))))

    return named


@pytest.mark.parametrize(
    ("mode", "above", "is_trusted"),
    [
        (0o700, 0o700, True),
        (0o755, 0o755, True),
        (0o757, 0o700, False),
        (0o1777, 0o700, False),  # others add files to it
        (0o755, 0o757, False),  # others put another folder in its place
        (0o755, 0o1777, True),  # as in /tmp: they cannot
    ],
)
def test_a_folder_is_trusted_by_its_mode_and_the_one_above(tmp_path, mode, above, is_trusted):
    folder = tmp_path / "above" / "folder"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    folder.parent.chmod(above)
    assert (writable_by_others(folder) is None) == is_trusted


@pytest.mark.parametrize(
    ("group", "is_trusted"),
    [(("ann",), True), (("ann", "ann"), True), (("ann", "bob"), False), (("staff",), False), (("staff", "ann"), False)],
)
def test_a_group_that_is_the_users_alone_is_not_others(tmp_path, entry, group, is_trusted):
    entry(*group)
    tmp_path.chmod(0o770)
    assert (writable_by_others(tmp_path) is None) == is_trusted


def test_a_group_without_a_name_is_others(tmp_path, monkeypatch):
    monkeypatch.setattr(grp, "getgrgid", {}.__getitem__)
    tmp_path.chmod(0o770)
    assert f"others can write {tmp_path} (mode 0770; chmod go-w" in (writable_by_others(tmp_path) or "")


def test_what_is_not_there_is_as_safe_as_the_folder_it_would_be_in(tmp_path):
    absent = tmp_path / "one" / "two"
    assert writable_by_others(absent) is None
    tmp_path.chmod(0o777)
    assert f"others can write {tmp_path} " in (writable_by_others(absent) or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to somebody else")
def test_a_file_or_folder_of_somebody_else_is_not_trusted(tmp_path):
    os.chown(tmp_path, GROUP, -1)
    assert writable_by_others(tmp_path / "file") == f"{tmp_path} belongs to another user ({GROUP})"
