"""What a document of trained twins must hold, checked before anything is computed."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from bench.harness.forms import Count, Finite, NotNegative, Positive, Share, Text

Several = Annotated[list[Share], Meta(min_length=1)]


class ScoreForm(Struct, frozen=True, kw_only=True):
    """An accuracy of some questions."""

    estimate: Share
    num_samples: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


class PointsForm(Struct, frozen=True, kw_only=True):
    """What each picture's questions scored together, and how many they are."""

    sums: list[NotNegative]
    counts: list[Count]

    def __post_init__(self) -> None:
        """Demand both of every picture, and no more points than questions."""
        if len(self.sums) != len(self.counts) or not sum(self.counts):
            raise ValueError(
                f"points must have a sum and a count a picture, got {len(self.sums)} and {len(self.counts)}"
            )
        if over := [pair for pair in zip(self.sums, self.counts, strict=True) if pair[0] > pair[1]]:
            raise ValueError(f"a picture's points must be at most its questions, got {over[0][0]:g} of {over[0][1]}")


class TimeForm(Struct, frozen=True, kw_only=True):
    """A time, in seconds."""

    estimate: Positive


class LogForm(Struct, frozen=True, kw_only=True):
    """A line of the training's log."""

    task_loss: Finite


class ScoresForm(Struct, frozen=True, kw_only=True):
    """Soft scores of a layer's tokens: a low one, the median, a high one."""

    text: Annotated[list[Finite], Meta(min_length=3, max_length=3)]
    vision: Annotated[list[Finite], Meta(min_length=3, max_length=3)]


class RoutingForm(Struct, frozen=True, kw_only=True):
    """What an MoE's routers do, by layer."""

    msi: Several
    imbalance: list[NotNegative]
    text_share: list[Several]
    bins: list[list[Count] | None]
    scores: list[ScoresForm]
    crossing: list[Share] | UnsetType = UNSET  # tokens that would leave their device, of two

    def __post_init__(self) -> None:
        """Demand the same layers everywhere, the same experts in each, and bins that begin at 0."""
        layers, experts = len(self.msi), len(self.text_share[0]) if self.text_share else 0
        for name in ("imbalance", "text_share", "bins", "scores", "crossing"):
            told = getattr(self, name)
            if told is not UNSET and (found := len(told)) != layers:
                raise ValueError(f"{name} must have as many layers as msi, {layers}, got {found}")
        if other := [len(share) for share in self.text_share if len(share) != experts]:
            raise ValueError(f"text_share must have as many experts in each layer, {experts}, got {other[0]}")
        for bins in self.bins:
            if bins is not None and (len(bins) != experts or 0 not in bins):
                raise ValueError(f"bins must be of {experts} experts, and begin at 0, got {bins!r:.60}")


TOLD = {"shape": ("hidden_size", "num_layers", "num_experts", "expert_width", "top_k"), "recipe": ("num_pictures",)}


class TwinForm(Struct, frozen=True, kw_only=True):
    """A trained twin; what else a document says of it is for others."""

    task: Text
    size: str
    variant: Text
    seed: Count
    shape: dict[str, Any]
    recipe: dict[str, Any]
    steps: Count
    cpu_s: NotNegative
    num_parameters: Positive
    num_active_parameters: Positive
    accuracy: dict[str, ScoreForm]
    blind: dict[str, ScoreForm]
    styles: dict[str, ScoreForm] = {}
    log: list[LogForm] = []
    routing: RoutingForm | UnsetType = UNSET
    specialization_coef: NotNegative | UnsetType = UNSET
    data_hash: str = ""
    transition: Count | UnsetType | None = UNSET
    points: PointsForm | UnsetType = UNSET
    layer_s: dict[str, TimeForm] = {}  # of a layer, by phase

    def __post_init__(self) -> None:
        """Demand the counts that the page tells of a setting."""
        for part, names in TOLD.items():
            for name in names:
                found = getattr(self, part).get(name)
                if type(found) is not int or found < 1:
                    raise ValueError(f"{part}.{name} must be a count, got {found!r:.60}")


class TwinsForm(Struct, frozen=True, kw_only=True):
    """What is read of the document."""

    twins: Annotated[list[TwinForm], Meta(min_length=1)]
