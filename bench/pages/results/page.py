"""The page that answers the questions: a template whose results come from records, the same each time."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template

from bench.gate.markdown import bullets_or, escape, folded, picture, table_or
from bench.harness.environment import describe
from bench.harness.record import Record
from bench.pages.layers.sentences import changes
from bench.pages.layers.times import LayerTimes, holds_layers, read_layers
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.page import in_short
from bench.pages.report import machine_line
from bench.pages.results import answers
from bench.pages.results.fares import FARES_HEADERS, fares_rows, tiers_compared, told_apart
from bench.pages.results.gains import Dropped, Found, Gain
from bench.pages.results.sentences import trends
from bench.pages.results.tables import SPEEDUP_HEADERS, WORKLOAD_HEADERS, speedup_rows, workload_rows

TEMPLATE = Path(__file__).with_name("template.md")
NO_GPU = (
    "Nothing above has run on one. There prefill is bound by other things, 7b and 34b run at full depth, and CUDA "
    "graphs take away what a step costs beside its kernels."
)
GPU_RUN = "Another one has other peaks, and with them other floors."
NONE_TOLD_APART = "None."
ABSENT = "Nothing of this is in the records above."


def page(
    records: Mapping[Path, Record], found: Found, fronts: Mapping[str, Tier], figures: Sequence[Path], command: str
) -> str:
    """Fill the template.

    Args:
        records: Of `pytest bench` or of a campaign, by their paths.
        found: What they give.
        fronts: Documents of accuracy and throughput, by tier.
        figures: Of the speed-ups, relative to the page: what is shown, then what is linked below it.
        command: That writes the page.
    """
    gains, dropped = found
    layers = _layers(records.values())
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        command=command,
        throughput=answers.throughput(gains) or ABSENT,
        trends=folded("By length, batch and rival, with intervals", bullets_or(ABSENT, trends(gains))),
        tiers=bullets_or(ABSENT, tiers_compared(fronts)),
        fares=table_or(ABSENT, FARES_HEADERS, fares_rows(fronts.values())),
        told_apart=bullets_or(NONE_TOLD_APART, told_apart(fronts.values())),
        picks="\n".join(in_short(fronts)) or ABSENT,
        latency=" ".join(filter(None, map(answers.latency, layers))) or ABSENT,
        layers=bullets_or(ABSENT, (said for of_kind in layers for said in changes(of_kind))),
        figure=picture("Speed-up over batch size", *figures),
        speedups=table_or(ABSENT, SPEEDUP_HEADERS, speedup_rows(gains)),
        workloads=table_or(ABSENT, WORKLOAD_HEADERS, workload_rows(gains)),
        records="\n".join(
            f"- `{path.as_posix()}`: <sub>{escape(machine_line(record))}</sub>" for path, record in records.items()
        ),
        dropped=_left_out(dropped),
        scales=_scales(gains),
        machines="; ".join(dict.fromkeys(describe(record.kind) for record in records.values())),
        gpu=GPU_RUN if any(record.kind["device"] == "cuda" for record in records.values()) else NO_GPU,
    )


def _layers(records: Iterable[Record]) -> list[list[LayerTimes]]:
    """Return the decoder layers that records tell of, those of each kind of machine apart."""
    kinds: dict[str, list[Record]] = {}
    for record in records:
        if holds_layers(record):
            kinds.setdefault(describe(record.kind), []).append(record)
    return [read_layers(of_kind) for of_kind in kinds.values()]


def _left_out(dropped: Iterable[Dropped]) -> str:
    lines = [f"- `{one.scenario}` against {one.against}: {escape(one.why)}" for one in dropped]
    return "\n".join(["", "Left out:", "", *lines]) if lines else ""


def _scales(gains: Iterable[Gain]) -> str:
    """Say which scales were measured whole and which were extrapolated."""
    whole = sorted({gain.scale for gain in gains if not gain.depths})
    sliced = sorted({gain.scale for gain in gains if gain.depths})
    said = [f"measured with all layers: {', '.join(whole)}"] if whole else []
    said += [f"extrapolated from a few layers of true width: {', '.join(sliced)}"] if sliced else []
    return "; ".join(said) or "none"
