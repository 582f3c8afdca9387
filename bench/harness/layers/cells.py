"""Decoder layers in records: seconds of a layer and of its parts, what its routing did, and what that predicts.

All times are of one layer: those of a pass through all layers over their number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.harness.paired import ANCHOR, PRIMARY
from bench.harness.record import ArmSeries, Record, Scenario
from bench.harness.stats import Interval, median_interval

BENCHMARK = "bench_layers["
PARTS = {True: ("attention", "norms", "router", "experts"), False: ("attention", "norms", "ffn")}  # by: is it an MoE's
LAYER, ENDS = "layers", "ends"
COST, PEAKS = ("flops", "bytes"), ("matmul_flop_per_s", "copy_byte_per_s")  # what a prediction takes


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One arm of one scenario: seconds of a layer and of its parts, by block.

    Args:
        record: Its place among those that were read: the same scenario of two records is two measurements.
        scenario: Its id.
        arm: The model.
        params: Axes of the scenario.
        facts: What routing did.
        samples: Part -> seconds of all layers, one a block of any of the record's launches; "" is the whole pass.
        cost: FLOPs and bytes that the experts, or the dense feed-forward, cannot do without in all layers.
        peaks: Of the machine, in the same run.
    """

    record: int
    scenario: str
    arm: str
    params: Mapping[str, object]
    facts: Mapping[str, float]
    samples: Mapping[str, Sequence[float]]
    cost: Mapping[str, float]
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
    def preset(self) -> str:
        """Name the preset."""
        return str(self.params["scale"]).partition("@")[0]

    @property
    def place(self) -> tuple[str, ...]:
        """Name what was run: scale, phase, batch and length."""
        return (self.scale, *(str(self.params[axis]) for axis in ("phase", "batch_size", "seq_len")))

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

    @property
    def read_bytes(self) -> float:
        """Return the bytes of the experts that a layer's pass hit."""
        return self.cost["bytes"] / self.facts["depth"]

    @property
    def predicted_s(self) -> float | None:
        """Return the least seconds of a layer's experts, or None where the routing has no closed form.

        Those expected to be hit are read at the copy peak, or their products computed at the matmul peak: the longer.
        """
        if "expected_distinct_experts" not in self.facts:
            return None
        share = self.facts["expected_distinct_experts"] / self.facts["distinct_experts"]
        floors = (
            self.cost["flops"] / self.peaks["matmul_flop_per_s"],
            share * self.cost["bytes"] / self.peaks["copy_byte_per_s"],
        )
        return max(floors) / self.facts["depth"]


def read_cells(records: Iterable[Record]) -> list[Cell]:
    """Return the arms of every bench_layers scenario, in the order of scale, phase, batch, length and specialization.

    Raises:
        ValueError: The records have none, or one lacks the cost or the peaks that a prediction takes.
    """
    cells = [
        _cell(number, scenario, arm, record.peaks)
        for number, record in enumerate(records)
        for scenario in record.scenarios.values()
        if scenario.id.startswith(BENCHMARK)
        for arm in scenario.arms
        if arm != ANCHOR and "/" not in arm
    ]
    if not cells:
        raise ValueError(f"records must hold scenarios of {BENCHMARK[:-1]}, got none; run pytest bench/bench_layers.py")
    return sorted(cells, key=_order)


def _cell(record: int, scenario: Scenario, arm: str, peaks: Mapping[str, float]) -> Cell:
    series: dict[str, ArmSeries] = {
        name.removeprefix(arm).removeprefix("/"): found
        for name, found in scenario.arms.items()
        if name == arm or name.startswith(f"{arm}/")
    }
    whole, cost = series[""], series["experts" if arm == PRIMARY else "ffn"].cost or {}
    for what, names, found in (("cost", COST, cost), ("peaks", PEAKS, peaks)):
        if missing := [name for name in names if name not in found]:
            raise ValueError(
                f"{scenario.id} {arm} must have the {what} {', '.join(names)}, got none for {', '.join(missing)}; "
                "measure it again with pytest bench/bench_layers.py"
            )
    return Cell(
        record=record,
        scenario=scenario.id,
        arm=arm,
        params=whole.params,
        facts=whole.facts,
        samples={name: [one for launch in part.launches for one in launch.samples] for name, part in series.items()},
        cost=cost,
        peaks=peaks,
    )


def _order(cell: Cell) -> tuple[object, ...]:
    length = str(cell.params["seq_len"])
    place = (len(cell.scale), cell.scale, str(cell.params["phase"]), cell.batch_size, len(length), length)
    return (*place, cell.facts["msi"], cell.scenario, cell.record, not cell.is_moe, cell.arm)
