"""The page on other engines: each of our models beside its peer, how they compare on the whole, and what else ran."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean

from bench.gate.stats import Interval, median_interval
from bench.harness.arms import PEER
from bench.harness.documents import document_of
from bench.harness.forms import checked
from bench.harness.record import ArmSeries, Record, Scenario
from bench.pages.grouping import grouped
from bench.pages.provenance import sources
from bench.pages.samples import quotient, samples_of
from bench.pages.write import Content

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


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Pairs of one processor, benchmark, dtype, peer and model."""

    first: Pair  # for what they share
    pairs: list[Pair]
    mean: float  # geometric


def peers_page(records: Mapping[Path, Record]) -> Content:
    """Return what the page holds.

    Raises:
        ValueError: No record has an arm of a peer beside the model that it is of.
    """
    pairs = [pair for path, record in records.items() for pair in _pairs(path, record)]
    if not pairs:
        raise ValueError(
            "records must hold arms of peers, as llama.cpp/moe, got none; run pytest bench/bench_decode.py "
            "--routing weights where one is installed"
        )
    alike = grouped(
        pairs, lambda pair: (pair.processor, pair.benchmark, pair.dtype, pair.threads, pair.peer, pair.model)
    )
    facts = {
        "pairs": pairs,
        "summaries": [Summary(first=part[0], pairs=part, mean=geometric_mean(_ratios(part))) for part in alike],
        "peers": sorted({pair.peer for pair in pairs}),
        "loads": [value for pair in pairs for value in pair.load],
        "sources": sources(records),
    }
    return Content("peers/template.md", facts, {"pairs": pairs}, {})


def _ratios(pairs: list[Pair]) -> list[float]:
    return [pair.theirs_over_ours.estimate for pair in pairs]


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
