"""Cells as rows: speed-ups over batch and length, and throughput by workload."""

from collections.abc import Iterable

from bench.harness.arms import PRIMARY
from bench.harness.metrics import METRICS
from bench.harness.results.cells import Cell

PHASES = {"bench_decode": "decode", "bench_prefill": "prefill"}
ANSWERS = "bench_generate"
SPEEDUP_HEADERS = (
    *("scale", "phase", "routing", "length", "batch", "against", "MoE", "it", "speed-up [95 %]", "floors allow"),
    *("share of the floor, MoE / it", "experts read a layer", "from"),
)
WORKLOAD_HEADERS = ("scale", "workload", "batch", "against", "MoE", "it", "speed-up [95 %]", "from")


def speedup_rows(cells: Iterable[Cell]) -> list[tuple[str, ...]]:
    """Lay prefill and decode out, a row a cell."""
    return [
        (
            *(cell.scale, PHASES[cell.benchmark], cell.routing, cell.length, str(cell.batch_size), cell.against),
            *(_value(cell, arm) for arm in (PRIMARY, cell.against)),
            cell.speedup.text(".2f", "x"),
            f"{cell.predicted:.2f}x" if cell.predicted else "",
            " / ".join(f"{100 * share:.0f} %" for share in cell.floor_share.values()),
            f"{cell.distinct_experts:.1f}" if cell.distinct_experts else "",
            basis(cell),
        )
        for cell in sorted((cell for cell in cells if cell.benchmark in PHASES), key=_order)
    ]


def _order(cell: Cell) -> tuple[str, str, str, str, str, str, int]:
    scale, length = cell.scale.rjust(8), cell.length.rjust(8)
    return (cell.machine, scale, cell.benchmark, cell.against, cell.routing, length, cell.batch_size)


def workload_rows(cells: Iterable[Cell]) -> list[tuple[str, ...]]:
    """Lay whole answers out, a row a workload and batch."""
    return [
        (
            *(cell.scale, str(cell.params["workload"]), str(cell.batch_size), cell.against),
            *(cell.rate(arm) for arm in (PRIMARY, cell.against)),
            cell.speedup.text(".2f", "x"),
            basis(cell),
        )
        for cell in cells
        if cell.benchmark == ANSWERS
    ]


def basis(cell: Cell) -> str:
    """Say whether a cell was measured with all layers."""
    if not cell.depths:
        return "all layers, measured"
    return f"{', '.join(map(str, cell.depths))} layers, extrapolated ({100 * cell.check_error:.1f} %)"


def _value(cell: Cell, arm: str) -> str:
    return METRICS[cell.metric].display(cell.seconds[arm])
