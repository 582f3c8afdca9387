"""Sentences that answer question 1: computed from the cells, so that none outlives its numbers."""

from collections.abc import Iterable, Sequence

from bench.harness.results.cells import Cell
from bench.harness.results.tables import PHASES, times

WORTH = 1.1  # a speed-up below it does not pay for the memory of a MoE


def trends(cells: Iterable[Cell]) -> list[str]:
    """Say for each scale, phase, rival and length how the speed-up moves with the batch.

    Args:
        cells: of scenarios over batch sizes; workloads with lengths of their own are left to their table.
    """
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        if cell.benchmark in PHASES:
            key = (cell.scale, cell.benchmark, cell.against, str(cell.params.get("seq_len")))
            groups.setdefault(key, []).append(cell)
    return [_trend(sorted(group, key=lambda cell: cell.batch_size)) for group in groups.values()]


def _trend(cells: Sequence[Cell]) -> str:
    """Say where a group starts, where it is worst, and from which batch on the MoE does not pay."""
    first, worst = cells[0], min(cells, key=lambda cell: cell.speedup.estimate)
    length = first.params.get("seq_len")
    said = [f"**{first.scale}, {PHASES[first.benchmark]}**, {length} tokens, against {first.against}: {_at(first)}"]
    if worst is not first:
        said.append(f"least {_at(worst)}")
    idle = next((cell for cell in cells if cell.speedup.low < WORTH), None)
    largest = cells[-1].batch_size
    said.append(f"below {WORTH:g} from batch {idle.batch_size}" if idle else f"it pays at every batch up to {largest}")
    if first.depths:
        layers = ", ".join(map(str, first.depths))
        worst_error = max(cell.check_error for cell in cells)
        said.append(f"extrapolated from {layers} layers, the line's error at most {100 * worst_error:.1f} %")
    return f"{'; '.join(said)}."


def _at(cell: Cell) -> str:
    floor = f", where the floors allow {cell.predicted:.2f}" if cell.predicted else ""
    return f"{times(cell.speedup)} as fast at batch {cell.batch_size}{floor}"
