"""Records as gains: how much faster the MoE is than one other model in one scenario of the whole model.

A scenario that was measured with all layers gives its gain as it is; one measured with a few layers of true width, at
three depths or more, gives it by the line through them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.gate.stats import Interval, block_log_ratios, median_interval
from bench.harness.arms import ANCHOR, PRIMARY, is_peer
from bench.harness.environment import describe
from bench.harness.metrics import METRICS
from bench.harness.peaks import floor_s
from bench.harness.record import ArmSeries, Record, Scenario
from bench.pages.extrapolate import DEPTHS_NEEDED, WORST_CHECK_ERROR, Line, fit, full_depth_id, median_sample
from bench.pages.layers.times import BENCHMARK as LAYERS

# Of many tokens in float32 a CPU's dense model runs on torch's products, which llama.cpp's beat: docs/performance.md.
OVERSTATED = {("cpu", "float32", "bench_prefill"), ("cpu", "float32", "bench_generate")}
NUM_RESAMPLES, SEED = 1000, 0
LIMITS = (2.5, 97.5)  # percentiles of a 95 % interval


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How much faster the MoE is than one other arm, and what says so."""

    machine: str
    benchmark: str
    scale: str  # of the whole model
    params: Mapping[str, object]
    against: str
    metric: str
    seconds: Mapping[str, float]  # by arm, of one unit
    rates: Mapping[str, float]  # throughput metric -> quantity per unit
    speedup: Interval  # the other arm's time over the MoE's
    predicted: float | None  # the same of the floors
    floor_share: Mapping[str, float]  # by arm: floor over time
    distinct_experts: float | None  # a layer and step
    depths: tuple[int, ...]  # measured; empty for the whole model
    check_error: float  # of the lines at the depths between; 0 for the whole model
    is_overstated: bool = False  # a faster dense model is known: see OVERSTATED

    @property
    def routing(self) -> str:
        """Return the routing profile."""
        return str(self.params.get("routing", ""))

    @property
    def length(self) -> str:
        """Return the prompt's length in tokens, or "natural"."""
        return str(self.params.get("seq_len", ""))

    @property
    def batch_size(self) -> int:
        """Return the requests in a batch."""
        return int(str(self.params["batch_size"]))

    def factor(self) -> str:
        """Show the speed-up with its interval, marked where it is known to be overstated."""
        return f"{self.speedup.text('.2f', 'x')}{' †' if self.is_overstated else ''}"

    def rate(self, arm: str) -> str:
        """Show an arm's first throughput."""
        name, quantity = next(iter(self.rates.items()))
        return METRICS[name].display(quantity / self.seconds[arm])


class Dropped(NamedTuple):
    """A scenario that gives no gain, and why."""

    scenario: str
    against: str
    why: str


class Found(NamedTuple):
    """What records give."""

    gains: list[Gain]
    dropped: list[Dropped]


def gains_of(records: Iterable[Record]) -> Found:
    """Return the gains of all records; peers, counted scenarios and single layers have none.

    Args:
        records: of one machine or several; depths of a scenario may lie in different records of one kind of machine,
            and of the same scenario in several records the last one counts.
    """
    machines: dict[str, list[Record]] = {}
    for record in records:
        machines.setdefault(str(sorted(record.kind.items())), []).append(record)
    found = [
        _gain(family, against, group[-1].kind)
        for group in machines.values()
        for (_, against), family in _families(group).items()
    ]
    gains = [one for one in found if isinstance(one, Gain)]
    return Found(gains, [one for one in found if isinstance(one, Dropped)])


class _Seen(NamedTuple):
    """A scenario, and the peaks that its own run measured."""

    scenario: Scenario
    peaks: Mapping[str, float]


def _families(records: Iterable[Record]) -> dict[tuple[str, str], dict[int, _Seen]]:
    """Group the scenarios of one machine by full-depth id and rival: depth -> scenario; 0 for the whole model."""
    families: dict[tuple[str, str], dict[int, _Seen]] = {}
    for seen in (_Seen(one, record.peaks) for record in records for one in record.scenarios.values()):
        scenario = seen.scenario
        if scenario.id.startswith(LAYERS):
            continue
        if ANCHOR not in scenario.arms or not {"scale", "batch_size"} <= set(scenario.arms[PRIMARY].params):
            continue
        for arm in scenario.arms:
            if arm not in (PRIMARY, ANCHOR) and not is_peer(arm):
                families.setdefault((full_depth_id(scenario.id), arm), {})[_depth(scenario)] = seen
    return families


def _depth(scenario: Scenario) -> int:
    """Return the layers that were built, 0 for all."""
    facts = scenario.arms[PRIMARY].facts
    depth = int(facts.get("depth", 0))
    return 0 if depth == facts.get(f"full_depth_{PRIMARY}") else depth


def _gain(by_depth: Mapping[int, _Seen], against: str, kind: Mapping[str, object]) -> Gain | Dropped:
    """Join the depths of one scenario; say why where they are too few, or lie on no line."""
    whole = by_depth.get(0)
    depths = () if whole else tuple(sorted(by_depth))
    seen = [whole] if whole else [by_depth[depth] for depth in depths]
    used, peaks = [one.scenario for one in seen], seen[-1].peaks  # of the deepest, where depths were measured apart
    moe = used[0].arms[PRIMARY]
    name = full_depth_id(used[0].id)
    benchmark = name.partition("[")[0]
    if depths and len(depths) < DEPTHS_NEEDED:
        return Dropped(name, against, f"measured at {', '.join(map(str, depths))} layers; a line needs {DEPTHS_NEEDED}")
    full = {arm: int(moe.facts.get(f"full_depth_{arm}", 0)) for arm in (PRIMARY, against)}
    series = {arm: [scenario.arms[arm] for scenario in used] for arm in (PRIMARY, against)}
    lines = {arm: _line(depths, [median_sample(one) for one in found]) for arm, found in series.items()}
    seconds = {arm: line.at(full[arm]) for arm, (line, _) in lines.items()}
    error = max(error for _, error in lines.values())
    if error > WORST_CHECK_ERROR or min(seconds.values()) <= 0:
        return Dropped(name, against, f"its depths lie on no line (error {100 * error:.0f} %); measure again")
    floors = {arm: _floor_s(depths, found, full[arm], peaks) for arm, found in series.items()}
    known = {arm: floor for arm, floor in floors.items() if floor}
    return Gain(
        machine=describe(kind),
        benchmark=benchmark,
        scale=full_depth_id(str(moe.params["scale"])),
        params=moe.params,
        against=against,
        metric=moe.metric,
        seconds=seconds,
        rates=moe.rates,
        speedup=_speedup(depths, series[against], series[PRIMARY], (full[against], full[PRIMARY])),
        predicted=known[against] / known[PRIMARY] if len(known) == len(floors) else None,
        floor_share={arm: floor / seconds[arm] for arm, floor in known.items()},
        distinct_experts=moe.facts.get("distinct_experts"),
        depths=depths,
        check_error=error,
        is_overstated=(kind["device"], kind["dtype"], benchmark) in OVERSTATED,
    )


def _line(depths: Sequence[int], values: Sequence[float]) -> tuple[Line, float]:
    """Return what a value is at any depth, and the line's error; of the whole model it is the value."""
    return fit(dict(zip(depths, values, strict=True))) if depths else (Line(values[0], 0.0), 0.0)


def _floor_s(depths: Sequence[int], series: Sequence[ArmSeries], full: int, peaks: Mapping[str, float]) -> float | None:
    """Return the least time that the peaks allow the whole model; None without costs or peaks.

    The work of each part is a line in the depth; the time is not, where a part passes from one limit to the other.
    """
    works = [_work(one) for one in series]
    if not all(works):
        return None
    parts = [
        [_line(depths, [part[unit] for part in same_part])[0].at(full) for unit in (0, 1)]
        for same_part in zip(*works, strict=True)
    ]
    flops, moved = (sum(part[unit] for part in parts) for unit in (0, 1))
    return floor_s({"flops": flops, "bytes": moved, "parts": parts}, peaks)


def _work(series: ArmSeries) -> Sequence[Sequence[float]]:
    """Return FLOPs and bytes of each part; of work that is not known in parts, of all of it."""
    cost = series.cost or {}
    return cost.get("parts") or ([(cost["flops"], cost["bytes"])] if cost else [])


def _speedup(
    depths: Sequence[int], other: Sequence[ArmSeries], moe: Sequence[ArmSeries], full: tuple[int, int]
) -> Interval:
    """Return the ratio of times with its interval over blocks, those of one launch; of lines by bootstrap."""
    if not depths:
        ratios = block_log_ratios(other[0].launches[-1].samples, moe[0].launches[-1].samples)
        return Interval(*map(math.exp, median_interval(ratios)))
    rng = np.random.default_rng(SEED)
    drawn = [_resampled_medians(rng, a, b) for a, b in zip(other, moe, strict=True)]  # (2, resamples) by depth
    low, high = depths[0], depths[-1]
    first, last = drawn[0], drawn[-1]
    at_full = first + (last - first) * ((np.array(full)[:, None] - low) / (high - low))
    ratios = at_full[0] / at_full[1]
    estimates = [_line(depths, [median_sample(one) for one in found])[0] for found in (other, moe)]
    centre = estimates[0].at(full[0]) / estimates[1].at(full[1])
    return Interval(centre, *(float(limit) for limit in np.percentile(ratios, LIMITS)))


def _resampled_medians(rng: np.random.Generator, *arms: ArmSeries) -> NDArray[np.float64]:
    """Return the medians of resampled blocks, the same blocks of every arm, (arms, resamples)."""
    samples = np.array([arm.launches[-1].samples for arm in arms])
    chosen = rng.integers(samples.shape[1], size=(NUM_RESAMPLES, samples.shape[1]))
    medians: NDArray[np.float64] = np.median(samples[:, chosen], axis=2)
    return medians
