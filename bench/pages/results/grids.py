"""Tables of the speed-up over the dense twin by batch and length: a table a scale and phase, measured and predicted."""

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


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One phase of a scale on one machine."""

    scale: str
    phase: str
    machine: str  # what tells it apart from others that measured the scale
    batches: Sequence[str]  # of several in a row that are alike, the first and the last
    rows: Mapping[str, Sequence[str]]  # by length, a cell a batch


def grids(gains: Sequence[Gain], predicted: Sequence[Predicted]) -> list[Grid]:
    """Return the tables of what is predicted in part."""
    twins = [one for one in predicted if (one.against, one.routing) == (TWIN, UNIFORM)]
    groups = grouped(twins, lambda one: (one.scale, one.phase, one.machine))
    machines = machine_names(gains)
    return [_grid(gains, of_one, machines.get((of_one[0].scale, of_one[0].machine), "")) for of_one in groups]


def _grid(gains: Sequence[Gain], predicted: Sequence[Predicted], machine: str) -> Grid:
    one = predicted[0]
    place = (one.scale, one.phase, one.machine, one.against, UNIFORM)
    shown = {(cell.length, cell.batch_size): f"*{ratio(cell.speedup)}*" for cell in predicted}
    for gain in gains:
        if (gain.scale, gain.phase, gain.machine, gain.against, gain.routing) == place and not gain.depths:
            shown[gain.length, gain.batch_size] = _cell(gain)
    lengths = sorted({length for length, _ in shown if length.isdecimal()}, key=int)
    batches = sorted({batch_size for _, batch_size in shown})
    columns = {batch_size: [shown.get((length, batch_size), "") for length in lengths] for batch_size in batches}
    spans = _alike(columns)
    rows = {length: [columns[first][row] for first, _ in spans] for row, length in enumerate(lengths)}
    return Grid(
        scale=one.scale,
        phase=one.phase,
        machine=machine,
        batches=[reach(str(first), str(last)) for first, last in spans],
        rows=rows,
    )


def _cell(gain: Gain) -> str:
    """Return a measured speed-up, marked where its interval is wide: others' are in the table of all scenarios."""
    low, high = gain.speedup.low, gain.speedup.high
    return f"{'~' if high - low > WIDE * gain.speedup.estimate else ''}{gain.speedup.estimate:.2f}x"


def _alike(columns: Mapping[int, Sequence[str]]) -> list[tuple[int, int]]:
    """Return the first and last batch of each run of columns that show the same."""
    runs = [[key for key, _ in run] for _, run in groupby(columns.items(), key=itemgetter(1))]
    return [(run[0], run[-1]) for run in runs]
