"""Sentences that say what a table of backends shows: computed from its cells, so that none outlives its numbers."""

from collections.abc import Iterable, Sequence
from statistics import geometric_mean

from bench.gate.stats import Interval
from bench.harness.arms import PRIMARY
from bench.harness.wording import counted
from bench.pages.performance.cells import EXPERTS, Cell, grouped, once
from bench.pages.performance.tables import percent_of, setting, spread_of_ratios

TWICE = 2.0  # the gain over other projects' code that we ask for
NO_PEER = "measured beside no other project's code."

Compared = tuple[Cell, Interval]


def backend_results(cells: Sequence[Cell]) -> list[str]:
    """Say of each setting how much faster our experts are, and where they are not; then of all dtypes together."""
    said = [_setting_result(part) for part in grouped(cells, setting)]
    return said + [
        f"**Over all dtypes** ({', '.join(setting(part[0])[1:])}): {_mean(known)}."
        for part in grouped(cells, lambda cell: setting(cell)[1:])
        if (known := _compared(part)) and len({cell.dtype for cell in part}) > 1
    ]


def _setting_result(cells: Sequence[Cell]) -> str:
    what, known = f"**{', '.join(setting(cells[0]))}**", _compared(cells)
    if not known:
        return f"{what}: {NO_PEER}"
    lowest, ratio = min(known, key=lambda one: one[1].low)
    places = {
        "not told apart from 1": [cell for cell, found in known if found.low <= 1 <= found.high],
        "slower than the best of theirs": [cell for cell, found in known if found.high < 1],
    }
    noted = [
        f"{which} ({len(found)} of {len(known)}): {', '.join(map(_spot, found))}"
        for which, found in places.items()
        if found
    ]
    rest = noted or ["every interval lies above 1"]
    return (
        f"{what}: {_mean(known)}; the lowest interval begins at {ratio.low:.2f} ({where(lowest)}); {'; '.join(rest)}."
    )


def decode_results(cells: Sequence[Cell]) -> list[str]:
    """Say of each dtype how much faster a token of ours is, at which batches beyond doubt twice, and what is possible.

    Args:
        cells: Of one place.
    """
    return [_decode_result(part) for part in grouped(cells, lambda cell: (cell.dtype,))]


def _decode_result(cells: Sequence[Cell]) -> str:
    known = _compared(sorted(cells, key=lambda cell: cell.size))
    if not known:
        return f"**{cells[0].dtype}**: {NO_PEER}"
    said = f"**{cells[0].dtype}**: {spread_of_ratios(cells)} times as fast as the best of theirs"
    twice = [str(cell.size) for cell, ratio in known if ratio.low > TWICE]
    rest = [cell for cell, ratio in known if ratio.low <= TWICE]
    if not rest:
        return f"{said}; at every batch the whole interval lies above {TWICE:g}."
    batches = f"batch {', '.join(twice)}" if twice else "no batch"
    limits = [_limit(cell) for cell in rest[:1] if cell.least_s]
    return f"{'; '.join([said, f'the whole interval lies above {TWICE:g} at {batches}', *limits])}."


def _limit(cell: Cell) -> str:
    """Say how many times as fast as theirs a step at the floor would be."""
    floor, ours, theirs = cell.least_s or 0.0, cell.seconds(PRIMARY), cell.seconds(cell.best or PRIMARY)
    return (
        f"at batch {cell.size} what a step must read and compute takes {cell.show(floor)} of our "
        f"{cell.show(ours)}, so {cell.show(theirs)} of theirs could at best become {theirs / floor:.2f} times less"
    )


def repeats(cells: Sequence[Cell]) -> list[str]:
    """Say what was found where a scenario was measured more than once.

    Args:
        cells: In the order of measurement; the tables hold the first of each.
    """
    shown = {cell.key: cell for cell in once(cells)}
    return [_repeat(cell, shown[cell.key]) for cell in cells if cell is not shown[cell.key]]


def _repeat(cell: Cell, shown: Cell) -> str:
    found = f"{cell.over_best.text('.2f')} times as fast" if cell.over_best else cell.show(cell.seconds(PRIMARY))
    blocks, before = (len(one.samples[PRIMARY]) for one in (cell, shown))
    return (
        f"Measured again: {where(cell)} in {cell.dtype}: {found}, of {blocks} blocks (`{cell.source.as_posix()}`); "
        f"the table's is of {before}."
    )


def _compared(cells: Iterable[Cell]) -> list[Compared]:
    """Keep the cells that were measured beside another project's code, with the ratio to the fastest."""
    return [(cell, ratio) for cell in cells if (ratio := cell.over_best)]


def _mean(known: Sequence[Compared]) -> str:
    mean = geometric_mean(ratio.estimate for _, ratio in known)
    return f"{mean:.2f} times as fast as the best of theirs, the geometric mean of {counted(len(known), 'point')}"


def _spot(cell: Cell) -> str:
    share = f" ({percent_of(cell.floor_share)} of the floor)" if cell.floor_share else ""
    return f"{where(cell)}{share}"


def where(cell: Cell) -> str:
    """Name a point of a table."""
    size = counted(cell.size, "token") if cell.benchmark == EXPERTS else f"batch {cell.size}"
    return f"{cell.scale} at {size}"
