"""Tables of decoder layers: parts, their floors, dense arms, experts run apart, what would cross devices."""

from collections.abc import Iterable, Sequence

from bench.harness.layers.cells import ENDS, LAYER, PARTS, UNIFORM, Cell
from bench.harness.layers.routing import seconds, times
from bench.harness.metrics import DISPLAYS
from bench.harness.stats import Interval, median_interval

APART = ("dispatch", "gemms", "combine")  # the experts' work, where nothing is fused
ADDS_UP_WITHIN = 0.1  # parts that miss their whole by more, beyond doubt, are pointed out

PART_HEADERS = (
    *("scale", "phase", "batch", "length", "routing", "MSI", "experts hit (expected)", "load, max/mean", "read"),
    *("layer [95 %]", "attention", "norms", "router", "experts [95 %]", "predicted"),
    *("parts / layer [95 %]", "layers + ends / pass [95 %]"),
)
ARM_HEADERS = (
    *("scale", "phase", "batch", "length", "arm", "layer [95 %]", "arm / MoE [95 %]", "attention", "feed-forward"),
    "parts / layer [95 %]",
)
APART_HEADERS = (*("scale", "phase", "batch", "length", "routing", "experts", *APART, "apart / experts [95 %]"),)
FLOOR_PARTS = (LAYER, "attention", "router", "experts", ENDS)  # whose work is counted
FLOOR_HEADERS = (*("scale", "phase", "batch", "length", "routing"), *FLOOR_PARTS)
CROSSING_HEADERS = (
    *("scale", "routing", "tokens", "MSI", "leave, experts in order", "by bins"),
    *("vision leaves, in order", "by bins", "rows sent by bins, against uniform routing in order"),
)


def part_rows(cells: Iterable[Cell]) -> list[tuple[str, ...]]:
    """Return a row for each pass of an MoE, in the order of PART_HEADERS."""
    return [_part_row(cell) for cell in cells if cell.is_moe]


def _part_row(cell: Cell) -> tuple[str, ...]:
    facts, expected = cell.facts, cell.facts.get("expected_distinct_experts")
    attention, norms, router = (_time(cell.seconds(part).estimate) for part in PARTS[True][:3])
    return (
        *cell.place,
        cell.routing,
        f"{facts['msi']:.2f}",
        f"{facts['distinct_experts']:.1f}" + (f" ({expected:.1f})" if expected is not None else ""),
        f"{facts['load_max_over_mean']:.2f}",
        DISPLAYS["byte"](cell.read_bytes),
        seconds(cell.seconds(LAYER)),
        *(attention, norms, router),
        seconds(cell.seconds("experts")),
        "" if cell.predicted_s is None else _time(cell.predicted_s),
        _ratio(cell.parts_over_layer),
        _ratio(cell.layers_over_pass),
    )


def arm_rows(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """Return a row for each arm of the scenarios that have dense ones, in the order of ARM_HEADERS."""
    moes = {cell.scenario: cell for cell in cells if cell.is_moe}
    compared = {cell.scenario for cell in cells if not cell.is_moe}
    return [_arm_row(cell, moes[cell.scenario]) for cell in cells if cell.scenario in compared]


def _arm_row(cell: Cell, moe: Cell) -> tuple[str, ...]:
    ratios = [a / b for a, b in zip(cell.samples[LAYER], moe.samples[LAYER], strict=True)]
    return (
        *(cell.place if cell.is_moe else ("",) * 4),
        cell.arm,
        seconds(cell.seconds(LAYER)),
        "" if cell.is_moe else times(median_interval(ratios)),
        _time(cell.seconds("attention").estimate),
        _time(cell.seconds("experts" if cell.is_moe else "ffn").estimate),
        _ratio(cell.parts_over_layer),
    )


def floor_rows(cells: Iterable[Cell]) -> list[tuple[str, ...]]:
    """Return a row for each pass of an MoE: the share that its floor has of each part's time, as FLOOR_HEADERS."""
    return [
        (*cell.place, cell.routing, *map(_share, map(cell.floor_share, FLOOR_PARTS))) for cell in cells if cell.is_moe
    ]


def _share(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def apart_rows(cells: Iterable[Cell]) -> list[tuple[str, ...]]:
    """Return a row for each pass of an MoE whose experts' work was run apart too, in the order of APART_HEADERS."""
    return [
        (
            *cell.place,
            cell.routing,
            *(_time(cell.seconds(part).estimate) for part in ("experts", *APART)),
            _ratio(cell.over(APART, "experts")),
        )
        for cell in cells
        if cell.is_moe
    ]


def crossing_rows(cells: Iterable[Cell]) -> list[tuple[str, ...]]:
    """Return a row for each scale and routing, of its largest prompt, in the order of CROSSING_HEADERS."""
    largest: dict[tuple[str, str], tuple[int, Cell]] = {}
    for cell in filter(_has_tokens, cells):
        key = (cell.preset, cell.routing)
        num_tokens = cell.batch_size * int(cell.length)
        if key not in largest or num_tokens > largest[key][0]:
            largest[key] = (num_tokens, cell)
    usual = {preset: cell for (preset, routing), (_, cell) in largest.items() if routing == UNIFORM}
    return [_crossing_row(*key, *found, usual.get(key[0])) for key, found in largest.items()]


def _has_tokens(cell: Cell) -> bool:
    return cell.is_moe and cell.length.isdigit()


def _crossing_row(preset: str, routing: str, num_tokens: int, cell: Cell, usual: Cell | None) -> tuple[str, ...]:
    shares = (cell.facts[f"{whose}crossing_{how}"] for whose in ("", "vision_") for how in ("in_order", "bins"))
    change = cell.facts["crossing_bins"] / usual.facts["crossing_in_order"] - 1 if usual else None
    return (
        *(preset, routing, f"{num_tokens:,}", f"{cell.facts['msi']:.2f}"),
        *(f"{100 * share:.1f} %" for share in shares),
        "" if change is None else f"{100 * change:+.1f} %",
    )


def that_do_not_add_up(cells: Iterable[Cell]) -> list[str]:
    """Say of which passes the parts miss their whole by more than ADDS_UP_WITHIN, whole interval and all."""
    checks = {"parts / layer": "parts_over_layer", "layers + ends / pass": "layers_over_pass"}
    return [
        f"{cell.scenario} {cell.arm}: {name} must be within {100 * ADDS_UP_WITHIN:.0f} % of 1, got {_ratio(found)}"
        for cell in cells
        for name, found in ((name, getattr(cell, check)) for name, check in checks.items())
        if found.low > 1 + ADDS_UP_WITHIN or found.high < 1 - ADDS_UP_WITHIN
    ]


_time = DISPLAYS["s"]


def _ratio(interval: Interval) -> str:
    return "{:.2f} [{:.2f}, {:.2f}]".format(*interval)
