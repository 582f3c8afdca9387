"""The page that answers the questions, from records and documents: gains by scale and phase, comparisons, layers."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate.stats import Interval
from bench.harness.arms import DENSE, TWIN
from bench.harness.environment import describe
from bench.harness.record import Record
from bench.harness.wording import listed
from bench.pages.extrapolate import whole_id
from bench.pages.grouping import grouped
from bench.pages.layers.routing import most_specialized
from bench.pages.layers.times import LAYER, LayerTimes, holds_layers, read_layers
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.page import facts_of
from bench.pages.provenance import sources
from bench.pages.recycling import bias_values, biases
from bench.pages.results.cells import UNIFORM, Cell, Requests
from bench.pages.results.composed import Composed, checked_answers, composed
from bench.pages.results.families import DRAWN, PHASES, READ
from bench.pages.results.fares import counted_fares, fares
from bench.pages.results.figures import speedup_figures
from bench.pages.results.gains import Gain, gains_of
from bench.pages.results.grids import grids, is_steered
from bench.pages.results.machines import machine_names
from bench.pages.results.predicted import check_errors, predictions, typical_and_worst
from bench.pages.results.times import Lines, lines_of
from bench.pages.write import Content

ASKED = ("7b", "34b")  # the scales that the project asks about
STEPS = tuple(PHASES.values())
MOST = 16  # requests of a batch that answers are composed for
WORKLOADS = ("mmmu", "mmmu-cot", "mathvista", "mathvista-cot")  # that question 1 asks about, of one tile an image


class Row(NamedTuple):
    """One phase of a scale on one machine, under one routing."""

    scale: str
    machine: str  # what tells it apart from others that measured the scale
    phase: str
    routing: str
    against: Mapping[str, Sequence[Gain]]  # by rival, the least speed-up first
    trend: Sequence[Gain]  # over the batch, against the twin; at full depth where one machine has it so


def results_page(
    records: Mapping[Path, Record],
    tiers: Mapping[str, Tier],
    cells: Mapping[str, Sequence[Cell]] | None = None,
    requests: Sequence[Requests] = (),
) -> Content:
    """Return what the page holds.

    Args:
        records: by their files.
        tiers: documents of accuracy and throughput, by tier.
        cells: of batch and length whose work is known, by dtype; those that no record holds are predicted.
        requests: of drawn lengths, which answers are composed for.
    """
    found = gains_of(records.values())
    usual = [gain for gain in found.gains if not is_steered(gain, found.gains)]
    asked = [gain for gain in usual if gain.scale in ASKED]
    predicted = predictions(found.gains, cells or {}, why_not_measured(records.values()))
    lines = lines_of(found.gains, predicted)
    answers = composed(_small(lines), requests, {gain.machine: gain.peaks for gain in found.gains})
    checked = checked_answers(found.gains, lines_of(found.gains))
    stand_ins = [bias for record in records.values() for bias in biases(record)]
    compared = [(known, fares(known.pairs)) for known in map(facts_of, tiers.values())]
    facts = {
        "sources": sources(records),
        "has_gpu": any(record.kind["device"] == "cuda" for record in records.values()),
        "scales": ASKED,
        "whole": places(asked, lambda gain: not gain.depths and not gain.distinct_layers),
        "extrapolated": places(asked, lambda gain: bool(gain.depths)),
        "recycled": places(asked, lambda gain: bool(gain.distinct_layers)),
        "asked": by_rival(asked),
        "rows": rows(usual),
        "arms": DENSE,
        "every": found.gains,
        "dropped": found.dropped,
        "grids": grids(found.gains, predicted),
        "calibration": typical_and_worst(check_errors(found.gains, cells or {})),
        "coverage": found.coverage,
        "answers": least_and_greatest(answers),
        "composition": typical_and_worst([abs(one.speedup_error) for one in checked]),
        "num_checked": len(checked),
        "launches": [gain.num_launches for gain in asked],
        "biases": [bias.change for bias in stand_ins],
        "tiers": compared,
        "layers": layers(records.values()),
    }
    tables: dict[str, Sequence[Any]] = {
        "gains": found.gains,
        "dropped": found.dropped,
        "predicted": predicted,
        "answers": answers,
        "composition": checked,
        "recycling": bias_values(stand_ins),
        "fares": [row for known, found_of in compared for row in counted_fares(known.tier.name, found_of)],
    }
    return Content("results/template.md", facts, tables, speedup_figures(asked, usual, predicted))


def places(gains: Sequence[Gain], is_such: Callable[[Gain], bool]) -> list[str]:
    """Name the scales of such gains, each with their phases where others of its phases have none."""
    named = []
    for scale in dict.fromkeys(gain.scale for gain in gains):
        of_scale = [gain for gain in gains if gain.scale == scale]
        every = list(dict.fromkeys(gain.phase for gain in of_scale))
        such = list(dict.fromkeys(gain.phase for gain in of_scale if is_such(gain)))
        if such:
            named.append(scale if such == every else f"{scale} in {listed(such)}")
    return named


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
    machines = machine_names(ordered)
    at_depth = {(gain.scale, gain.phase) for gain in ordered if not gain.depths and gain.against == TWIN}
    return [
        Row(
            scale=group[0].scale,
            machine=machines[group[0].scale, group[0].machine],
            phase=group[0].phase,
            routing=group[0].routing,
            against=by_rival(group),
            trend=_trend([gain for gain in group if gain.against == TWIN and _counts(gain, at_depth)]),
        )
        for group in groups
    ]


def _counts(gain: Gain, at_depth: Container[tuple[str, str]]) -> bool:
    """Tell whether a gain is at full depth, or no machine has its like there."""
    return not gain.depths or (gain.scale, gain.phase) not in at_depth


def _trend(gains: Sequence[Gain]) -> Sequence[Gain]:
    """Choose the prompts that tell most of the batch: from a single request on, at many batches, long ones."""
    lengths = grouped(gains, lambda gain: (gain.workload, gain.length))
    return max(lengths, key=lambda one: (-one[0].batch_size, len(one), one[0].length.rjust(8)), default=[])


def layers(records: Iterable[Record]) -> dict[tuple[str, str], list[tuple[Interval, LayerTimes]]]:
    """Return the most specialized layers, each after its time over uniform routing's, by phase and machine."""
    found: dict[tuple[str, str], list[tuple[Interval, LayerTimes]]] = {}
    for of_kind in grouped(filter(holds_layers, records), lambda record: describe(record.kind)):
        for layer in most_specialized(read_layers(of_kind)):
            if ratio := layer.over_uniform(LAYER):
                found.setdefault((layer.phase, describe(of_kind[0].kind)), []).append((ratio, layer))
    return {where: sorted(known, key=lambda steered: steered[0]) for where, known in found.items()}


def why_not_measured(records: Iterable[Record]) -> dict[str, str]:
    """Return why scenarios were not measured, by the id of the whole model's."""
    told = (pair for record in records for pair in record.why_not_fitting().items())
    return {whole_id(scenario).replace(DRAWN, READ): why for scenario, why in told}


def least_and_greatest(answers: Sequence[Composed]) -> list[tuple[Composed, Composed]]:
    """Return the answers of each workload that is asked about, uniformly routed, beside the twin: at two batches."""
    usual = [one for one in answers if (one.against, one.routing) == (TWIN, UNIFORM) and one.scale in ASKED]
    shown = [one for one in usual if one.workload in WORKLOADS]
    ordered = sorted(shown, key=lambda one: (len(one.scale), one.scale, one.workload, one.batch_size))
    groups = grouped(ordered, lambda one: (one.machine, one.scale, one.workload))
    return [(group[0], group[-1]) for group in groups]


def _small(lines: Lines) -> Lines:
    return {place: line for place, line in lines.items() if place.batch_size <= MOST}
