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
from bench.pages.samples import quotient, samples_of

BENCHMARK = "bench_layers["
PARTS = {True: ("attention", "norms", "router", "experts"), False: ("attention", "norms", "ffn")}  # by: is it an MoE's
LAYER, ENDS = "layers", "ends"
UNIFORM = "uniform"  # routing, and the arm whose parts run under it beside steered ones


@dataclass(frozen=True, kw_only=True)
class LayerTimes:
    """One arm of one scenario: seconds of a layer and of its parts, by block."""

    scenario: str  # its id
    arm: str
    preset: str
    scale: str  # the preset, and the layers that were built of it
    phase: str
    batch_size: int
    length: str  # the prompt's in tokens, or "natural"
    routing: str
    params: Mapping[str, object]  # the scenario's axes, those above among them
    facts: Mapping[str, float]  # what routing did
    samples: Mapping[str, Sequence[float]]  # part -> seconds of all layers, one a block; "" is the whole pass
    uniform: Mapping[str, Sequence[float]]  # the same under uniform routing in the same blocks, beside a steered MoE
    costs: Mapping[str, Cost]  # part -> work that it cannot do without in all layers
    peaks: Mapping[str, float]  # of the machine, in the same run

    @property
    def is_moe(self) -> bool:
        """Tell whether the arm has experts."""
        return self.arm == PRIMARY

    def seconds(self, part: str) -> Interval:
        """Return the seconds of a part in one layer: median over blocks with its 95 % interval."""
        return median_interval([value / self.facts["depth"] for value in self.samples[part]])

    def over(self, parts: Iterable[str], whole: str) -> Interval:
        """Return what parts take together over what their whole takes, in the same block."""
        sums = map(sum, zip(*(self.samples[part] for part in parts), strict=True))
        return quotient(list(sums), self.samples[whole])

    def over_uniform(self, part: str) -> Interval | None:
        """Return a part's time over its own under uniform routing in the same block; None where that did not run."""
        return quotient(self.samples[part], self.uniform[part]) if part in self.uniform else None

    def floor_share(self, part: str) -> float | None:
        """Return the least time of a part over the time that it took; None where its work is not counted."""
        floor = floor_s(self.costs.get(part), self.peaks)
        return None if not floor else floor / self.facts["depth"] / self.seconds(part).estimate

    @property
    def predicted_s(self) -> float | None:
        """Return the least seconds of a layer's experts, None where the routing has no closed form or work is unknown.

        Those expected to be hit are read at the read peak, or their products computed at the matmul peak: the longer.
        """
        if "expected_distinct_experts" not in self.facts or "experts" not in self.costs:
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
        ValueError: The records have none, two have the same, or they are of several kinds of machine.
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
        raise ValueError(f"records must hold scenarios of {BENCHMARK[:-1]}, got none; measure some")
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
    whole, parts = scenario.arms[arm], _parts_of(arm, scenario)
    preset = whole.axis("scale").partition("@")[0]
    depth, full = (int(whole.facts[name]) for name in ("depth", f"full_depth_{PRIMARY}"))
    beside = _parts_of(UNIFORM, scenario) if arm == PRIMARY else {}
    return LayerTimes(
        scenario=scenario.id,
        arm=arm,
        preset=preset,
        scale=preset if depth == full else f"{preset}, {depth} of {full} layers",
        phase=whole.axis("phase"),
        batch_size=whole.size("batch_size"),
        length=whole.axis("seq_len"),
        routing=whole.axis("routing"),
        params=whole.params,
        facts=whole.facts,
        samples={name: samples_of(part) for name, part in {"": whole, **parts}.items()},
        uniform={name: samples_of(part) for name, part in beside.items()},
        costs={name: part.cost for name, part in parts.items() if part.cost},
        peaks=peaks,
    )


def _parts_of(arm: str, scenario: Scenario) -> dict[str, ArmSeries]:
    """Return the parts of an arm by their own names."""
    prefix = f"{arm}/"
    return {name.removeprefix(prefix): one for name, one in scenario.arms.items() if name.startswith(prefix)}


def _order(layer: LayerTimes) -> tuple[object, ...]:
    place = (len(layer.scale), layer.scale, layer.phase, layer.batch_size, len(layer.length), layer.length)
    return (*place, layer.facts["msi"], layer.scenario, not layer.is_moe, layer.arm)
