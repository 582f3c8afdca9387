"""The schema of a record: the form of each of its parts, checked as it is read."""

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta, Struct, field

from bench.harness.documents import CorruptRecord
from bench.harness.environment import DEVICES
from bench.harness.forms import Axis, Count, NotNegative, Number, Positive, Text
from bench.harness.metrics import METRICS

SCHEMA_VERSION = 1
KEY = "moevlm"  # of our part in the document and in a benchmark's extra_info
TIMED, COUNTED = "benchmarks", "counted"  # lists of entries: pytest-benchmark's, and ours; see `lists`

Json = Mapping[str, Any]


class Launch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one process measured of one arm."""

    id: Text
    samples: tuple[Positive, ...]  # one a block, per unit, in the metric's unit
    voided: Count  # blocks dropped because the device was throttled

    def __post_init__(self) -> None:
        """Demand that something was measured, or lost."""
        if not self.samples and not self.voided:
            raise ValueError("samples must be one or more unless blocks were voided, got none")


class CostForm(TypedDict):
    """What one unit computes and moves; its parts one after another."""

    flops: NotNegative
    bytes: NotNegative
    parts: NotRequired[list[Annotated[list[NotNegative], Meta(min_length=2, max_length=2)]]]


class ArmSeries(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All samples of one arm of one scenario."""

    scenario: Text
    arm: Text
    metric: str
    num_units: Annotated[int, Meta(gt=0)] | Positive  # a sample times this is one call
    anchor: str | None
    rates: Mapping[str, Number]  # throughput metric -> quantity per unit
    params: Mapping[str, Axis]
    hashes: Mapping[str, str]
    cost: CostForm | None  # of one unit
    path: str = ""  # its way through the code, where there are several; records did not always tell
    kernel: str = ""  # what its largest operations ran on, where there is a choice; as above
    facts: Mapping[str, Number]
    launches: tuple[Launch, ...]

    def __post_init__(self) -> None:
        """Demand a known metric."""
        if self.metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {self.metric!r:.60}")

    def axis(self, name: str) -> str:
        """Return the value of an axis, as text.

        Raises:
            CorruptRecord: the scenario has no such axis.
        """
        if name not in self.params:
            raise self._wrong(f"must have {name}, got {', '.join(self.params) or 'none'}")
        return str(self.params[name])

    def size(self, name: str) -> int:
        """Return the value of an axis that is a number of something.

        Raises:
            CorruptRecord: the scenario has no such axis, or it is no whole number.
        """
        text = self.axis(name)
        if not text.isdecimal():
            raise self._wrong(f"must have a whole number as {name}, got {text!r:.60}")
        return int(text)

    def _wrong(self, rule: str) -> CorruptRecord:
        return CorruptRecord(rule, place=f"params of {self.scenario}", remedy="measure it again")


class KindForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of machine; see `kind_key`."""

    device: str
    device_model: Text
    device_count: Count
    dtype: Text
    num_threads: Count
    torch: Text

    def __post_init__(self) -> None:
        """Demand a device that can be described."""
        if self.device not in DEVICES:
            raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {self.device!r:.60}")


class FingerprintForm(Struct, frozen=True, kw_only=True):
    """What is read of a fingerprint by name; the rest is only compared."""

    python: str = ""
    torch: str = ""
    transformers: str = ""
    numpy: str = ""
    triton: str = ""


class LaunchHeaderForm(Struct, frozen=True, kw_only=True):
    """When and how one process measured."""

    id: Text
    started: str  # ISO 8601
    check_s: NotNegative = 0.0
    timed_s: NotNegative = 0.0
    sees_throttling: bool = False
    workers: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Demand a time."""
        try:
            datetime.datetime.fromisoformat(self.started)
        except ValueError as error:
            raise ValueError(f"started must be a time by ISO 8601, got {self.started!r:.60}") from error


class OptionsForm(Struct, frozen=True, kw_only=True):
    """What is read of a run's options."""

    axes: Mapping[str, list[str]] = field(default_factory=dict)
    arguments: list[Any] = field(default_factory=list)  # who runs them checks them


class PromotionForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a baseline was promoted."""

    reason: str
    commit: str
    date: str
    release: str
    launches: Count


class NotFittingForm(Struct, frozen=True, kw_only=True):
    """What was not measured; other plugins may say more of it."""

    scenario: Text
    reason: str = "skipped"


class WrongForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What answered wrongly, and in what."""

    scenario: Text
    why: str


class HeaderForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a record says of its run."""

    schema_version: int
    fingerprint: FingerprintForm
    kind: KindForm
    launch: LaunchHeaderForm
    timing: Count = 1  # see `blocks.TIMING`; records did not always tell
    peaks: Mapping[str, Positive]
    options: OptionsForm
    injected: Mapping[str, Positive]  # arm -> factor of a rehearsed slowdown
    complete: bool  # every selected scenario was measured and none failed
    not_fitting: tuple[NotFittingForm, ...]
    filtered: bool = False  # scenarios were deselected
    selected: tuple[str, ...] = ()  # ids of what the run was to measure, or knew to be measured
    failed: tuple[str, ...] = ()
    wrong: tuple[WrongForm, ...] = ()
    backends: Mapping[str, tuple[list[str], str]] = field(default_factory=dict)  # records did not always tell
    promotion: PromotionForm | None = None
    launch_headers: tuple[LaunchHeaderForm, ...] = ()  # of a merged record
    checksum: str = ""

    def __post_init__(self) -> None:
        """Demand a schema that is known."""
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {self.schema_version}")


class ExtraForm(Struct, frozen=True, kw_only=True):
    """What is ours of a benchmark's extra_info."""

    moevlm: ArmSeries


class EntryForm(Struct, frozen=True, kw_only=True):
    """What is read of an entry; the rest is pytest-benchmark's."""

    name: Text
    fullname: Text
    extra_info: ExtraForm


class DocumentForm(Struct, frozen=True, kw_only=True):
    """What is read of a record."""

    moevlm: HeaderForm
    benchmarks: list[EntryForm]
    counted: list[EntryForm] = field(default_factory=list)  # records did not always part them
    commit_info: Json = field(default_factory=dict)
