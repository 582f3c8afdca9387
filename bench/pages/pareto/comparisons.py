"""Sentences about pairs of models: how MoEs fare against one reference, counted, or two models on their tasks."""

from collections.abc import Sequence

from bench.harness.wording import listed, rounded, span
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.front import one_shape
from bench.pages.pareto.pairs import ONE_SEED, Pair, pairs
from bench.pages.pareto.points import AXES, MEASURED, PREDICTED
from bench.pages.pareto.sentences import title
from bench.pages.pareto.tables import MIXED, points

OUTCOMES = {"wins": "won", "loses": "lost", "open": "open"}  # Pair.outcome -> how it is counted
ALLOWED = {  # basis -> what a ratio of throughputs means
    MEASURED: "measured {} times the requests/s",
    PREDICTED: "by floors {} times the requests/s",
}


def outcomes(found: Sequence[Pair], against: str, who: str) -> str:
    """Count how MoEs fare in accuracy against one reference, and name where they lose.

    Args:
        found: Pairs of one task.
        against: A series that they are compared with.
        who: The MoEs' common name.
    """
    these = [pair for pair in found if pair.against.series == against]
    if not these:
        return ""
    counts = [f"{sum(pair.outcome == name for pair in these)} {said}" for name, said in OUTCOMES.items()]
    if num_once := sum(pair.outcome == ONE_SEED for pair in these):
        counts.append(f"{num_once} not judged, trained with {ONE_SEED}")
    lost = [f"{pair.point.name}, {points(pair.difference)} points" for pair in these if pair.outcome == "loses"]
    losers = f" (lost: {'; '.join(lost)})" if lost else ""
    return (
        f"{who} against their {against} twins, in accuracy: {listed(counts)}{losers}; in requests/s: {_speed(these)}."
    )


def _speed(found: Sequence[Pair]) -> str:
    """Count where the first of a pair is faster and slower for certain; say between which ratios it lies."""
    ratios = [pair.speedup for pair in found if pair.speedup is not None]
    if not ratios:
        return MIXED
    apart = sum(not ratio.low <= 1 <= ratio.high for ratio in ratios)
    if all(one_shape(pair.point, pair.against) for pair in found):
        said = f"{span([ratio.estimate for ratio in ratios])} times, {apart} of {len(ratios)} intervals without 1"
        return f"of one shape and taken as equally fast ({said})"
    faster, slower = sum(ratio.low > 1 for ratio in ratios), sum(ratio.high < 1 for ratio in ratios)
    said = f"{faster} faster, {slower} slower and {len(ratios) - faster - slower} open"
    return f"{said} ({span([ratio.estimate for ratio in ratios])} times)"


def compared(found: Sequence[Pair]) -> str:
    """Say how one model fares against another on several tasks.

    Args:
        found: Pairs of the same two models, one a task.
    """
    point, against = found[0].point, found[0].against
    said = [f"{points(pair.difference)} points on {title(pair.point.task)}" for pair in found]
    total, active, theirs = map(rounded, (point.num_parameters, point.num_active_parameters, against.num_parameters))
    return (
        f"**{point.name} against {against.name}** ({total}, {active} active, against {theirs}): {listed(said)}, "
        f"{_told_apart(found)}; {'; '.join(_speedups(found))}."
    )


def _told_apart(found: Sequence[Pair]) -> str:
    told = [title(pair.point.task) for pair in found if pair.outcome != "open"]
    if len(found) == 1:
        return "told apart" if told else "not told apart"
    if len(told) == len(found):
        return "told apart on each of them"
    return f"told apart on {listed(told)} alone" if told else "told apart on none of them"


def _speedups(found: Sequence[Pair]) -> list[str]:
    """Say the ratios of throughputs of some pairs, those of a basis together."""
    ratios: dict[str, list[float]] = {}
    for pair in found:
        if pair.speedup is not None:
            ratios.setdefault(pair.point.basis, []).append(pair.speedup.estimate)
    said = [ALLOWED[basis].format(span(of_basis)) for basis, of_basis in ratios.items()]
    mixed = [title(pair.point.task) for pair in found if pair.speedup is None]
    return [*said, *([f"{MIXED} on {listed(mixed)}"] if mixed else [])]


def same_pairs(tier: Tier) -> list[list[Pair]]:
    """Return the pairs of a tier, those of the same two models together."""
    together: dict[tuple[str, str], list[Pair]] = {}
    for task in tier.tasks:
        for pair in pairs(tier.of(task), AXES[0]):
            together.setdefault((pair.point.name, pair.against.name), []).append(pair)
    return list(together.values())
