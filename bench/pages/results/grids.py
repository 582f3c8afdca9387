"""Tables of the speed-up over the dense twin by batch and length: a table a scale and phase, measured and predicted.

Under each length, what another routing than uniform makes of it, where that was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from bench.harness.arms import TWIN
from bench.harness.wording import reach
from bench.pages.engine import ratio
from bench.pages.grouping import grouped
from bench.pages.results.cells import UNIFORM
from bench.pages.results.gains import Gain
from bench.pages.results.machines import machine_names
from bench.pages.results.predicted import Predicted

WIDE = 0.1  # of an estimate: an interval of this width is told
LEAST_MEASURED = 0.1  # of a table's cells: of fewer the table of predicted cells tells


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One phase of a scale on one machine."""

    scale: str
    phase: str
    machine: str  # what tells it apart from others that measured the scale
    batches: Sequence[str]  # of several in a row that are alike, the first and the last
    rows: Mapping[str, Sequence[str]]  # by length, and routing but uniform: a cell a batch


def grids(gains: Sequence[Gain], predicted: Sequence[Predicted]) -> list[Grid]:
    """Return the tables of what is predicted in part."""
    twins = [one for one in predicted if (one.against, one.routing) == (TWIN, UNIFORM)]
    machines, found = machine_names(gains), []
    for of_one in grouped(twins, lambda one: (one.scale, one.phase, one.machine)):
        place = (of_one[0].scale, of_one[0].phase, of_one[0].machine, of_one[0].against)
        measured = [gain for gain in gains if _place(gain) == place and gain.length.isdecimal() and not gain.depths]
        if len(measured) >= LEAST_MEASURED * (len(measured) + len(of_one)):
            found.append(_grid(measured, of_one, machines.get((of_one[0].scale, of_one[0].machine), "")))
    return found


def is_steered(gain: Gain, gains: Sequence[Gain]) -> bool:
    """Tell whether a scale's phase was measured there under uniform routing too, and this is another."""
    return gain.routing != UNIFORM and any(
        one.routing == UNIFORM and _place(one)[:3] == _place(gain)[:3] for one in gains
    )


def _place(one: Gain) -> tuple[str, str, str, str]:
    return one.scale, one.phase, one.machine, one.against


def _grid(measured: Sequence[Gain], predicted: Sequence[Predicted], machine: str) -> Grid:
    one = predicted[0]
    shown = {(cell.length, UNIFORM, cell.batch_size): f"*{ratio(cell.speedup)}*" for cell in predicted}
    shown |= {(gain.length, gain.routing, gain.batch_size): _cell(gain) for gain in measured}
    keys = sorted(
        {(length, routing) for length, routing, _ in shown}, key=lambda key: (int(key[0]), key[1] != UNIFORM, key[1])
    )
    batches = sorted({batch_size for *_, batch_size in shown})
    columns = {batch_size: [shown.get((*key, batch_size), "") for key in keys] for batch_size in batches}
    spans = _alike(columns)
    rows = {_label(*key): [columns[first][row] for first, _ in spans] for row, key in enumerate(keys)}
    return Grid(
        scale=one.scale,
        phase=one.phase,
        machine=machine,
        batches=[reach(str(first), str(last)) for first, last in spans],
        rows=rows,
    )


def _label(length: str, routing: str) -> str:
    return f"{length} tokens" if routing == UNIFORM else f"{length}, {routing}"


def _cell(gain: Gain) -> str:
    """Return a measured speed-up, marked where its interval is wide: others' are in the table of all scenarios."""
    low, high = gain.speedup.low, gain.speedup.high
    return f"{'~' if high - low > WIDE * gain.speedup.estimate else ''}{gain.speedup.estimate:.2f}x"


def _alike(columns: Mapping[int, Sequence[str]]) -> list[tuple[int, int]]:
    """Return the first and last batch of each run of columns that show the same."""
    runs = [[key for key, _ in run] for _, run in groupby(columns.items(), key=itemgetter(1))]
    return [(run[0], run[-1]) for run in runs]
