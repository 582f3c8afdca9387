"""How often another launch falls where a few say that it does: of cells with more launches, every few against the rest.

The interval is the one that the page of answers prints: over launches and their blocks together, its spread drawn to
that of the other cells of the phase. A launch that is left out is none that the interval was made of.
"""

import statistics
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from bench.gate.launch_intervals import another_launch, typical_spread
from bench.gate.stats import Interval, mean_interval
from bench.pages.grouping import grouped
from bench.pages.results.families import Family

FEW = 3  # launches that an interval is made of, as many as a campaign's cells have
LEAST = 0.9  # of launches must fall inside, of intervals that say 95 %
HEADERS = ("scenario", "against", "launches", "left-out launches inside")


class Held(NamedTuple):
    """How often the intervals of one cell held."""

    scenario: str
    against: str
    num_launches: int
    inside: int
    asked: int  # every FEW of the launches, each of the rest

    @property
    def share(self) -> float:
        """Return the share that fell inside."""
        return self.inside / self.asked


def coverage(families: Sequence[Family], few: int = FEW) -> list[Held]:
    """Return how often the intervals of `few` launches held, of each cell that has more."""
    return [held for of_phase in grouped(families, lambda one: one.phase) for held in _of_phase(of_phase, few)]


def _of_phase(families: Sequence[Family], few: int) -> list[Held]:
    cells = [(family, family.launches) for family in families]
    return [
        _held(family, launches, typical_spread(other for of_other, other in cells if of_other is not family), few)
        for family, launches in cells
        if len(launches) > few
    ]


def _held(family: Family, launches: Sequence[Sequence[float]], typical: float, few: int) -> Held:
    inside = [
        found.low <= statistics.median(launches[left]) <= found.high
        for chosen in combinations(range(len(launches)), few)
        for found in [another_launch([launches[number] for number in chosen], typical)]
        for left in range(len(launches))
        if left not in chosen
    ]
    return Held(family.name, family.against, len(launches), sum(inside), len(inside))


def overall(found: Sequence[Held]) -> Interval:
    """Return the share over all cells, each counting alike, with its 95 % interval over cells."""
    share = mean_interval([held.share for held in found])
    return Interval(share.estimate, max(0.0, share.low), min(1.0, share.high)) if share.is_bounded else share


def coverage_rows(found: Sequence[Held]) -> list[tuple[str, ...]]:
    """Lay cells out as rows under HEADERS."""
    return [
        (one.scenario, one.against, str(one.num_launches), f"{one.inside} of {one.asked} ({100 * one.share:.0f} %)")
        for one in found
    ]
