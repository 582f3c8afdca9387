"""What scenarios import, imported at once and set aside: no later search for garbage looks through it.

Such a search takes a fifth of a second in a process that has imported transformers, and each scenario asks for one.
"""

import contextlib
import gc
import importlib
from collections.abc import Iterable


def import_aside(names: Iterable[str]) -> None:
    """Import modules, if they can be, and have all that lives now outlive every search: call it before models live.

    Source: gc.freeze of Python's library.
    """
    for name in names:
        with contextlib.suppress(Exception):  # of code that is measured: who needs it says so
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def look_again() -> None:
    """Set nothing aside any more: at a process's end libraries tell of what of theirs is still there."""
    gc.unfreeze()
