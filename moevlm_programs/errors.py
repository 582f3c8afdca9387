"""What the system refuses, in words: what must be, what was got, and the remedy."""

import errno
from pathlib import Path

REMEDY = "choose another path that may be written"
REMEDIES = {  # by what the file system says
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), f"free disk space or raise the limit, or {REMEDY}"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files, `ulimit -n`"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR), REMEDY),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), f"a file stands where a folder is needed: {REMEDY}"),
}


class RecordWriteError(OSError):
    """Something could not be written; the file that was there before is intact."""


def write_error(what: Path | str, error: OSError, *, must: str = "be writable") -> RecordWriteError:
    """Return the error that says what could not be written, why, and what helps."""
    remedy = REMEDIES.get(error.errno or 0, REMEDY)
    return RecordWriteError(f"{what} must {must}, got {error.strerror or error}; {remedy}")


def in_words(error: Exception) -> Exception:
    """Return an error that says the rule and the remedy, in place of one in the system's words alone.

    Raises:
        OSError: the error itself, where nobody knows what it means.
    """
    if not isinstance(error, OSError) or error.errno is None:
        return error  # ours
    if error.errno in REMEDIES:
        return write_error(error.filename or "a file", error, must="open")
    if not isinstance(error, FileNotFoundError):
        raise error
    if error.filename is not None:
        return FileNotFoundError(f"{error.filename} must exist, got no such file; check the path")
    if "temporary" in str(error):  # tempfile has tried all places that it knows
        return RecordWriteError(f"a temporary folder must be writable, got none; name one in TMPDIR ({error.strerror})")
    return FileNotFoundError("the current folder must exist, got a removed one; cd into another")
