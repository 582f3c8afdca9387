"""The page about decoder layers: a template whose tables and results come from records, the same each time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from bench.gate.markdown import bullets_or, escape, folded, table_or
from bench.harness.record import Record
from bench.pages.layers.devices import DEVICE_HEADERS, device_rows
from bench.pages.layers.routing import routing_table
from bench.pages.layers.sentences import changes, crossings, fusing, predictions, sums
from bench.pages.layers.tables import (
    APART_HEADERS,
    ARM_HEADERS,
    CROSSING_HEADERS,
    FLOOR_HEADERS,
    PART_HEADERS,
    apart_rows,
    arm_rows,
    crossing_rows,
    floor_rows,
    part_rows,
)
from bench.pages.layers.times import LayerTimes, read_layers
from bench.pages.report import machine_line

TEMPLATE = Path(__file__).with_name("template.md")
ABSENT = "Nothing of this is in the records."
NO_GPU = (
    "A GPU, and full depth. On a GPU decode is bound by the same bytes, so the relative gain should be of this size "
    "once the step is captured; that is a prediction. Prefill is bound by other things there."
)
GPU_RUN = "Other GPUs: another one has other peaks, and with them another place where reading stops to rule."


def page(records: Mapping[Path, Record], command: str) -> str:
    """Fill the template.

    Args:
        records: Of bench_layers and of bench.distributed.parallel, by their paths.
        command: That writes the page.

    Raises:
        ValueError: As `read_layers`.
    """
    layers = read_layers(records.values())
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        command=command,
        scales="; ".join(dict.fromkeys(f"{layer.scale}, {layer.phase}" for layer in layers)),
        changes=bullets_or(ABSENT, changes(layers)),
        crossings=bullets_or(ABSENT, crossings(layers)),
        routing=table_or(ABSENT, *routing_table(_at_longest(layers))),
        other_lengths=_folded("All lengths", *routing_table(layers)),
        parts=_folded("All parts, with intervals and sums", PART_HEADERS, part_rows(layers)),
        floors=_folded("What share of each part's time its floor is", FLOOR_HEADERS, floor_rows(layers)),
        sums=bullets_or(ABSENT, sums(layers)),
        fusing=bullets_or(ABSENT, fusing(layers)),
        apart=_folded("The experts' work run apart", APART_HEADERS, apart_rows(layers)),
        predictions=bullets_or(ABSENT, predictions(layers)),
        arms=table_or(ABSENT, ARM_HEADERS, arm_rows(layers)),
        crossing=table_or(ABSENT, CROSSING_HEADERS, crossing_rows(layers)),
        devices=table_or(ABSENT, DEVICE_HEADERS, device_rows(records.values())),
        gpu=GPU_RUN if any(record.kind["device"] == "cuda" for record in records.values()) else NO_GPU,
        records="\n".join(
            f"- `{path.as_posix()}`: <sub>{escape(machine_line(record))}</sub>" for path, record in records.items()
        ),
    )


def _at_longest(layers: Sequence[LayerTimes]) -> list[LayerTimes]:
    """Keep the longest prompts of each scale and phase."""
    longest = {
        (layer.scale, layer.phase): layer.length for layer in layers
    }  # they come in the order of lengths a batch
    return [layer for layer in layers if layer.length == longest[layer.scale, layer.phase]]


def _folded(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return folded(title, table_or(ABSENT, headers, rows))
