"""What a document of scored models must hold, checked before anything is computed."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from bench.harness.documents import DocumentError
from bench.harness.forms import Count, Finite, NotNegative, Positive, Share, Text, checked
from bench.pages.pareto.points import AXES, KINDS, MEASURED, PREDICTED, PUBLISHED, SUPPLIED, TRAINED
from bench.pages.twins.forms import PointsForm

SCHEMA_VERSION = 1
TIERS = {TRAINED: "twins", PUBLISHED: "models", SUPPLIED: "models"}  # tier -> the list's name


def _require_order(low: float, estimate: float, high: float) -> None:
    if not low <= estimate <= high:
        raise ValueError(f"estimate must be within low and high, got {estimate} and {low}, {high}")


class ShareForm(Struct, frozen=True, kw_only=True):
    """An accuracy with its interval."""

    estimate: Share
    low: Share
    high: Share
    num_samples: Annotated[int, Meta(ge=1)] | UnsetType = UNSET  # questions

    def __post_init__(self) -> None:
        """Demand an interval."""
        _require_order(self.low, self.estimate, self.high)


class RateForm(Struct, frozen=True, kw_only=True):
    """A throughput with its interval."""

    estimate: Positive
    low: Positive
    high: Positive

    def __post_init__(self) -> None:
        """Demand an interval."""
        _require_order(self.low, self.estimate, self.high)


class DifferenceForm(Struct, frozen=True, kw_only=True):
    """A difference of two accuracies with its interval."""

    estimate: Finite
    low: Finite
    high: Finite

    def __post_init__(self) -> None:
        """Demand an interval."""
        _require_order(self.low, self.estimate, self.high)


class GuessForm(Struct, frozen=True, kw_only=True):
    """What the best guesser without sight scores."""

    estimate: Share


class AnswerForm(Struct, frozen=True, kw_only=True):
    """What was asked, and how it was answered."""

    source: str
    score: Share | None  # None where the rules could not read the answer


class ScoredForm(Struct, frozen=True, kw_only=True):
    """A scored model on one task; what else a document says of it is for others."""

    task: Text
    variant: str
    size: str
    num_parameters: Positive
    num_active_parameters: Positive
    accuracy: dict[str, ShareForm]
    throughput: dict[str, RateForm]
    seed: Count | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    basis: str = MEASURED
    blind: dict[str, GuessForm] | UnsetType = UNSET
    minus_dense: DifferenceForm | UnsetType = UNSET
    points: PointsForm | UnsetType = UNSET
    transition: Count | UnsetType | None = UNSET  # the step at which it began to look; None: it never did
    unparsed_rate: Share | UnsetType = UNSET
    specialization_coef: NotNegative | UnsetType = UNSET
    weights: str | UnsetType = UNSET
    compared_with: list[str] = []
    source: str = ""
    split: str = ""
    answers: list[AnswerForm] = []

    def __post_init__(self) -> None:
        """Demand what every point is drawn from, by the names that it is known by."""
        if "all" not in self.accuracy:
            raise ValueError(f"accuracy must have all, got {', '.join(self.accuracy) or 'none'}")
        if self.blind is not UNSET and "all" not in self.blind:
            raise ValueError(f"blind must have all, got {', '.join(self.blind) or 'none'}")
        if lacking := [axis for axis in AXES if axis not in self.throughput]:
            raise ValueError(f"throughput must have {' and '.join(AXES)}, got no {', '.join(lacking)}")
        if self.kind is not UNSET and self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r:.60}")
        if self.basis not in (MEASURED, PREDICTED):
            raise ValueError(f"basis must be {MEASURED} or {PREDICTED}, got {self.basis!r:.60}")


class SuppliedForm(ScoredForm, frozen=True, kw_only=True):
    """A supplied model: a name that a user chose tells no kind, and its answers are compared one by one."""

    kind: str
    answers: Annotated[list[AnswerForm], Meta(min_length=1)]


class MachineForm(Struct, frozen=True, kw_only=True):
    """What is told of a machine."""

    device_model: Text
    dtype: Text
    num_threads: Count


class TestForm(Struct, frozen=True, kw_only=True):
    """What twins were asked."""

    batch_size: Count
    num_pictures: Count
    difficulty: str


class DocumentForm(Struct, frozen=True, kw_only=True):
    """What all tiers have in common."""

    schema_version: int
    tier: str
    machine: MachineForm | str = ""
    workload: str = ""
    test: TestForm | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Demand a known schema and tier."""
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {self.schema_version}")
        if self.tier not in TIERS:
            raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {self.tier!r:.60}")


def require_document(document: object) -> None:
    """Refuse what is no document of scored models.

    Raises:
        DocumentError: a field is missing or holds what it cannot.
    """
    tier = checked(document, DocumentForm).tier
    assert isinstance(document, dict)  # or it would have been refused
    name, form = TIERS[tier], SuppliedForm if tier == SUPPLIED else ScoredForm
    if name not in document:
        raise DocumentError(f"must have {name}, got no {name}")
    if not checked(document[name], list[form], name):  # type: ignore[valid-type]  # one of two
        raise DocumentError("must hold at least one, got none", place=name)
