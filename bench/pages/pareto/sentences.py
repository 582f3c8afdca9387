"""Sentences that state results: each is computed from the points, so that none outlives its numbers."""

from collections.abc import Sequence

from bench.harness.metrics import METRICS
from bench.harness.wording import listed, reach, rounded
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.front import Pick, Placed, Standing, one_shape
from bench.pages.pareto.pairs import ONE_SEED
from bench.pages.pareto.points import AXES, PREDICTED, TRAINED, Point
from bench.pages.pareto.tables import TITLES, percent


def picks(name: str, found: Sequence[Pick]) -> str:
    """Say what to pick: the most accurate model, the fastest that cannot be told from it, and the fastest of all.

    Args:
        name: Of the task, and of the basis where a task has two.
        found: Picks from the least throughput on.
    """
    most_accurate, fastest = found[0], found[-1].point
    said = [f"the most accurate is {_at(most_accurate.point)}"]
    if most_accurate.ties and not one_shape(most_accurate.ties[0], most_accurate.point):
        said.append(f"the fastest whose interval overlaps is {_at(most_accurate.ties[0])}")
    if fastest not in (most_accurate.point, *most_accurate.ties[:1]):
        said.append(f"the fastest of all is {_at(fastest)}")
    return f"{name}: {'; '.join(said)}."


def title(task: str) -> str:
    """Return how a task's name is written.

    >>> title("mmmu"), title("charts")
    ('MMMU', 'charts')
    """
    return TITLES.get(task, task)


def heading(of_task: Sequence[Point]) -> str:
    """Name a task and, where the documents say, the split of it that accuracy is of."""
    splits = list(dict.fromkeys(point.split for point in of_task if point.split))
    return ", ".join([title(of_task[0].task), *([f"{listed(splits)} split"] if splits else [])])


def _at(point: Point) -> str:
    rate = METRICS[AXES[0]].display(point.throughput[AXES[0]].estimate)
    bound = "at most " if point.basis == PREDICTED else ""
    return f"**{point.name}** ({percent(point.accuracy)} %, {bound}{rate})"


def scale(tier: Tier) -> str:
    """Say between which numbers of parameters the points lie, and where nobody measured their throughput."""
    sizes = [point.num_parameters for point in tier.points]
    said = f"{reach(rounded(min(sizes)), rounded(max(sizes)))} parameters"
    predicted = all(point.basis == PREDICTED for point in tier.points)
    return f"{said}, throughput predicted and not measured" if predicted else said


def standing_of_smoes(placed: Sequence[Placed]) -> list[str]:
    """Say for each variant of SMoES where it is on the front, and by whom it is beaten elsewhere."""
    return [f"{_standing(one)}." for one in placed if one.point.kind == "smoes"]


def _standing(placed: Placed) -> str:
    name, rival = placed.point.name, placed.rival.name if placed.rival else ""
    alike = placed.rival is not None and one_shape(placed.point, placed.rival)
    behind = f"less accurate than {rival}, of the same shape," if alike else f"behind {rival} on both axes"
    return {
        Standing.FRONT: f"{name} is on the front",
        Standing.OPEN: f"{name} is {behind} by the estimates, but intervals overlap",
        Standing.DOMINATED: f"{name} is dominated by {rival}",
        Standing.UNRANKED: f"{name} was trained with {ONE_SEED} and is not ranked",
    }[placed.standing]


def against_blind(of_task: Sequence[Point]) -> str:
    """Say which models beat the best guess without sight: those whose interval lies above it, of each seed."""
    known = [(point, point.blind) for point in of_task if point.blind is not None]
    if not known:
        return ""
    failed = [name for point, blind in known for name in _sightless(point, blind)]
    if not failed:
        return (
            "Each trained seed beats the best guess without sight: its own interval, over pictures, lies above it (the "
            "table's hold the spread of seeds as well and may reach below)."
        )
    return f"Not above the best guess without sight, by the interval: {listed(failed)}. These have not learned to look."


def _sightless(point: Point, blind: float) -> list[str]:
    """Name the seeds of a model whose interval does not lie above the guess."""
    seeds = [seed for seed, accuracy in point.accuracy_by_seed.items() if accuracy.low <= blind]
    if not seeds:
        return []
    return [f"{point.name} (seed {listed(map(str, seeds))})" if len(point.accuracy_by_seed) > 1 else point.name]


def asked(of_task: Sequence[Point]) -> str:
    """Say over how many questions accuracy is, where the document tells."""
    counts = {point.num_samples for point in of_task if point.num_samples}
    return f"Accuracy is over {' or '.join(f'{one:,}' for one in sorted(counts))} questions." if counts else ""


def spread(of_task: Sequence[Point]) -> str:
    """Say how far seeds of one model lie apart, beside how far models of one size do: whether an order may be luck."""
    several = [point for point in of_task if point.tier == TRAINED and len(point.accuracy_by_seed) > 1]
    if not several:
        return ""
    by_seed = {point.name: _reach([one.estimate for one in point.accuracy_by_seed.values()]) for point in several}
    widest = max(by_seed, key=by_seed.__getitem__)
    of_size = {
        size: [point.accuracy.estimate for point in several if point.size == size]
        for size in dict.fromkeys(point.size for point in several)
    }
    apart = max(map(_reach, of_size.values()))
    return (
        f"Seeds of one model lie up to {100 * by_seed[widest]:.1f} points apart ({widest}); the means of models of one "
        f"size, where several seeds were trained, up to {100 * apart:.1f}."
    )


def _reach(values: Sequence[float]) -> float:
    return max(values) - min(values)


def sources(tier: Tier) -> list[str]:
    """Say who reported the accuracy of which models."""
    by_source: dict[str, list[str]] = {}
    for point in tier.points:
        by_source.setdefault(point.source, []).append(point.name)
    return [f"{listed(dict.fromkeys(names))}: {source}." for source, names in by_source.items() if source]
