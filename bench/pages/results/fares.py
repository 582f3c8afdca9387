"""How each kind of MoE fares against dense models and the plain MoE: question 2's first half, as a table."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.harness.wording import listed, span
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.pairs import DENSE, ONE_SEED, Pair, pairs
from bench.pages.pareto.points import AXES, MEASURED
from bench.pages.pareto.sentences import scale, title
from bench.pages.pareto.tables import points

FARES_HEADERS = (
    *("tier", "who", "against", "comparisons", "more accurate", "less accurate", "not told apart", "not judged"),
    "times the requests/s",
)
WHO = {"smoes": "SMoES", "moe": "plain MoEs", "ablation": "SMoES' ablations"}  # kind of a point -> who these are
ALIKE_TOTAL = 1.3  # total parameters of two models within this factor are about equal: families do not match closer
ALIKE_ACTIVE = 1.5  # a published 3.3 B active stand beside 4.4 and 4.7 B
CERTAIN = {"wins": "more", "loses": "less"}  # outcome -> how accurate


def fares_rows(tiers: Iterable[Tier]) -> list[tuple[str, ...]]:
    """Return a row for each tier, kind of MoE and kind of rival that were compared, under FARES_HEADERS."""
    return [row for tier in tiers for row in _rows(tier, _pairs(tier))]


def _rows(tier: Tier, compared: Sequence[Pair]) -> list[tuple[str, ...]]:
    return [
        _row(tier, who, against, found)
        for kind, who in WHO.items()
        for against, holds in AGAINST.items()
        if (found := [pair for pair in compared if pair.point.kind == kind and holds(pair)])
    ]


def tiers_compared(tiers: Mapping[str, Tier]) -> list[str]:
    """Say what each tier's models are and were asked."""
    return [
        f"**{name.capitalize()}**: {scale(tier)}; {listed(map(title, tier.tasks))}." for name, tier in tiers.items()
    ]


def told_apart(tiers: Iterable[Tier]) -> list[str]:
    """Name each comparison of the table that is certain, and by how much."""
    return [
        f"{pair.point.name} is {CERTAIN[pair.outcome]} accurate than {pair.against.name} on {title(pair.point.task)}: "
        f"{points(pair.difference)} points."
        for tier in tiers
        for pair in _pairs(tier)
        if pair.outcome in CERTAIN and any(holds(pair) for holds in AGAINST.values())
    ]


def _pairs(tier: Tier) -> list[Pair]:
    return [pair for task in tier.tasks for pair in pairs(tier.of(task), AXES[0])]


def _row(tier: Tier, who: str, against: str, found: Sequence[Pair]) -> tuple[str, ...]:
    outcomes = [pair.outcome for pair in found]
    ratios = [pair.speedup.estimate for pair in found if pair.speedup]
    predicted = [pair for pair in found if pair.speedup and pair.point.basis != MEASURED]
    by_floors = "" if not predicted else ", by floors" if len(predicted) == len(ratios) else ", partly by floors"
    counts = [outcomes.count(outcome) for outcome in ("wins", "loses", "open", ONE_SEED)]
    speed = f"{span(ratios)}{by_floors}" if ratios else ""
    return (tier.name, who, against, str(len(found)), *map(str, counts), speed)


def _within(factor: float, one: float, other: float) -> bool:
    return abs(math.log(one / other)) < math.log(factor)


def _equal_total(pair: Pair) -> bool:
    return pair.against.kind == DENSE and _within(ALIKE_TOTAL, pair.point.num_parameters, pair.against.num_parameters)


def _equal_active(pair: Pair) -> bool:
    active, theirs = pair.point.num_active_parameters, pair.against.num_parameters
    return pair.against.kind == DENSE and _within(ALIKE_ACTIVE, active, theirs) and not _equal_total(pair)


def _other_dense(pair: Pair) -> bool:
    return pair.against.kind == DENSE and not _equal_total(pair) and not _equal_active(pair)


def _plain(pair: Pair) -> bool:
    """Say whether a pair tells what specialization does: the same MoE without it."""
    return pair.against.kind == "moe" and pair.point.kind != "moe"


AGAINST: Mapping[str, Callable[[Pair], bool]] = {
    "dense, about equal total parameters": _equal_total,
    "dense, about equal active parameters": _equal_active,
    "dense, other sizes": _other_dense,
    "plain MoEs": _plain,
}
