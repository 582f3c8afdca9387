"""Sentences that state results: each is computed from the points, so that none outlives its numbers."""

from collections.abc import Iterable, Sequence

from bench.harness.metrics import METRICS
from bench.harness.pareto.documents import Campaign
from bench.harness.pareto.front import Choice, Placed, Standing
from bench.harness.pareto.pairs import Pair, pairs
from bench.harness.pareto.points import AXES, PREDICTED, Point
from bench.harness.pareto.tables import TITLES, count, points

OUTCOMES = {"wins": "won", "loses": "lost", "open": "open"}  # Pair.outcome -> how it is counted


def picks(task: str, found: Sequence[Choice]) -> str:
    """Say what to pick: the most accurate model, the fastest that cannot be told from it, and the fastest of all.

    Args:
        task: Of the points.
        found: Choices from the least throughput on.
    """
    most_accurate, fastest = found[0], found[-1].pick
    said = [f"the most accurate is {_at(most_accurate.pick)}"]
    if most_accurate.ties:
        said.append(f"the fastest that cannot be told from it is {_at(most_accurate.ties[0])}")
    if fastest not in (most_accurate.pick, *most_accurate.ties[:1]):
        said.append(f"the fastest of all is {_at(fastest)}")
    return f"{TITLES.get(task, task)}: {'; '.join(said)}."


def _at(point: Point) -> str:
    rate = METRICS[AXES[0]].display(point.throughput[AXES[0]].estimate)
    bound = "at most " if point.basis == PREDICTED else ""
    return f"**{point.name}** ({100 * point.accuracy.estimate:.1f} %, {bound}{rate})"


def scale(campaign: Campaign) -> str:
    """Say between which numbers of parameters the points lie."""
    sizes = [point.num_parameters for point in campaign.points]
    return f"{' to '.join(dict.fromkeys(count(pick(sizes)) for pick in (min, max)))} parameters"


def standing_of_smoes(placed: Sequence[Placed]) -> list[str]:
    """Say for each variant of SMoES where it is on the front, and by whom it is beaten elsewhere."""
    found = [one for one in placed if one.point.kind == "smoes"]
    sentences = []
    for series in dict.fromkeys(one.point.series for one in found):
        of_series = [one for one in found if one.point.series == series]
        said = [_standing(standing, of_series) for standing in Standing]
        sentences.append(f"{series} is {'; '.join(filter(None, said))}.")
    return sentences


def _standing(standing: Standing, placed: Sequence[Placed]) -> str:
    these = [one for one in placed if one.standing is standing]
    named = [f"{one.point.size}{f' (by {one.rival.name})' if one.rival else ''}" for one in these]
    says = {
        Standing.FRONT: "on the front at",
        Standing.OPEN: "behind within the intervals at",
        Standing.DOMINATED: "dominated at",
    }
    return f"{says[standing]} {listed(named)}" if named else ""


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
    lost = [f"{pair.point.name}, {points(pair.difference)} points" for pair in these if pair.outcome == "loses"]
    losers = f" (lost: {'; '.join(lost)})" if lost else ""
    return (
        f"{who} against {against} of the same size, in accuracy: {listed(counts)}{losers}; in requests/s: "
        f"{_span([pair.speedup.estimate for pair in these])} times as fast."
    )


def _span(ratios: Sequence[float]) -> str:
    """Write the least and the greatest ratio, once where they look alike.

    >>> _span([1.21, 1.19, 2.0]), _span([1.2, 1.201])
    ('1.19 to 2.00', '1.20')
    """
    return " to ".join(dict.fromkeys(f"{pick(ratios):.2f}" for pick in (min, max)))


def compared(found: Sequence[Pair]) -> str:
    """Say how one model fares against another on several tasks.

    Args:
        found: Pairs of the same two models, one a task.
    """
    point, against = found[0].point, found[0].against
    said = [f"{points(pair.difference)} points on {TITLES.get(pair.point.task, pair.point.task)}" for pair in found]
    told = [TITLES.get(pair.point.task, pair.point.task) for pair in found if pair.outcome != "open"]
    certain = f"told apart on {listed(told)} alone" if told else "told apart on none of them"
    return (
        f"**{point.name} against {against.name}** ({count(point.num_parameters)}, {count(point.num_active_parameters)} "
        f"active, against {count(against.num_parameters)}): {listed(said)}, {certain}; the floor allows "
        f"{_span([pair.speedup.estimate for pair in found])} times the requests/s."
    )


def same_pairs(campaign: Campaign) -> list[list[Pair]]:
    """Return the pairs of a tier, those of the same two models together."""
    together: dict[tuple[str, str], list[Pair]] = {}
    for task in campaign.tasks:
        for pair in pairs(campaign.of(task), AXES[0]):
            together.setdefault((pair.point.name, pair.against.name), []).append(pair)
    return list(together.values())


def against_blind(of_task: Sequence[Point]) -> str:
    """Say which models beat the best guess without sight: those whose interval lies above it."""
    known = [(point, point.blind) for point in of_task if point.blind is not None]
    if not known:
        return ""
    failed = [point.name for point, blind in known if point.accuracy.low <= blind]
    if not failed:
        return "Every model beats the best guess without sight: the intervals lie above it."
    return f"Not above the best guess without sight, by the interval: {listed(failed)}. These have not learned to look."


def sources(campaign: Campaign) -> list[str]:
    """Say who reported the accuracy of which models."""
    by_source: dict[str, list[str]] = {}
    for point in campaign.points:
        by_source.setdefault(point.source, []).append(point.name)
    return [f"{listed(dict.fromkeys(names))}: {source}." for source, names in by_source.items() if source]


def listed(names: Iterable[str]) -> str:
    """Join names as a sentence does.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
