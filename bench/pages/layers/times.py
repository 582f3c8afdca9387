"""Decoder layers in records: seconds of a layer and of its parts, what its routing did, and what that predicts.

All times are of one layer: those of a pass through all layers over their number.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.gate.stats import Interval, median_interval
from bench.harness.arms import ANCHOR, PRIMARY
from bench.harness.environment import describe
from bench.harness.peaks import Cost, floor_s
from bench.harness.record import ArmSeries, Record, Scenario

BENCHMARK = "bench_layers["
PARTS = {True: ("attention", "norms", "router", "experts"), False: ("attention", "norms", "ffn")}  # by: is it an MoE's
EXPERTS = {is_moe: names[-1] for is_moe, names in PARTS.items()}  # what the experts are called, or the dense one
LAYER, ENDS = "layers", "ends"
UNIFORM = "uniform"  # routing, and the arm whose parts run under it beside steered ones
COST, PEAKS = ("flops", "bytes"), ("matmul_flop_per_s", "copy_byte_per_s")  # what a prediction takes


@dataclass(frozen=True, kw_only=True)
class LayerTimes:
    """One arm of one scenario: seconds of a layer and of its parts, by block.

    Args:
        scenario: Its id.
        arm: The model.
        params: Axes of the scenario.
        facts: What routing did.
        samples: Part -> seconds of all layers, one a block of any of the record's launches; "" is the whole pass.
        uniform: The same under uniform routing in the same blocks, of a steered MoE and the parts that routing touches.
        costs: Part -> work that it cannot do without in all layers; "uniform/experts" is that under uniform routing.
        peaks: Of the machine, in the same run.
    """

    scenario: str
    arm: str
    params: Mapping[str, object]
    facts: Mapping[str, float]
    samples: Mapping[str, Sequence[float]]
    uniform: Mapping[str, Sequence[float]]
    costs: Mapping[str, Cost]
    peaks: Mapping[str, float]

    @property
    def is_moe(self) -> bool:
        """Tell whether the arm has experts."""
        return self.arm == PRIMARY

    @property
    def scale(self) -> str:
        """Name the preset, and the layers that were built of it."""
        depth, full = (int(self.facts[name]) for name in ("depth", f"full_depth_{PRIMARY}"))
        return self.preset if depth == full else f"{self.preset}, {depth} of {full} layers"

    @property
    def routing(self) -> str:
        """Name the routing profile."""
        return str(self.params["routing"])

    @property
    def phase(self) -> str:
        """Name the phase."""
        return str(self.params["phase"])

    @property
    def length(self) -> str:
        """Return the prompt's length in tokens, or "natural"."""
        return str(self.params["seq_len"])

    @property
    def preset(self) -> str:
        """Name the preset."""
        return str(self.params["scale"]).partition("@")[0]

    @property
    def place(self) -> tuple[str, ...]:
        """Name what was run: scale, phase, batch and length."""
        return (self.scale, self.phase, str(self.batch_size), self.length)

    @property
    def batch_size(self) -> int:
        """Return the samples of a pass."""
        return int(str(self.params["batch_size"]))

    def seconds(self, part: str) -> Interval:
        """Return the seconds of a part in one layer: median over blocks with its 95 % interval."""
        return median_interval([value / self.facts["depth"] for value in self.samples[part]])

    def over(self, parts: Iterable[str], whole: str) -> Interval:
        """Return what parts take together over what their whole takes, in the same block."""
        sums = map(sum, zip(*(self.samples[part] for part in parts), strict=True))
        return median_interval([total / one for total, one in zip(sums, self.samples[whole], strict=True)])

    @property
    def parts_over_layer(self) -> Interval:
        """Return the sum of a layer's parts over the layer."""
        return self.over(PARTS[self.is_moe], LAYER)

    @property
    def layers_over_pass(self) -> Interval:
        """Return layers and ends over the whole pass."""
        return self.over((LAYER, ENDS), "")

    def over_uniform(self, part: str) -> Interval | None:
        """Return a part's time over its own under uniform routing in the same block; None where that did not run."""
        if part not in self.uniform:
            return None
        return median_interval([a / b for a, b in zip(self.samples[part], self.uniform[part], strict=True)])

    def floor_share(self, part: str) -> float | None:
        """Return the least time of a part over the time that it took; None where its work is not counted."""
        floor = floor_s(self.costs.get(part), self.peaks)
        return None if not floor else floor / self.facts["depth"] / self.seconds(part).estimate

    @property
    def read_bytes(self) -> float:
        """Return the bytes of the experts that a layer's pass hit."""
        return float(self.costs[EXPERTS[self.is_moe]]["bytes"]) / self.facts["depth"]

    @property
    def predicted_s(self) -> float | None:
        """Return the least seconds of a layer's experts, or None where the routing has no closed form.

        Those expected to be hit are read at the copy peak, or their products computed at the matmul peak: the longer.
        """
        if "expected_distinct_experts" not in self.facts:
            return None
        cost = self.costs["experts"]
        share = self.facts["expected_distinct_experts"] / self.facts["distinct_experts"]
        floor = floor_s({"flops": cost["flops"], "bytes": share * cost["bytes"]}, self.peaks)
        return None if floor is None else floor / self.facts["depth"]


def holds_layers(record: Record) -> bool:
    """Tell whether a record has a scenario of bench_layers."""
    return any(name.startswith(BENCHMARK) for name in record.scenarios)


def read_layers(records: Iterable[Record]) -> list[LayerTimes]:
    """Return the arms of every bench_layers scenario, in the order of scale, phase, batch, length and specialization.

    Raises:
        ValueError: The records have none, two have the same, they are of several kinds of machine, or one lacks the
            cost or the peaks that a prediction takes.
    """
    found = [record for record in records if holds_layers(record)]
    layers = [
        _layer(scenario, arm, record.peaks)
        for record in found
        for scenario in record.scenarios.values()
        if scenario.id.startswith(BENCHMARK)
        for arm in scenario.arms
        if arm != ANCHOR and "/" not in arm
    ]
    if not layers:
        raise ValueError(f"records must hold scenarios of {BENCHMARK[:-1]}, got none; run pytest bench/bench_layers.py")
    _check_comparable(found, layers)
    return sorted(layers, key=_order)


def _check_comparable(records: Sequence[Record], layers: Sequence[LayerTimes]) -> None:
    """Refuse layers that a page would lay over each other, or divide across machines."""
    kinds = {describe(record.kind) for record in records}
    if len(kinds) > 1:
        raise ValueError(f"a page must be of one kind of machine, got {'; '.join(sorted(kinds))}; write one for each")
    held = Counter(f"{layer.scenario} {layer.arm}" for layer in layers)
    if twice := sorted(name for name, number in held.items() if number > 1):
        raise ValueError(
            f"each scenario must be in one record alone, got {twice[0]} in several; name the one that is to count"
        )


def _layer(scenario: Scenario, arm: str, peaks: Mapping[str, float]) -> LayerTimes:
    series = {"": scenario.arms[arm], **_parts_of(arm, scenario)}
    beside = _parts_of(UNIFORM, scenario) if arm == PRIMARY else {}
    costs = {name: part.cost for name, part in series.items() if part.cost}
    costs |= {f"{UNIFORM}/{name}": part.cost for name, part in beside.items() if part.cost}
    whole, experts = series[""], costs.get(EXPERTS[arm == PRIMARY], {})
    for what, names, found in (("cost", COST, experts), ("peaks", PEAKS, peaks)):
        if missing := [name for name in names if name not in found]:
            raise ValueError(
                f"{scenario.id} {arm} must have the {what} {', '.join(names)}, got none for {', '.join(missing)}; "
                "measure it again with pytest bench/bench_layers.py"
            )
    return LayerTimes(
        scenario=scenario.id,
        arm=arm,
        params=whole.params,
        facts=whole.facts,
        samples={name: _samples(part) for name, part in series.items()},
        uniform={name: _samples(part) for name, part in beside.items()},
        costs=costs,
        peaks=peaks,
    )


def _parts_of(arm: str, scenario: Scenario) -> dict[str, ArmSeries]:
    """Return the parts of an arm by their own names."""
    prefix = f"{arm}/"
    return {name.removeprefix(prefix): one for name, one in scenario.arms.items() if name.startswith(prefix)}


def _samples(series: ArmSeries) -> list[float]:
    """Return one value a block of any of the record's launches."""
    return [one for launch in series.launches for one in launch.samples]


def _order(layer: LayerTimes) -> tuple[object, ...]:
    place = (len(layer.scale), layer.scale, layer.phase, layer.batch_size, len(layer.length), layer.length)
    return (*place, layer.facts["msi"], layer.scenario, not layer.is_moe, layer.arm)
