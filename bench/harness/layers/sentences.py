"""Sentences that say how specialization changes a layer: computed from the cells, so that none outlives its numbers."""

from collections.abc import Callable, Iterable, Sequence

from bench.harness.layers.cells import LAYER, UNIFORM, Cell
from bench.harness.layers.routing import Multiple, multiple, profiles
from bench.harness.layers.tables import APART, crossing_rows, that_do_not_add_up
from bench.harness.stats import Interval

Key = tuple[str, ...]


def most_specialized(cells: Iterable[Cell]) -> list[tuple[Cell, Multiple | None]]:
    """Return the MoE's passes under the most specialized profile of their scale, phase and length.

    Returns:
        Each with its layer's time over uniform routing's; None where that was not measured.
    """
    return [pair for group in _steered(cells) for pair in _multiples(group)]


def changes(cells: Iterable[Cell]) -> list[str]:
    """Say for each scale, phase and length what the most specialized profile does to a layer at each batch."""
    return [_change(_multiples(group)) for group in _steered(cells)]


def _steered(cells: Iterable[Cell]) -> list[list[Cell]]:
    groups = _grouped([cell for cell in cells if cell.is_moe], lambda cell: (cell.scale, cell.phase, cell.length))
    return [group for group in groups if any(cell.routing != UNIFORM for cell in group)]


def _multiples(cells: Sequence[Cell]) -> list[tuple[Cell, Multiple | None]]:
    most = profiles(cells)[-1]
    uniform = {cell.batch_size: cell for cell in cells if cell.routing == UNIFORM}
    steered = {cell.batch_size: cell for cell in cells if cell.routing == most}
    return [(cell, multiple(cell, uniform.get(batch), LAYER)) for batch, cell in steered.items()]


def _change(found: Sequence[tuple[Cell, Multiple | None]]) -> str:
    first, _ = found[0]
    known = {cell.batch_size: one for cell, one in found if one}
    what = f"**{first.scale}, {first.phase}**, {first.length} tokens, {first.routing}"
    if not known:
        return f"{what}: not measured beside uniform routing."
    said = ", ".join(f"{one} at batch {batch}" for batch, one in known.items())
    moved = [str(batch) for batch, one in known.items() if not one.ratio.low <= 1 <= one.ratio.high]
    change = f"the interval leaves 1 out at batch {', '.join(moved)}" if moved else "no interval leaves 1 out"
    return f"{what}: {said}; {change}."


def crossings(cells: Iterable[Cell]) -> list[str]:
    """Say for each preset which share of a prompt's tokens leaves its device, experts placed by bins, by profile."""
    said: dict[str, list[str]] = {}
    for preset, routing, _, msi, _, by_bins, *_ in crossing_rows(cells):
        said.setdefault(preset, []).append(f"{by_bins} under {routing} (MSI {msi})")
    return [f"**{preset}**: {', '.join(shares)}." for preset, shares in said.items()]


def predictions(cells: Iterable[Cell]) -> list[str]:
    """Say for each scale and phase how far the experts' time lies from what was predicted."""
    known = [cell for cell in cells if cell.is_moe and cell.predicted_s]
    return [
        f"**{group[0].scale}, {group[0].phase}**: the experts take {_range(_over_prediction(group))} times what is "
        f"predicted ({len(group)} passes)."
        for group in _grouped(known, lambda cell: (cell.scale, cell.phase))
    ]


def _over_prediction(cells: Iterable[Cell]) -> list[float]:
    return [cell.seconds("experts").estimate / cell.predicted_s for cell in cells if cell.predicted_s]


def sums(cells: Sequence[Cell]) -> list[str]:
    """Say whether the parts add up to their layer and the layers to their pass; name those that do not."""
    checks: dict[str, list[Interval]] = {
        "the parts to their layer": [cell.parts_over_layer for cell in cells],
        "layers and ends to their pass": [cell.layers_over_pass for cell in cells],
    }
    return [
        f"Of {len(found)} passes (arms and scenarios), {what} sum to {_range([one.estimate for one in found])}; "
        f"1 lies within the interval in {sum(one.low <= 1 <= one.high for one in found)}."
        for what, found in checks.items()
    ] + [f"Does not add up: {said}." for said in that_do_not_add_up(cells)]


def fusing(cells: Iterable[Cell]) -> list[str]:
    """Say for each phase what the experts' work takes when dispatch, products and combine are run apart."""
    moes = [cell for cell in cells if cell.is_moe]
    return [
        f"{group[0].phase}: {_range([cell.over(APART, 'experts').estimate for cell in group])} times as long run apart."
        for group in _grouped(moes, lambda cell: (cell.phase,))
    ]


def _grouped(cells: Iterable[Cell], key: Callable[[Cell], Key]) -> list[list[Cell]]:
    groups: dict[Key, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return list(groups.values())


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"
