"""How a program ends: each error that a user can mend in one line and with its code, an interrupt with what stays."""

from collections.abc import Callable, Mapping

from moevlm_programs.codes import CANNOT_WRITE, INTERRUPTED, READER_GONE, USAGE_ERROR
from moevlm_programs.errors import RecordWriteError, in_words
from moevlm_programs.terminal import ReaderGone, note

Codes = Mapping[type[Exception], int]

ERROR_CODES: Codes = {
    FileNotFoundError: USAGE_ERROR,
    RecordWriteError: CANNOT_WRITE,
    ValueError: USAGE_ERROR,
}
GOES_ON = "finished files are kept"  # of an interrupted program that says no more


def ended(main: Callable[[], int | None], codes: Codes = ERROR_CODES) -> int:
    """Run a program; return its exit code: its own, an error's, INTERRUPTED or READER_GONE.

    Args:
        main: what it does; a KeyboardInterrupt may say what stays and how to go on.
        codes: by error; a class comes before the one that it is derived from.

    Raises:
        Exception: any that is not among the codes.
    """
    known: tuple[type[Exception], ...] = (*codes, OSError)
    try:
        return main() or 0
    except known as raised:
        error = in_words(raised)
        note(f"error: {error}")
        return next(code for kind, code in codes.items() if isinstance(error, kind))
    except KeyboardInterrupt as interrupt:
        note(f"interrupted: {str(interrupt) or GOES_ON}")
        return INTERRUPTED
    except ReaderGone:
        return READER_GONE
