"""What the answers' page says of records and documents: gains by scale and phase, comparisons, layers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.harness.arms import DENSE, TWIN
from bench.harness.environment import describe
from bench.harness.record import Record
from bench.pages.grouping import grouped
from bench.pages.layers.routing import Multiple, most_specialized
from bench.pages.layers.times import LayerTimes, holds_layers, read_layers
from bench.pages.pareto.documents import Tier
from bench.pages.provenance import sources
from bench.pages.results.fares import fares, leads
from bench.pages.results.gains import PHASES, Found, Gain

ASKED = ("7b", "34b")  # the scales that the project asks about
STEPS = tuple(PHASES.values())

Steered = tuple[Multiple, LayerTimes]  # a layer's time over uniform routing's


class Row(NamedTuple):
    """One phase of a scale on one machine, under one routing."""

    scale: str
    machine: str  # empty where one alone measured the scale
    phase: str
    routing: str
    against: Mapping[str, Sequence[Gain]]  # by rival, the least speed-up first
    trend: Sequence[Gain]  # over the batch, against the twin


def facts(records: Mapping[Path, Record], found: Found, tiers: Iterable[Tier]) -> dict[str, object]:
    """Return what the template names, but for command, figures and links.

    Args:
        records: by their files.
        found: what they give.
        tiers: documents of accuracy and throughput.
    """
    asked = [gain for gain in found.gains if gain.scale in ASKED]
    return {
        "sources": sources(records),
        "has_gpu": any(record.kind["device"] == "cuda" for record in records.values()),
        "scales": ASKED,
        "extrapolated": [name for name in ASKED if any(gain.depths for gain in asked if gain.scale == name)],
        "asked": by_rival(asked),
        "rows": rows(found.gains),
        "arms": DENSE,
        "found": found,
        "tiers": [(tier, fares(tier), leads(tier.points)) for tier in tiers],
        "layers": layers(records.values()),
    }


def by_rival(gains: Sequence[Gain]) -> dict[str, list[Gain]]:
    """Return the gains over each rival, those of DENSE first, of each the least speed-up first."""
    names = dict.fromkeys([*DENSE, *(gain.against for gain in gains)])
    found = {
        name: sorted((gain for gain in gains if gain.against == name), key=lambda gain: gain.speedup) for name in names
    }
    return {name: of_one for name, of_one in found.items() if of_one}


def rows(gains: Iterable[Gain]) -> list[Row]:
    """Return the gains of each scale, machine, phase and routing together."""
    ordered = sorted(gains, key=lambda gain: (len(gain.scale), gain.scale, STEPS.index(gain.phase), gain.batch_size))
    groups = grouped(ordered, lambda gain: (gain.scale, gain.machine, gain.phase, gain.routing))
    machines = Counter(scale for scale, _ in {(gain.scale, gain.machine) for gain in ordered})
    return [
        Row(
            scale=group[0].scale,
            machine=group[0].machine if machines[group[0].scale] > 1 else "",
            phase=group[0].phase,
            routing=group[0].routing,
            against=by_rival(group),
            trend=_trend([gain for gain in group if gain.against == TWIN]),
        )
        for group in groups
    ]


def _trend(gains: Sequence[Gain]) -> Sequence[Gain]:
    """Choose the prompts that tell most of the batch: from a single request on, at many batches, long ones."""
    lengths = grouped(gains, lambda gain: (gain.workload, gain.length))
    return max(lengths, key=lambda one: (-one[0].batch_size, len(one), one[0].length.rjust(8)), default=[])


def layers(records: Iterable[Record]) -> dict[tuple[str, str], list[Steered]]:
    """Return the most specialized layers that ran beside uniform routing, by phase and machine, fastest first."""
    found: dict[tuple[str, str], list[Steered]] = {}
    for of_kind in grouped(filter(holds_layers, records), lambda record: (describe(record.kind),)):
        for layer, over_uniform in most_specialized(read_layers(of_kind)):
            if over_uniform:
                found.setdefault((layer.phase, describe(of_kind[0].kind)), []).append((over_uniform, layer))
    return {where: sorted(known, key=lambda steered: steered[0].ratio) for where, known in found.items()}
