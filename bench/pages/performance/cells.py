"""Scenarios that were measured beside other projects' code, as cells: our time, theirs, and the floor."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.gate.stats import Interval, median_interval
from bench.harness.arms import ANCHOR, DENSE, PRIMARY
from bench.harness.metrics import METRICS
from bench.harness.peaks import floor_s
from bench.harness.record import Record, Scenario
from bench.harness.wording import counted
from bench.pages import grouping

EXPERTS, DECODE = "bench_experts", "bench_decode_peers"
SIZES = {EXPERTS: "num_tokens", DECODE: "batch_size"}  # benchmark -> the axis that its tables run over
QUIET, CONTENDED, UNTOLD = "quiet", "contended", ""  # what else ran on the machine
OURS = (ANCHOR, PRIMARY, *DENSE)  # whatever else is in a scenario is another project's


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One scenario of one record.

    Args:
        scenario: Its id.
        source: The record.
        condition: QUIET, CONTENDED or UNTOLD.
        machine: Its device and the threads used.
        dtype: Of the model.
        params: Axes of the scenario.
        metric: Name of what was measured, in seconds.
        num_units: Layers, or tokens of a sample, of a call.
        samples: Arm -> seconds of one unit, one a block of any of the record's launches.
        least_s: That the peaks of the same run allow our unit; None where they or the work are not known.
    """

    scenario: str
    source: Path
    condition: str
    machine: str
    dtype: str
    params: Mapping[str, object]
    metric: str
    num_units: float
    samples: Mapping[str, Sequence[float]]
    least_s: float | None

    @property
    def benchmark(self) -> str:
        """Name what was measured: EXPERTS or DECODE."""
        return self.scenario.partition("[")[0]

    @property
    def scale(self) -> str:
        """Name the preset, and after @ the layers that were built where these are not all."""
        return str(self.params["scale"])

    @property
    def size(self) -> int:
        """Return the tokens of a layer's call, or the samples of a batch."""
        return int(str(self.params[SIZES[self.benchmark]]))

    @property
    def key(self) -> tuple[str, ...]:
        """Return what two measurements of the same have in common."""
        return (self.condition, self.machine, self.dtype, self.scenario)

    @property
    def peers(self) -> list[str]:
        """Name the arms that are other projects'."""
        return [arm for arm in self.samples if arm not in OURS]

    @property
    def best(self) -> str | None:
        """Name the fastest of the peers; None where none was measured."""
        return min(self.peers, key=self.seconds, default=None)

    @property
    def over_best(self) -> Interval | None:
        """Return the time of the fastest peer over ours; None where none was measured."""
        return self.over_ours(self.best) if self.best else None

    @property
    def floor_share(self) -> float | None:
        """Return the least time over ours; None where it is not known."""
        return self.least_s / self.seconds(PRIMARY) if self.least_s else None

    def seconds(self, arm: str) -> float:
        """Return an arm's median over blocks."""
        return median_interval(self.samples[arm]).estimate

    def over_ours(self, arm: str) -> Interval:
        """Return an arm's time over ours in the same block: median over blocks with its 95 % interval."""
        return median_interval([a / b for a, b in zip(self.samples[arm], self.samples[PRIMARY], strict=True)])

    def show(self, seconds: float) -> str:
        """Write a time of this cell's metric."""
        return METRICS[self.metric].display(seconds)


def condition_of(path: Path) -> str:
    """Return what else ran while a record was measured, as a word of its file's name tells.

    The record itself holds the number of threads, but no word on other work: its load averages count its own threads,
    and those of quiet records overlap with those of contended ones.

    >>> condition_of(Path("docs/records/experts-quiet-wide-float32.json")), condition_of(Path("experts-h200.json"))
    ('quiet', '')
    """
    return next((word for word in path.stem.split("-") if word in (QUIET, CONTENDED)), UNTOLD)


def read_cells(records: Mapping[Path, Record]) -> list[Cell]:
    """Return the cells of all records, in the order in which these were started; scenarios without a sample give none.

    Raises:
        ValueError: There is no scenario of the two benchmarks.
    """
    in_order = sorted(records.items(), key=lambda item: str(item[1].launch.get("started", "")))
    of_ours = [(path, record, one) for path, record in in_order for one in record.scenarios.values() if _is_ours(one)]
    if not of_ours:
        raise ValueError(
            f"records must hold scenarios of {EXPERTS} or {DECODE}, got none; "
            "run pytest bench/bench_experts.py or pytest bench/decode_peers.py"
        )
    return [_cell(path, record, one) for path, record, one in of_ours if _samples(one, PRIMARY)]


def voided(record: Record) -> list[str]:
    """Name the scenarios of the two benchmarks that have no sample."""
    return [one.id for one in record.scenarios.values() if _is_ours(one) and not _samples(one, PRIMARY)]


def once(cells: Iterable[Cell]) -> list[Cell]:
    """Keep the first measurement of each scenario: which one counts is settled before its result is known."""
    first: dict[tuple[str, ...], Cell] = {}
    for cell in cells:
        first.setdefault(cell.key, cell)
    return list(first.values())


def grouped(cells: Iterable[Cell], key: Callable[[Cell], tuple[str, ...]]) -> list[list[Cell]]:
    """Part cells by a key, in its order; within a group they keep theirs."""
    return grouping.grouped(sorted(cells, key=key), key)


def _is_ours(scenario: Scenario) -> bool:
    return scenario.id.partition("[")[0] in SIZES


def _cell(path: Path, record: Record, scenario: Scenario) -> Cell:
    ours = scenario.arms[PRIMARY]
    return Cell(
        scenario=scenario.id,
        source=path,
        condition=condition_of(path),
        machine=f"{record.kind['device_model']}, {counted(record.kind['num_threads'], 'thread')}",
        dtype=str(record.kind["dtype"]),
        params=ours.params,
        metric=ours.metric,
        num_units=ours.num_units,
        samples={arm: _samples(scenario, arm) for arm in scenario.arms if arm != ANCHOR},
        least_s=floor_s(ours.cost, record.peaks),
    )


def _samples(scenario: Scenario, arm: str) -> list[float]:
    """Return one value a block of any of the record's launches."""
    return [sample for launch in scenario.arms[arm].launches for sample in launch.samples]
