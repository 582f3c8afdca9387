"""Scenarios that were measured beside other projects' code, as points: our time, theirs, and the floor."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.gate.stats import Interval, median_interval
from bench.harness.arms import ANCHOR, DENSE, PRIMARY
from bench.harness.documents import document_of
from bench.harness.peaks import floor_s
from bench.harness.record import Record, Scenario
from bench.pages.machines import with_best_peaks
from bench.pages.samples import quotient, samples_of

EXPERTS, DECODE = "bench_experts", "bench_decode_peers"
SIZES = {EXPERTS: "num_tokens", DECODE: "batch_size"}  # benchmark -> the axis that its tables run over
AXES = {EXPERTS: ("routing", "backend"), DECODE: ("scale", "workload", "seq_len", "routing")}  # that group its rows
CONDITIONS = ("quiet", "contended", "")  # what else ran on the machine; last: not told
OURS = (ANCHOR, PRIMARY, *DENSE)  # whatever else is in a scenario is another project's


@dataclass(frozen=True, kw_only=True)
class Point:
    """One scenario of one record: a row of a table.

    Args:
        condition: one of CONDITIONS.
        device: its model.
        threads: that ours and theirs used.
        dtype: of the model.
        axis: axes of the scenario, by name.
        units: layers, or tokens of a sample, of a call.
        blocks: that the medians are of, of any of the record's launches.
        seconds: of one unit, the median over blocks, by arm.
        floor_s: seconds that the machine's best peaks allow our unit; None where they or the work are not known.
        floor_percent: of our seconds; likewise.
        best: the fastest of other projects' arms; None where none was measured.
        theirs_over_ours: its time over ours, the median over blocks with its 95 % interval.
        dense_over_ours: the same of our dense arms.
        again: whether the same was measured before, so that no summary counts this.
        record: where it is from.
        scenario: its id.
    """

    condition: str
    device: str
    threads: int
    dtype: str
    axis: Mapping[str, object]
    units: float
    blocks: int
    seconds: Mapping[str, float]
    floor_s: float | None
    floor_percent: float | None
    best: str | None
    theirs_over_ours: Interval | None
    dense_over_ours: Mapping[str, Interval]
    again: bool = False
    record: str
    scenario: str

    @property
    def benchmark(self) -> str:
        """Name what was measured: EXPERTS or DECODE."""
        return self.scenario.partition("[")[0]

    @property
    def size(self) -> int:
        """Return the tokens of a layer's call, or the samples of a batch."""
        return int(str(self.axis[SIZES[self.benchmark]]))


def condition_of(path: Path) -> str:
    """Return what else ran while a record was measured, as a word of its file's name tells.

    The record itself has no word on other work: its load averages count its own threads.

    >>> condition_of(Path("docs/records/experts-quiet-wide-float32.json")), condition_of(Path("experts-h200.json"))
    ('quiet', '')
    """
    return next((word for word in path.stem.split("-") if word in CONDITIONS), "")


def read_points(records: Mapping[Path, Record]) -> list[Point]:
    """Return the points of all records, as tables order them; scenarios without a sample give none.

    Which of two measurements counts is settled before its result is known: the one that was started first.

    Raises:
        ValueError: There is no scenario of the two benchmarks.
        CorruptRecord: One of them lacks an axis that its rows are grouped by.
    """
    by_best = zip(records, with_best_peaks(list(records.values())), strict=True)
    in_order = sorted(by_best, key=lambda item: str(item[1].launch.get("started", "")))
    held = [(path, record, one) for path, record in in_order for one in record.scenarios.values() if _is_ours(one)]
    if not held:
        raise ValueError(
            f"records must hold scenarios of {EXPERTS} or {DECODE}, got none; "
            "run pytest bench/bench_experts.py or pytest bench/decode_peers.py"
        )
    seen: set[tuple[object, ...]] = set()
    points = []
    for point in (_point(path, record, one) for path, record, one in held if samples_of(one.arms[PRIMARY])):
        key = (point.condition, point.device, point.threads, point.dtype, point.scenario)
        points.append(replace(point, again=key in seen))
        seen.add(key)
    return sorted(points, key=_place)


def voided(record: Record) -> list[str]:
    """Name the scenarios of the two benchmarks that have no sample."""
    return [one.id for one in record.scenarios.values() if _is_ours(one) and not samples_of(one.arms[PRIMARY])]


def _is_ours(scenario: Scenario) -> bool:
    return scenario.id.partition("[")[0] in SIZES


def _place(point: Point) -> tuple[object, ...]:
    """Order by where and of what; presets stay in the order of their measurement."""
    return (CONDITIONS.index(point.condition), point.device, point.threads, point.dtype, point.size)


def _point(path: Path, record: Record, scenario: Scenario) -> Point:
    ours = scenario.arms[PRIMARY]
    benchmark = scenario.id.partition("[")[0]
    with document_of(path, remedy="measure it again"):
        grouping = {name: ours.axis(name) for name in AXES[benchmark]} | {SIZES[benchmark]: ours.size(SIZES[benchmark])}
    samples = {arm: samples_of(series) for arm, series in scenario.arms.items() if arm != ANCHOR}
    seconds = {arm: median_interval(values).estimate for arm, values in samples.items()}
    best = min((arm for arm in samples if arm not in OURS), key=seconds.__getitem__, default=None)
    least = floor_s(ours.cost, record.peaks)
    return Point(
        condition=condition_of(path),
        device=str(record.kind["device_model"]),
        threads=record.kind["num_threads"],
        dtype=str(record.kind["dtype"]),
        axis={**ours.params, **grouping},
        units=ours.num_units,
        blocks=len(samples[PRIMARY]),
        seconds=seconds,
        floor_s=least,
        floor_percent=100 * least / seconds[PRIMARY] if least else None,
        best=best,
        theirs_over_ours=quotient(samples[best], samples[PRIMARY]) if best else None,
        dense_over_ours={arm: quotient(samples[arm], samples[PRIMARY]) for arm in samples if arm in DENSE},
        record=path.as_posix(),
        scenario=scenario.id,
    )
