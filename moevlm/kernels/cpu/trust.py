"""Who could have written a file or folder: what is loaded as code must be the user's own, or root's."""

import grp
import os
import pwd
import stat
from pathlib import Path

ROOT = 0


def writable_by_others(path: Path) -> str | None:
    """Say what lets another user write or replace a path, looking at it and at each folder above it.

    Args:
        path: Absolute, without links; what is not there yet is passed over.

    Returns:
        Whose it is or which mode it has, with the remedy; None where root and this user alone can write.
    """
    existing = [each for each in (path, *path.parents) if os.path.lexists(each)]
    return next((reason for each in existing if (reason := _reason(each, each != path))), None)


def _reason(path: Path, is_above: bool) -> str | None:
    found = path.lstat()
    if found.st_uid not in (ROOT, os.geteuid()):
        return f"{path} belongs to another user ({_name_of(found.st_uid)})"
    mode = stat.S_IMODE(found.st_mode)
    by_group = mode & stat.S_IWGRP and not _is_own_group(found.st_gid)
    # in a sticky folder (/tmp) others add files, but cannot replace those of this user
    if not (mode & stat.S_IWOTH or by_group) or (is_above and mode & stat.S_ISVTX):
        return None
    return f"others can write {path} (mode {mode:04o}; chmod go-w, once you trust what is in it)"


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _is_own_group(group: int) -> bool:
    """Tell a user's private group, which many systems give each user together with a umask of 002."""
    me = _name_of(os.geteuid())
    try:
        entry = grp.getgrgid(group)
    except KeyError:
        return False
    return entry.gr_name == me and set(entry.gr_mem) <= {me}
