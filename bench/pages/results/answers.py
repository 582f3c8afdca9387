"""The answers, a paragraph each: computed from gains and layers, so that none outlives its numbers."""

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.gate.stats import Interval
from bench.harness.wording import listed
from bench.pages.grouping import grouped
from bench.pages.layers.routing import most_specialized
from bench.pages.layers.times import LayerTimes
from bench.pages.results.gains import Gain
from bench.pages.results.sentences import workload
from bench.pages.results.tables import ANSWERS, PHASES

DOES = {"bench_decode": "decodes", "bench_prefill": "prefills", ANSWERS: "answers whole requests"}
RIVALS = {
    "dense": "a dense model of equal total parameters",
    "dense_active": "a dense model of its active parameters",
    "dense_reference": "a published dense shape of about equal total parameters",
}


def throughput(gains: Iterable[Gain]) -> str:
    """Answer question 1: at each scale, between which factors the MoE is as fast as each rival in each phase."""
    timed = [gain for gain in gains if gain.benchmark in DOES]
    groups = grouped(timed, lambda gain: (gain.machine, gain.scale))
    times_seen = Counter(group[0].scale for group in groups)  # on how many machines
    return " ".join(
        _of_scale(group, f" on {group[0].machine}" if times_seen[group[0].scale] > 1 else "") for group in groups
    )


def _of_scale(gains: Sequence[Gain], where: str) -> str:
    basis = "measured with all layers"
    if gains[0].depths:
        error = 100 * max(gain.check_error for gain in gains)
        basis = f"extrapolated from a few layers of true width (error of the lines at most {error:.1f} %)"
    rivals = map(_against, grouped(gains, lambda gain: (gain.against,)))
    return f"At **{gains[0].scale}**{where}, {basis}, the MoE is {'; it is '.join(rivals)}."


def _against(gains: Sequence[Gain]) -> str:
    """Count where the MoE is faster and slower than one rival for certain, and say by how much in each phase."""
    faster, slower = sum(gain.speedup.low > 1 for gain in gains), sum(gain.speedup.high < 1 for gain in gains)
    rival = RIVALS.get(gains[0].against, gains[0].against)
    return (
        f"faster than {rival} in {faster} of {len(gains)} scenarios by the whole interval and slower in {slower}: it "
        f"{listed(_spans(gains))} times as fast"
    )


def _spans(gains: Sequence[Gain]) -> list[str]:
    """Say for each phase between which speed-ups the gains lie, and where the ends are."""
    by_phase = {name: [gain for gain in gains if gain.benchmark == name] for name in DOES}
    return [
        f"{DOES[name]} {_reach([(gain.speedup.estimate, _place(gain)) for gain in found])}"
        for name, found in by_phase.items()
        if found
    ]


def _place(gain: Gain) -> str:
    """Say where in the grid a gain lies."""
    task = f"{gain.length} tokens" if gain.benchmark in PHASES else workload(gain)
    return f"{task}, batch {gain.batch_size}"


def _reach(placed: Sequence[tuple[float, str]]) -> str:
    """Write the least and the greatest factor, each with its place; a single one without.

    >>> _reach([(2.0, "batch 1"), (1.5, "batch 8")]), _reach([(2.0, "batch 1")])
    ('1.50 (batch 8) to 2.00 (batch 1)', '2.00')
    """
    (low, at_low), (high, at_high) = min(placed), max(placed)
    return f"{low:.2f} ({at_low}) to {high:.2f} ({at_high})" if len(placed) > 1 else f"{high:.2f}"


def latency(layers: Iterable[LayerTimes]) -> str:
    """Answer question 2's second half: between which multiples of its uniform time a specialized layer lies."""
    known = [(layer, found.ratio) for layer, found in most_specialized(layers) if found]
    said = [_of_phase(group) for group in grouped(known, lambda one: (one[0].phase,))]
    what = "Under the most specialized routing that was imposed on random weights, a decoder layer takes"
    return f"{what} {'; '.join(said)}." if said else ""


def _of_phase(found: Sequence[tuple[LayerTimes, Interval]]) -> str:
    """Say between which multiples a phase's passes lie, and in how many the interval leaves 1 out."""
    faster, slower = (sum(holds) for holds in ([one.high < 1 for _, one in found], [one.low > 1 for _, one in found]))
    span = _reach([(one.estimate, f"{_layer_place(layer)}, [{one.low:.2f}, {one.high:.2f}]") for layer, one in found])
    phase = found[0][0].phase
    return (
        f"in {phase} {span} times as long as under uniform routing, less for certain in {faster} of {len(found)} "
        f"passes and more in {slower}"
    )


def _layer_place(layer: LayerTimes) -> str:
    return f"{layer.scale}, {layer.length} tokens, batch {layer.batch_size}"
