"""The page on other engines: each of our models beside its peer, how they compare on the whole, and what else ran."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean

from bench.harness.record import Record
from bench.harness.wording import span
from bench.pages.engine import ratio
from bench.pages.grouping import grouped
from bench.pages.peers.pairs import Pair, pairs_of
from bench.pages.provenance import sources
from bench.pages.write import Content


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Pairs of one processor, benchmark, dtype, number of threads and peer."""

    first: Pair  # for what they share
    models: Mapping[str, list[Pair]]  # beside each of our models


def peers_page(records: Mapping[Path, Record]) -> Content:
    """Return what the page holds.

    Raises:
        ValueError: No record has an arm of a peer beside the model that it is of.
    """
    pairs = pairs_of(records)
    if not pairs:
        raise ValueError(
            "records must hold arms of peers, as llama.cpp/moe, got none; run pytest bench/bench_decode.py "
            "--routing weights where one is installed"
        )
    alike = grouped(pairs, lambda pair: (pair.processor, pair.benchmark, pair.dtype, pair.threads, pair.peer))
    facts = {
        "pairs": pairs,
        "summaries": [Summary(first=part[0], models=_by_model(part)) for part in alike],
        "models": list(_by_model(pairs)),
        "mean_and_span": _mean_and_span,
        "peers": sorted({pair.peer for pair in pairs}),
        "loads": [value for pair in pairs for value in pair.load],
        "sources": sources(records),
    }
    return Content("peers/template.md", facts, {"pairs": pairs}, {})


def _by_model(pairs: list[Pair]) -> dict[str, list[Pair]]:
    return {part[0].model: part for part in grouped(pairs, lambda pair: pair.model)}


def _mean_and_span(pairs: list[Pair]) -> str:
    """Say the geometric mean of some pairs, with the least and the greatest."""
    ratios = [pair.theirs_over_ours.estimate for pair in pairs]
    parts = [ratio(geometric_mean(ratios)), span(ratios)] if len(ratios) > 1 else [*map(ratio, ratios)]
    return ", ".join(parts)
