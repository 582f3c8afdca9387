"""Cells that no record holds, predicted: the floor of each arm over the share of its floor that measured cells reach.

The share is that of the nearest measured cell of the same machine, scale, phase and arm, nearest by the doublings of
batch and length between them. How far that is off, measured cells tell: each is predicted from the others.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.harness.arms import PRIMARY
from bench.harness.peaks import floor_s
from bench.pages.grouping import grouped
from bench.pages.results.cells import Cell
from bench.pages.results.gains import MOE, RIVAL, Gain

FEWEST_MEASURED = 2  # cells of a scale and phase: one predicts the other


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """A cell that was not measured."""

    machine: str
    scale: str
    phase: str
    length: str
    batch_size: int
    against: str
    seconds: Mapping[str, float]  # by side
    speedup: float
    nearest: str  # the measured cell that it takes the shares of floors from, batch x length
    doublings: float  # of batch and length from there


def predictions(gains: Sequence[Gain], cells: Mapping[str, Sequence[Cell]]) -> list[Predicted]:
    """Predict the cells that gains do not hold, beside every rival that they know.

    Args:
        gains: Measured whole or with recycled layers; others do not count.
        cells: By dtype.
    """
    return [
        _predicted(nearest(known, cell), cell)
        for known in _families(gains)
        for cell in cells.get(known[0].dtype, ())
        if _is_of(cell, known[0]) and not any(_at(gain) == (cell.batch_size, cell.length) for gain in known)
    ]


def check_errors(gains: Sequence[Gain], cells: Mapping[str, Sequence[Cell]]) -> list[float]:
    """Return how far off each measured cell's speed-up is where it is predicted from the others, as shares."""
    errors = []
    for known in _families(gains):
        at = {(cell.batch_size, cell.length): cell for cell in cells.get(known[0].dtype, ()) if _is_of(cell, known[0])}
        for gain in known:
            if cell := at.get(_at(gain)):
                others = [other for other in known if other is not gain]
                errors.append(abs(_predicted(nearest(others, cell), cell).speedup / gain.speedup.estimate - 1))
    return errors


def nearest(gains: Iterable[Gain], cell: Cell) -> Gain:
    """Return the measured cell with the fewest doublings of batch and length in between; of equals the first."""
    return min(gains, key=lambda gain: _doublings(gain, cell))


def typical_and_worst(errors: Sequence[float]) -> tuple[float, float] | None:
    """Return the median and the greatest of some errors; None of none."""
    return (statistics.median(errors), max(errors)) if errors else None


def _families(gains: Iterable[Gain]) -> list[list[Gain]]:
    """Group what may calibrate one another."""
    usable = [gain for gain in gains if not gain.depths and gain.floor_share and gain.length.isdecimal()]
    uniform = [gain for gain in usable if gain.routing == "uniform" and len(gain.floor_share) == len(gain.seconds)]
    families = grouped(uniform, lambda gain: (gain.machine, gain.scale, gain.phase, gain.against, gain.workload))
    return [known for known in families if len(known) >= FEWEST_MEASURED]


def _is_of(cell: Cell, gain: Gain) -> bool:
    return (cell.scale, cell.phase) == (gain.scale, gain.phase) and {PRIMARY, gain.against} <= cell.costs.keys()


def _at(gain: Gain) -> tuple[int, int]:
    return gain.batch_size, int(gain.length)


def _doublings(gain: Gain, cell: Cell) -> float:
    batch_size, length = _at(gain)
    return abs(math.log2(cell.batch_size / batch_size)) + abs(math.log2(cell.length / length))


def _predicted(near: Gain, cell: Cell) -> Predicted:
    seconds = {
        side: (floor_s(cell.costs[arm], near.peaks) or math.nan) / near.floor_share[side]
        for side, arm in ((MOE, PRIMARY), (RIVAL, near.against))
    }
    return Predicted(
        machine=near.machine,
        scale=cell.scale,
        phase=cell.phase,
        length=str(cell.length),
        batch_size=cell.batch_size,
        against=near.against,
        seconds=seconds,
        speedup=seconds[RIVAL] / seconds[MOE],
        nearest=f"{near.batch_size} x {near.length}",
        doublings=_doublings(near, cell),
    )
