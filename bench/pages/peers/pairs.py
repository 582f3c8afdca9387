"""One of our models beside something else that does its work, in the same blocks: other engines, other ways."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.gate.stats import Interval, median_interval
from bench.harness.arms import PEER
from bench.harness.documents import document_of
from bench.harness.forms import checked
from bench.harness.record import ArmSeries, Record, Scenario
from bench.pages.samples import quotient, samples_of

AXES = ("scale", "batch_size", "seq_len")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One of our models beside a peer of it, in one scenario.

    Args:
        peer: "llama.cpp" or "vllm".
        model: our arm.
        benchmark: what was measured.
        scenario: its id.
        scale: preset, and layers if not all.
        batch_size: samples.
        seq_len: tokens of a prompt.
        processor: that it was measured on.
        dtype: of the weights.
        threads: of both.
        ours_s: of one unit, the median over blocks.
        theirs_s: likewise.
        theirs_over_ours: the median over blocks, with its 95 % interval; below 1 the peer is faster.
        blocks: that the medians are of.
        load: of the machine, the mean of a minute, as the run began and ended.
        record: where it is from.
    """

    peer: str
    model: str
    benchmark: str
    scenario: str
    scale: str
    batch_size: str
    seq_len: str
    processor: str
    dtype: str
    threads: int
    ours_s: float
    theirs_s: float
    theirs_over_ours: Interval
    blocks: int
    load: tuple[float, ...]
    record: str


def pairs_of(records: Mapping[Path, Record]) -> list[Pair]:
    """Return the pairs of records, scenario after scenario."""
    return [pair for path, record in records.items() for pair in _pairs(path, record)]


def _pairs(path: Path, record: Record) -> list[Pair]:
    """Return the pairs of a record, scenario after scenario."""
    found = []
    for scenario in record.scenarios.values():
        for arm, series in scenario.arms.items():
            peer, _, model = arm.partition(PEER)
            if model in scenario.arms and samples_of(series):
                found.append(_pair(path, record, scenario, peer, scenario.arms[model], series))
    return found


def _pair(path: Path, record: Record, scenario: Scenario, peer: str, ours: ArmSeries, theirs: ArmSeries) -> Pair:
    with document_of(path, remedy="measure it again"):
        loads = checked(record.launch.get("load_average", []), list[list[float]])
        axis = {name: ours.axis(name) for name in AXES}
    return Pair(
        peer=peer,
        model=ours.arm,
        benchmark=scenario.id.partition("[")[0],
        scenario=scenario.id,
        **axis,
        processor=str(record.kind["device_model"]),
        dtype=str(record.kind["dtype"]),
        threads=record.kind["num_threads"],
        ours_s=median_interval(samples_of(ours)).estimate,
        theirs_s=median_interval(samples_of(theirs)).estimate,
        theirs_over_ours=quotient(samples_of(theirs), samples_of(ours)),
        blocks=len(samples_of(ours)),
        load=tuple(round(averages[0], 1) for averages in loads if averages),
        record=path.as_posix(),
    )
