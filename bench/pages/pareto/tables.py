"""Tables of the page: what to pick at which throughput, every point with its standing, pairs with their outcome."""

from collections.abc import Sequence

from bench.gate.stats import Interval
from bench.harness.metrics import METRICS
from bench.harness.wording import rounded
from bench.pages.pareto.front import Pick, Placed, Standing
from bench.pages.pareto.pairs import Pair
from bench.pages.pareto.points import AXES, KINDS, PREDICTED, TRAINED, Point

TITLES = {"mmmu": "MMMU", "mathvista": "MathVista", "chartqa": "ChartQA", "docvqa": "DocVQA"}  # as they are written
POINT_HEADERS = (
    *("model", "kind", "parameters (active)", "accuracy, %", "by seed, %", "blind, %", "unparsed, %"),
    *(METRICS[axis].label for axis in AXES),
    f"standing, by {METRICS[AXES[0]].label}",
)
PICK_HEADERS = (
    "throughput needed",
    "pick",
    "accuracy, %",
    "at least as fast, with an interval of accuracy that overlaps",
)
PAIR_HEADERS = ("model", "against", "accuracy, points", "seeds in common", "request throughput", "in accuracy")
NOBODY = "none"
MIXED = "one measured, one predicted: not compared"  # of two throughputs
MOST_NAMED = 3  # of those that tie: the fastest


def point_rows(placed: Sequence[Placed]) -> list[tuple[str, ...]]:
    """Return a row a point under POINT_HEADERS, fastest first."""
    ranked = sorted(placed, key=lambda one: -one.point.throughput[AXES[0]].estimate)
    return [_point_row(*one) for one in ranked]


def _point_row(point: Point, standing: Standing, rival: Point | None) -> tuple[str, ...]:
    sizes = [rounded(n) for n in dict.fromkeys((point.num_parameters, point.num_active_parameters))]
    seeds = point.accuracy_by_seed.values()
    return (
        point.name,
        KINDS[point.kind],
        f"{sizes[0]} ({sizes[1]})" if len(sizes) > 1 else sizes[0],
        percent(point.accuracy),
        ", ".join(f"{100 * one.estimate:.1f}" for one in seeds) if point.tier == TRAINED else "",
        *("" if share is None else f"{100 * share:.1f}" for share in (point.blind, point.unparsed_rate)),
        *(throughput(point, axis) for axis in AXES),
        f"{standing.value}{f': {rival.name}' if rival else ''}",
    )


def pick_rows(picks: Sequence[Pick], axis: str) -> list[tuple[str, ...]]:
    """Return a row a pick under PICK_HEADERS, from the least throughput on."""
    return [
        (
            f"up to {METRICS[axis].display(pick.up_to)}{_if_reached(pick.point, axis)}",
            pick.point.name,
            percent(pick.point.accuracy),
            _named(pick.ties),
        )
        for pick in picks
    ]


def _if_reached(point: Point, axis: str) -> str:
    """Say what is left of a predicted throughput at the least share of its floor that the document allows for."""
    if point.basis != PREDICTED:
        return ""
    most, low, _ = point.throughput[axis]
    return f" at its floor ({METRICS[axis].display(low)} at {100 * low / most:.0f} % of it)"


def _named(ties: Sequence[Point]) -> str:
    names = [point.name for point in ties[:MOST_NAMED]]
    more = f" and {len(ties) - len(names)} more" if len(ties) > len(names) else ""
    return f"{', '.join(names) or NOBODY}{more}"


def pair_rows(found: Sequence[Pair]) -> list[tuple[str, ...]]:
    """Return a row a pair under PAIR_HEADERS."""
    return [
        (
            pair.point.name,
            pair.against.name,
            points(pair.difference),
            str(pair.num_seeds) if pair.point.tier == TRAINED else "",
            MIXED if pair.speedup is None else pair.speedup.text(".2f", "x"),
            pair.outcome,
        )
        for pair in found
    ]


def percent(share: Interval) -> str:
    """Write an accuracy in percent.

    >>> percent(Interval(0.5, 0.4, 0.625))
    '50.0 [40.0, 62.5]'
    """
    return Interval(*(100 * value for value in share)).text(".1f")


def points(difference: Interval) -> str:
    """Write a difference of accuracies in percentage points.

    >>> points(Interval(-0.018, -0.075, 0.039))
    '-1.8 [-7.5, +3.9]'
    """
    return Interval(*(100 * value for value in difference)).text("+.1f")


def throughput(point: Point, axis: str) -> str:
    """Write a throughput with its interval, and whether it is predicted."""
    metric = METRICS[axis]
    if point.basis == PREDICTED:
        return f"at most {metric.display(point.throughput[axis].estimate)}, predicted"
    *numbers, unit = (*(metric.display(value).partition(" ")[0] for value in point.throughput[axis]), unit_of(axis))
    return "{} [{}, {}] {}".format(*numbers, unit)


def unit_of(axis: str) -> str:
    """Return how an axis's unit is written.

    >>> unit_of("req_per_s")
    'req/s'
    """
    return METRICS[axis].display(0.0).partition(" ")[2]


def without_empty_columns(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Leave out the columns that say nothing in any row.

    >>> without_empty_columns(("a", "b"), [("1", ""), ("2", "")])
    (['a'], [['1'], ['2']])
    """
    kept = [column for column in range(len(headers)) if any(row[column] for row in rows)]
    return [headers[column] for column in kept], [[row[column] for column in kept] for row in rows]
