"""The document of `ab` as the report reads it: launches of both sides, and what was said of each scenario."""

from pathlib import Path

from msgspec import Struct

from bench.gate.verdict import Verdict
from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.forms import Axis, Count, Finite, NotNegative, Number, Text, checked
from bench.harness.metrics import METRICS

REMEDY = "run `ab` again, or restore the file"


class SideForm(Struct, frozen=True, kw_only=True):
    """A revision."""

    commit: str
    is_dirty: bool = False


class ChangeForm(Struct, frozen=True, kw_only=True):
    """How far one arm of head lies from base's."""

    control: Text
    log_ratio: Finite | None  # above 0 is worse; None: beyond any ratio
    said: str
    bound: str
    verdict: Verdict


class VerdictForm(Struct, frozen=True, kw_only=True):
    """What is said of one scenario, or of a group."""

    scenario: Text
    verdict: Verdict
    where: str = ""
    why: str = ""
    changes: tuple[ChangeForm, ...] = ()  # documents did not always tell


class LaunchForm(Struct, frozen=True, kw_only=True):
    """One scenario in one launch of both sides."""

    scenario: Text
    arms: dict[str, tuple[list[NotNegative], list[NotNegative]]]  # arm -> (base, head), one a block
    is_placebo: bool
    number: Count = 0
    sign: Number = 1.0
    counted: bool = False
    metric: str = ""
    params: dict[str, Axis] = {}

    def __post_init__(self) -> None:
        """Demand a known metric, where one is named."""
        if self.metric and self.metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {self.metric!r:.60}")


class Compared(Struct, frozen=True, kw_only=True):
    """What `ab` left."""

    base: SideForm
    head: SideForm
    launches: tuple[LaunchForm, ...]
    verdicts: tuple[VerdictForm, ...] = ()
    groups: tuple[VerdictForm, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: NotNegative = 0.0
    software: str = ""


def read_compared(path: Path) -> Compared:
    """Read what `ab` left.

    Raises:
        CorruptRecord: the file is no such document.
    """
    with document_of(path, remedy=REMEDY):
        return checked(parse_json(content_of(path)), Compared)
