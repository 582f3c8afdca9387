"""What a stand-in does to a time: recycled layers, and lines through depths, over whole models in the same blocks.

From records of bench/recycled.py and bench/depths.py.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from bench.gate.intervals import independent_difference
from bench.gate.launch_intervals import another_launch
from bench.gate.stats import Interval, block_log_ratios, median_interval, percent
from bench.harness.arms import PRIMARY, TWIN
from bench.harness.record import Record, Scenario
from bench.harness.recycled import whole_of
from bench.pages.depth_lines import line_errors

PARTS = {"whole answers": ("prefill", "decode")}  # a phase that is not measured whole and recycled
HEADERS = ("stand-in", "arm", "distinct, or line", "its time / whole [95 %]", "launches, blocks")


class Bias(NamedTuple):
    """A stand-in's time over that of the whole model."""

    scenario: str
    arm: str  # of the whole model
    built: tuple[int, ...]  # distinct layers, or the depths of a line
    log_ratio: Interval  # where another launch falls; of one launch, of its blocks
    num_launches: int
    num_blocks: int  # of all launches

    @property
    def phase(self) -> str:
        """Name the phase: the last axis of the scenario."""
        return self.scenario.rstrip("]").rpartition("-")[2]

    @property
    def change(self) -> Interval:
        """Return the share by which the stand-in takes longer than the whole model."""
        return Interval(*map(math.expm1, self.log_ratio))


Biases = Mapping[tuple[str, str, tuple[int, ...]], Bias]  # by phase, arm of the whole model, what was built
BiasOf = Callable[[str, str], Interval | None]  # takes a phase and an arm: the log ratio of its stand-in to the whole


def biases(record: Record) -> list[Bias]:
    """Return the bias of every stand-in, in the order of measurement."""
    return [bias for scenario in record.scenarios.values() for bias in _biases(scenario)]


def _biases(scenario: Scenario) -> Iterator[Bias]:
    for name, series in scenario.arms.items():
        if (known := whole_of(name)) and known.whole in scenario.arms:
            whole = scenario.arms[known.whole]
            pairs = zip(series.launches, whole.launches, strict=True)
            ratios = [block_log_ratios(one.samples, other.samples) for one, other in pairs]
            yield _bias(scenario, known.whole, (known.distinct_layers,), ratios)
    for error in line_errors(scenario):
        yield _bias(scenario, error.arm, error.depths, error.launches)


def _bias(scenario: Scenario, arm: str, built: tuple[int, ...], launches: Sequence[Sequence[float]]) -> Bias:
    found = median_interval(launches[0]) if len(launches) == 1 else another_launch(launches)
    return Bias(scenario.id, arm, built, found, len(launches), sum(map(len, launches)))


def biases_of(records: Iterable[Record]) -> Biases:
    """Return the biases that records measured, at whatever scale; the last counts."""
    found = [bias for record in records for bias in biases(record)]
    return {(bias.phase, bias.arm, bias.built): bias for bias in found}


def with_bias(speedup: Interval, bias_of: BiasOf, phase: str, against: str) -> Interval:
    """Widen the interval of a speed-up by what recycled layers, or a line through depths, may have done to either side.

    Nothing is corrected: the limits move out as far as the bias of the ratio reaches. A rival whose bias was not
    measured has its twin's; a whole answer, a prefill and decode steps, has the larger of theirs. Without any the
    interval stays.
    """
    errors = [Interval(0.0, 0.0, 0.0)]
    for part in PARTS.get(phase, (phase,)):
        moe, rival = bias_of(part, PRIMARY), bias_of(part, against) or bias_of(part, TWIN)
        if moe and rival:
            errors.append(independent_difference(rival, moe))
    low, high = max(error.high for error in errors), min(error.low for error in errors)
    return Interval(speedup.estimate, speedup.low * math.exp(-low), speedup.high * math.exp(-high))


def bias_rows(found: Iterable[Bias]) -> list[tuple[str, ...]]:
    """Lay biases out as rows under HEADERS."""
    return [
        (
            bias.scenario,
            bias.arm,
            ", ".join(map(str, bias.built)),
            Interval(*map(percent, bias.log_ratio)).text("+.1f", " %"),
            f"{bias.num_launches}, {bias.num_blocks}",
        )
        for bias in found
    ]


def bias_values(found: Iterable[Bias]) -> list[dict[str, object]]:
    """Lay biases out as rows of a CSV table."""
    return [
        {
            "scenario": bias.scenario,
            "arm": bias.arm,
            "distinct_layers_or_depths": " ".join(map(str, bias.built)),
            "longer_than_whole_by": bias.change,
            "launches": bias.num_launches,
            "blocks": bias.num_blocks,
        }
        for bias in found
    ]
