"""Cells that no record holds, predicted: their floors over the shares of them that the nearest measured cell reaches.

A share changes slowly with batch and length, and with both arms' floors known so does the speed-up. How far off this
is, measured cells tell: each is predicted from the others.
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
OTHER_ROUTING = 1.0  # as far as one doubling: the shares under the same routing count before those of a near cell


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """A cell that was not measured."""

    machine: str
    scale: str
    phase: str
    routing: str
    length: str
    batch_size: int
    against: str
    seconds: Mapping[str, float]  # by side
    floor_share: Mapping[str, float]  # by side: of the measured cell that it follows
    speedup: float
    nearest: str  # that cell, batch x length
    depths: tuple[int, ...]  # that it was measured at; empty for the whole model
    doublings: float  # of batch and length from there
    error: float | None  # the greatest of the speed-ups of measured cells that are predicted so; None: too few
    why: str  # it was not measured, where a record says


def predictions(
    gains: Sequence[Gain],
    cells: Mapping[str, Sequence[Cell]],
    why_not: Mapping[str, str] | None = None,
    *,
    lines: bool = False,
) -> list[Predicted]:
    """Predict the cells that gains do not hold, beside every rival that they know.

    Args:
        gains: Measured whole or with recycled layers.
        cells: By dtype.
        why_not: By the scenario of the whole model, why it was not measured.
        lines: Gains of lines through depths count too, where no others do.
    """
    return [
        _predicted(nearest(known, cell), cell, max(errors, default=None), why_not or {})
        for known in _families(gains, lines=lines)
        for errors in [_errors(known, cells.get(known[0].dtype, ()))]
        for cell in cells.get(known[0].dtype, ())
        if _is_of(cell, known[0]) and not any(_place(gain) == _place_of(cell) for gain in known)
    ]


def check_errors(gains: Sequence[Gain], cells: Mapping[str, Sequence[Cell]]) -> list[float]:
    """Return how far off each measured cell's speed-up is where it is predicted from the others, as shares."""
    return [error for known in _families(gains) for error in _errors(known, cells.get(known[0].dtype, ()))]


def _errors(known: Sequence[Gain], cells: Iterable[Cell]) -> list[float]:
    at = {_place_of(cell): cell for cell in cells if _is_of(cell, known[0])}
    errors = []
    for gain in known:
        if cell := at.get(_place(gain)):
            others = [other for other in known if other is not gain]
            errors.append(abs(_predicted(nearest(others, cell), cell).speedup / gain.speedup.estimate - 1))
    return errors


def nearest(gains: Iterable[Gain], cell: Cell) -> Gain:
    """Return the measured cell with the fewest doublings of batch and length in between; of equals the first."""
    return min(gains, key=lambda gain: _doublings(gain, cell) + OTHER_ROUTING * (gain.routing != cell.routing))


def typical_and_worst(errors: Sequence[float]) -> tuple[float, float] | None:
    """Return the median and the greatest of some errors; None of none."""
    return (statistics.median(errors), max(errors)) if errors else None


def _families(gains: Iterable[Gain], *, lines: bool = False) -> list[list[Gain]]:
    """Group what may calibrate one another; of lines only what has no better."""
    usable = [gain for gain in gains if len(gain.floor_share) == len(gain.seconds) and gain.length.isdecimal()]
    groups = grouped(usable, lambda gain: (gain.machine, gain.scale, gain.phase, gain.against, gain.workload))
    found = []
    for group in groups:
        whole = [gain for gain in group if not gain.depths]
        found.append(whole if len(whole) >= FEWEST_MEASURED or not lines else group)
    return [known for known in found if len(known) >= FEWEST_MEASURED]


def _is_of(cell: Cell, gain: Gain) -> bool:
    return (cell.scale, cell.phase) == (gain.scale, gain.phase) and {PRIMARY, gain.against} <= cell.costs.keys()


def _place(gain: Gain) -> tuple[int, int, str]:
    return gain.batch_size, int(gain.length), gain.routing


def _place_of(cell: Cell) -> tuple[int, int, str]:
    return cell.batch_size, cell.length, cell.routing


def _doublings(gain: Gain, cell: Cell) -> float:
    return abs(math.log2(cell.batch_size / gain.batch_size)) + abs(math.log2(cell.length / int(gain.length)))


def _predicted(
    near: Gain, cell: Cell, error: float | None = None, why_not: Mapping[str, str] | None = None
) -> Predicted:
    seconds = {
        side: (floor_s(cell.costs[arm], near.peaks) or math.nan) / near.floor_share[side]
        for side, arm in ((MOE, PRIMARY), (RIVAL, near.against))
    }
    return Predicted(
        machine=near.machine,
        scale=cell.scale,
        phase=cell.phase,
        routing=cell.routing,
        length=str(cell.length),
        batch_size=cell.batch_size,
        against=near.against,
        seconds=seconds,
        floor_share=near.floor_share,
        speedup=seconds[RIVAL] / seconds[MOE],
        nearest=f"{near.batch_size} x {near.length}",
        depths=near.depths,
        doublings=_doublings(near, cell),
        error=error,
        why=(why_not or {}).get(_scenario_of(near, cell), ""),
    )


def _scenario_of(near: Gain, cell: Cell) -> str:
    """Name the scenario that would have measured a cell, by the one that measured a near one."""
    name = near.scenario.replace(f"-{near.routing}-", f"-{cell.routing}-")
    return name.replace(f"-b{near.batch_size}-s{near.length}", f"-b{cell.batch_size}-s{cell.length}")
