"""Tables of the speed-up over the dense twin by batch and length: a table a scale and phase, measured and predicted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.harness.arms import TWIN
from bench.pages.engine import ratio
from bench.pages.grouping import grouped
from bench.pages.results.cells import UNIFORM
from bench.pages.results.gains import Gain
from bench.pages.results.machines import machine_names
from bench.pages.results.predicted import Predicted


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One phase of a scale on one machine."""

    scale: str
    phase: str
    machine: str  # what tells it apart from others that measured the scale
    batches: Sequence[int]
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
            shown[gain.length, gain.batch_size] = ratio(gain.speedup)
    lengths = sorted({length for length, _ in shown if length.isdecimal()}, key=int)
    batches = sorted({batch_size for _, batch_size in shown})
    rows = {length: [shown.get((length, batch_size), "") for batch_size in batches] for length in lengths}
    return Grid(
        scale=one.scale,
        phase=one.phase,
        machine=machine,
        batches=batches,
        rows=rows,
    )
