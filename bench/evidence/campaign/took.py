"""How long a step's processes took, and whether the last one ended by itself: a note beside its records."""

import json
from pathlib import Path

from msgspec import Struct

from bench.evidence.campaign.plan import Step
from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.forms import checked
from bench.harness.writing import replace_text

REMEDY = "remove it: the step runs again"


class Took(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of all processes of a step so far."""

    seconds: float = 0.0
    ended: bool = False  # by itself: none was cut


def took(folder: Path, step: Step) -> Took:
    """Read what is noted of a step; zeros where it has not run.

    Raises:
        CorruptRecord: The note cannot be read.
    """
    path = _path(folder, step)
    if not path.exists():
        return Took()
    with document_of(path, remedy=REMEDY):
        return checked(parse_json(content_of(path)), Took)


def note_took(folder: Path, step: Step, seconds: float, *, ended: bool) -> None:
    """Add a process to what is noted of a step.

    Raises:
        RecordWriteError: The file system refuses.
    """
    total = took(folder, step).seconds + seconds
    replace_text(_path(folder, step), json.dumps({"seconds": round(total, 1), "ended": ended}))


def _path(folder: Path, step: Step) -> Path:
    return folder / f"{step.name}.took"
