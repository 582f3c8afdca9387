"""The page about decoder layers: rows of passes in groups, the largest prompts, passes on several devices."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import chain
from pathlib import Path

from bench.harness.record import Record
from bench.pages.grouping import grouped
from bench.pages.layers.devices import device_rows
from bench.pages.layers.figures import layer_figures
from bench.pages.layers.routing import most_specialized, profiles
from bench.pages.layers.rows import PassRow, pass_rows
from bench.pages.layers.times import LayerTimes, holds_layers, read_layers
from bench.pages.provenance import sources
from bench.pages.write import Content


def layers_page(records: Mapping[Path, Record]) -> Content:
    """Return what the page holds.

    Args:
        records: of bench_layers and of bench.distributed.parallel, by their paths.

    Raises:
        ValueError: as `read_layers`, but of records that hold passes on several devices alone.
    """
    devices = device_rows(records.values())
    has_layers = any(map(holds_layers, records.values()))
    layers = read_layers(records.values()) if has_layers or not devices else []
    passes = pass_rows(layers)
    most = [layer.scenario for layer in most_specialized(layers)]
    prompts = _largest_prompts(layers)
    steered = [row for layer, row in zip(layers, passes, strict=True) if layer.is_moe and layer.scenario in most]
    facts = {
        "passes": passes,
        "moes": grouped([row for row in passes if row.routed], _at("scale", "phase")),
        "places": grouped(passes, _at("scale", "phase", "batch_size")),
        "steered": steered,
        "lengths": sorted({row.params["seq_len"] for row in steered}, key=lambda length: str(length).rjust(8)),
        "arms": list(dict.fromkeys(row.arm for row in passes if not row.routed)),
        "prompts": prompts,
        "profiles": profiles(chain(*prompts)),
        "devices": devices,
        "sources": sources(records),
        "is_gpu": any(record.kind["device"] == "cuda" for record in records.values()),
    }
    return Content("layers/template.md", facts, {"passes": passes, "devices": devices}, layer_figures(layers))


def _at(*axes: str) -> Callable[[PassRow], Hashable]:
    """Return what groups rows by axes."""
    return lambda row: tuple(row.params[axis] for axis in axes)


def _largest_prompts(layers: Iterable[LayerTimes]) -> list[list[LayerTimes]]:
    """Return for each preset the MoE's largest prompt under each profile."""
    prompts = [layer for layer in layers if layer.is_moe and layer.length.isdigit()]
    groups = grouped(prompts, lambda layer: (layer.preset, layer.routing))
    largest = [max(group, key=lambda layer: layer.batch_size * int(layer.length)) for group in groups]
    return grouped(largest, lambda layer: layer.preset)
