"""Sentences that answer question 1: computed from the cells, so that none outlives its numbers."""

from collections.abc import Iterable, Sequence

from bench.harness.results.cells import Cell
from bench.harness.results.tables import PHASES

WORTH = 1.1  # less is no gain that a user would notice


def trends(cells: Iterable[Cell]) -> list[str]:
    """Say for each machine, scale, phase, rival, workload, routing and length how the speed-up moves with the batch.

    Args:
        cells: of prefill and decode; others are left to their table.
    """
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        if cell.benchmark in PHASES:
            key = (cell.machine, cell.scale, cell.benchmark, cell.against, workload(cell), cell.routing, cell.length)
            groups.setdefault(key, []).append(cell)
    return [_trend(sorted(group, key=lambda cell: cell.batch_size)) for group in groups.values()]


def workload(cell: Cell) -> str:
    """Return the workload's name."""
    return str(cell.params.get("workload", ""))


def _trend(cells: Sequence[Cell]) -> str:
    """Say where a group starts and where it is worst, and at which batches the MoE gains next to nothing."""
    first, worst = cells[0], min(cells, key=lambda cell: cell.speedup.estimate)
    what = f"**{first.scale}, {PHASES[first.benchmark]}**, {first.length} tokens, {first.routing} routing"
    said = [f"{what}, against {first.against}: {_at(first)}"]
    if worst is not first:
        said.append(f"least {_at(worst)}")
    idle = [str(cell.batch_size) for cell in cells if cell.speedup.estimate < WORTH]
    if len(cells) == 1:
        said.append("measured at this batch alone")
    elif idle:
        said.append(f"below {WORTH:g} at batch {', '.join(idle)}")
    else:
        said.append(f"above {WORTH:g} at all of {', '.join(str(cell.batch_size) for cell in cells)}")
    if first.depths:
        layers = ", ".join(map(str, first.depths))
        said.append(f"extrapolated from {layers} layers, the line's error at most {_percent(cells)}")
    return f"{'; '.join(said)}."


def _percent(cells: Sequence[Cell]) -> str:
    return f"{100 * max(cell.check_error for cell in cells):.1f} %"


def _at(cell: Cell) -> str:
    floor = f", where the floors allow {cell.predicted:.2f}" if cell.predicted else ""
    return f"{cell.speedup.text('.2f', 'x')} as fast at batch {cell.batch_size}{floor}"
