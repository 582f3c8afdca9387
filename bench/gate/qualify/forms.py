"""What the lines of a record of suites must look like, checked as they are read."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from bench.gate.qualify.suites import Kind, Launch, Measured, Sample, Suite
from bench.gate.verdict import Verdict
from bench.harness.forms import LARGEST, Count, NotNegative, Positive, Text

SCHEMA_VERSION = 2

LARGEST_RATIO = 100.0  # as a logarithm, of which the gate takes the exponential


TOLD = {"cpu_model": str, "cpu_count": int, "torch": str, "transformers": str}  # of a machine
WORDS = {str: "a name", int: "a count"}


class HeadForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line: what all suites have in common."""

    schema_version: int
    machine: Mapping[str, Any]
    scenarios: list[Text]
    arguments: list[str]
    num_launches: Annotated[int, Meta(ge=1)]

    def __post_init__(self) -> None:
        """Demand a known schema, and of the machine what its tables tell."""
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {self.schema_version}")
        for name, kind in TOLD.items():
            found = self.machine.get(name)
            negative = isinstance(found, int) and found < 0
            if type(found) is not kind or not found or negative:
                raise ValueError(f"machine must have {name}, {WORDS[kind]}, got {found!r:.60}")


class KindForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `Kind`."""

    injected: dict[str, Positive]
    change: str


class SuiteForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A suite that begins."""

    number: Count
    kind: KindForm
    base: Text
    head: Text
    setup_s: NotNegative

    def suite(self) -> Suite:
        """Return the suite, without launches yet."""
        return Suite(**{**structs.asdict(self), "kind": Kind(**structs.asdict(self.kind))})


class MeasuredForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `Measured`; what is empty was left out."""

    end_s: NotNegative = 0.0
    arms: dict[str, Sample] = {}
    verdict: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        """Demand a known verdict, and numbers that arithmetic can take."""
        if self.verdict and self.verdict not in Verdict.__members__:
            raise ValueError(f"verdict must be one of {', '.join(Verdict.__members__)}, got {self.verdict!r:.60}")
        for arm, (ratio, base_mean, head_mean, *_) in self.arms.items():
            if abs(ratio) > LARGEST_RATIO or not (0 <= base_mean <= LARGEST and 0 <= head_mean <= LARGEST):
                raise ValueError(f"arms must hold ratios and means, got {ratio}, {base_mean}, {head_mean} of {arm:.60}")

    def measured(self) -> Measured:
        """Return what was measured."""
        return Measured(**structs.asdict(self))


class LaunchForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A launch of the suite of that number."""

    suite: Count
    number: Count
    is_placebo: bool
    started: str
    seconds: NotNegative
    load: NotNegative
    scenarios: dict[str, MeasuredForm]

    def launch(self) -> Launch:
        """Return the launch."""
        fields = {name: value for name, value in structs.asdict(self).items() if name != "suite"}
        return Launch(**{**fields, "scenarios": {name: one.measured() for name, one in self.scenarios.items()}})


class LineForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any further line: one of the two."""

    suite: SuiteForm | UnsetType = UNSET
    launch: LaunchForm | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Demand one of the two."""
        if (self.suite is UNSET) == (self.launch is UNSET):
            raise ValueError("a line must be a suite or a launch, got both or neither")
