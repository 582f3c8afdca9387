"""The answers, a paragraph each: computed from gains, documents and layers, so that none outlives its numbers."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from bench.harness.layers.sentences import most_specialized
from bench.harness.layers.times import LayerTimes
from bench.harness.pareto.documents import Tier
from bench.harness.pareto.pairs import DENSE, ONE_SEED, Pair, pairs
from bench.harness.pareto.points import AXES, MEASURED
from bench.harness.pareto.sentences import listed
from bench.harness.results.gains import Gain
from bench.harness.results.sentences import workload
from bench.harness.results.tables import ANSWERS, PHASES

T = TypeVar("T")

DOES = {"bench_decode": "decodes", "bench_prefill": "prefills", ANSWERS: "answers whole requests"}
RIVALS = {
    "dense": "a dense model of equal total parameters",
    "dense_active": "a dense model of its active parameters",
    "dense_reference": "a published dense shape of about equal total parameters",
}
MOES = {"smoes": "SMoES", "moe": "plain MoEs"}  # kind of a point -> who these are
ALIKE = 1.3  # total parameters of two models within this factor are about equal: families do not match them closer


def throughput(gains: Iterable[Gain]) -> str:
    """Answer question 1: at each scale, between which factors the MoE is as fast as each rival in each phase."""
    timed = [gain for gain in gains if gain.benchmark in DOES]
    groups = _grouped(timed, lambda gain: (gain.machine, gain.scale))
    times_seen = Counter(group[0].scale for group in groups)  # on how many machines
    return " ".join(
        _of_scale(group, f" on {group[0].machine}" if times_seen[group[0].scale] > 1 else "") for group in groups
    )


def _of_scale(gains: Sequence[Gain], where: str) -> str:
    basis = "extrapolated from a few layers of true width" if gains[0].depths else "measured with all layers"
    rivals = [
        f"{listed(_spans(group))} times as fast as {RIVALS.get(group[0].against, group[0].against)}"
        for group in _grouped(gains, lambda gain: (gain.against,))
    ]
    return f"At **{gains[0].scale}**{where}, {basis}, the MoE {'; it '.join(rivals)}."


def _spans(gains: Sequence[Gain]) -> list[str]:
    """Say for each phase between which speed-ups the gains lie, and where the ends are."""
    by_phase = {name: [gain for gain in gains if gain.benchmark == name] for name in DOES}
    return [
        f"{DOES[name]} {_span([(gain.speedup.estimate, _place(gain)) for gain in found])}"
        for name, found in by_phase.items()
        if found
    ]


def _place(gain: Gain) -> str:
    """Say where in the grid a gain lies."""
    task = f"{gain.length} tokens" if gain.benchmark in PHASES else workload(gain)
    return f"{task}, batch {gain.batch_size}"


def _span(placed: Sequence[tuple[float, str]]) -> str:
    """Write the least and the greatest factor, each with its place; a single one without.

    >>> _span([(2.0, "batch 1"), (1.5, "batch 8")]), _span([(2.0, "batch 1")])
    ('1.50 (batch 8) to 2.00 (batch 1)', '2.00')
    """
    (low, at_low), (high, at_high) = min(placed), max(placed)
    return f"{low:.2f} ({at_low}) to {high:.2f} ({at_high})" if len(placed) > 1 else f"{high:.2f}"


def front(tiers: Mapping[str, Tier]) -> str:
    """Answer question 2's first half: how MoEs fare against dense models of equal total parameters, by tier."""
    return " ".join(said for name, tier in tiers.items() for said in _of_tier(name, tier))


def _of_tier(name: str, tier: Tier) -> list[str]:
    known = [pair for task in tier.tasks for pair in pairs(tier.of(task), AXES[0]) if pair.outcome != ONE_SEED]
    found = [pair for pair in known if _equal_total(pair)]
    groups = _grouped(found, lambda pair: (pair.point.kind, pair.point.basis))
    return [f"{name.capitalize()}: {'; '.join(map(_fares, groups))}."] if groups else []


def _equal_total(pair: Pair) -> bool:
    """Say whether a pair is of a dense model, and one of about as many parameters in total."""
    if pair.against.kind != DENSE:
        return False
    return abs(math.log(pair.point.num_parameters / pair.against.num_parameters)) < math.log(ALIKE)


def _fares(found: Sequence[Pair]) -> str:
    """Count a kind's outcomes over tasks and sizes, and say between which ratios its throughput lies."""
    counts = {outcome: sum(pair.outcome == outcome for pair in found) for outcome in ("wins", "open", "loses")}
    ratios = [pair.speedup.estimate for pair in found if pair.speedup]
    speed = f"{min(ratios):.2f} to {max(ratios):.2f} times the requests/s" if ratios else "throughputs do not compare"
    how = "measured" if found[0].point.basis == MEASURED else "predicted by floors"
    return (
        f"{MOES[found[0].point.kind]} against dense models of about equal total parameters are more accurate in "
        f"{counts['wins']} of {len(found)} comparisons, less accurate in {counts['loses']} and not told apart in "
        f"{counts['open']}, at {speed} ({how})"
    )


def latency(layers: Iterable[LayerTimes]) -> str:
    """Answer question 2's second half: between which multiples of its uniform time a specialized layer lies."""
    known = [(layer, found.ratio.estimate) for layer, found in most_specialized(layers) if found]
    said = [
        f"{_span([(ratio, _layer_place(layer)) for layer, ratio in group])} in {group[0][0].phase}"
        for group in _grouped(known, lambda one: (one[0].phase,))
    ]
    what = "Where its experts are the most specialized, a decoder layer's time under uniform routing is multiplied by"
    return f"{what} {listed(said)}." if said else ""


def _layer_place(layer: LayerTimes) -> str:
    return f"{layer.scale}, {layer.length} tokens, batch {layer.batch_size}"


def _grouped(items: Iterable[T], key: Callable[[T], tuple[str, ...]]) -> list[list[T]]:
    groups: dict[tuple[str, ...], list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())
