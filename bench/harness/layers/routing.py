"""What specialization changes: a layer's time and its experts' over their own under uniform routing, by profile."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.harness.layers.cells import LAYER, UNIFORM, Cell
from bench.harness.metrics import DISPLAYS
from bench.harness.stats import Interval

PLACE_HEADERS = ("scale", "phase", "batch", "length", "of a layer")
ROWS = {"all of it": LAYER, "its experts": "experts"}  # what a row is of -> the part


class RoutingTable(NamedTuple):
    """A table whose columns are the profiles that were measured."""

    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]


def routing_table(cells: Iterable[Cell]) -> RoutingTable:
    """Lay the MoE's cells out, the profiles side by side in the order of their specialization.

    Uniform routing shows its time, a steered profile that time's multiple, or its own time where there is none.

    Args:
        cells: As `read_cells` returns them.
    """
    moes = [cell for cell in cells if cell.is_moe]
    routings = profiles(moes)
    places = {cell.place: {one.routing: one for one in moes if one.place == cell.place} for cell in moes}
    rows = []
    for place, found in places.items():
        chosen = [found.get(name) for name in routings]
        for row, (what, part) in enumerate(ROWS.items()):
            shown = [_shown(cell, found.get(UNIFORM), part) for cell in chosen]
            rows.append((*(place if row == 0 else ("",) * len(place)), what, *shown))
        hit = [f"{cell.facts['distinct_experts']:.1f}" if cell else "" for cell in chosen]
        rows.append((*("",) * len(place), "experts hit", *hit))
    return RoutingTable((*PLACE_HEADERS, *routings), rows)


def profiles(cells: Sequence[Cell]) -> list[str]:
    """Return the routing profiles, uniform first, then by their largest specialization index."""
    msi: dict[str, float] = {}
    for cell in cells:
        msi[cell.routing] = max(cell.facts["msi"], msi.get(cell.routing, 0.0))
    return sorted(msi, key=lambda name: (name != UNIFORM, msi[name]))


class Multiple(NamedTuple):
    """A part's time over its own under uniform routing."""

    ratio: Interval
    is_paired: bool  # both ran in the same blocks

    def __str__(self) -> str:
        return times(self.ratio) if self.is_paired else f"~{times(self.ratio)}"


def multiple(cell: Cell, uniform: Cell | None, part: str) -> Multiple | None:
    """Hold a part's time against uniform routing: in the same blocks, else of another scenario, else not at all.

    Args:
        cell: Of a steered MoE.
        uniform: The same under uniform routing, measured for itself.
        part: A part that routing touches.
    """
    if ratio := cell.over_uniform(part):
        return Multiple(ratio, is_paired=True)
    if uniform is None:
        return None
    own, other = cell.seconds(part), uniform.seconds(part)
    ends = (own.low / other.high, own.high / other.low)
    return Multiple(Interval(own.estimate / other.estimate, *ends), is_paired=False)


def _shown(cell: Cell | None, uniform: Cell | None, part: str) -> str:
    if cell is None:
        return ""
    found = multiple(cell, uniform, part) if cell is not uniform else None
    return str(found) if found else seconds(cell.seconds(part))


def times(ratio: Interval) -> str:
    """Show a multiple with its interval."""
    return "{:.2f}x [{:.2f}, {:.2f}]".format(*ratio)


def seconds(interval: Interval) -> str:
    """Show seconds with their interval."""
    estimate, low, high = map(DISPLAYS["s"], interval)
    return f"{estimate} [{low}, {high}]"
