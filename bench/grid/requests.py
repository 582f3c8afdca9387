"""Requests drawn from the workloads, as a scale's processor counts them: what answers are composed for."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from bench.floors import Work
from fixtures.inputs import MIN_TEXT_TOKENS
from fixtures.options import workload_value
from fixtures.tasks.sample import SampleShape, draw_shapes
from fixtures.workload import load_workload
from moevlm.costs import phase_cost
from moevlm.model.processing import MoEVLMProcessor, build_processor
from moevlm.presets import preset_config, preset_variants

NUM_REQUESTS = 200  # ten of them lie above p95
SEED = 0  # as scenarios draw theirs


def requests_of(scale: str, arms: Sequence[str], workload: str, visual: str, dtype_bytes: int) -> dict[str, Any]:
    """Return the requests of a workload, as `bench.pages.results.cells` describes them."""
    processor = _processor(scale, visual)
    shapes = draw_shapes(load_workload(workload, visual=visual), num_samples=NUM_REQUESTS, seed=SEED)
    return {
        "scale": scale,
        "workload": workload_value(workload, visual),
        "drawn": [_request(shape, processor) for shape in shapes],
        "tile": {arm: _one_more_tile(scale, arm, dtype_bytes) for arm in arms if arm in preset_variants(scale)},
    }


@cache
def _processor(scale: str, visual: str) -> MoEVLMProcessor:
    return build_processor(preset_config(scale, visual=visual))


def _request(shape: SampleShape, processor: MoEVLMProcessor) -> list[int]:
    """Return prompt tokens, tiles and output tokens."""
    image_tokens = sum(processor.num_image_tokens(height, width) for width, height in shape.image_px)
    tiles = sum(processor.num_tiles(height, width) for width, height in shape.image_px)
    return [max(MIN_TEXT_TOKENS, shape.num_text_tokens) + image_tokens, tiles, shape.num_output_tokens]


def _one_more_tile(scale: str, arm: str, dtype_bytes: int) -> Work:
    """Return what a tile adds where the tower's weights are read anyway."""
    one, two = (
        phase_cost(preset_config(scale, arm), "vision", num_tiles=number, dtype_bytes=dtype_bytes) for number in (1, 2)
    )
    parts = [[two_part.flops - one_part.flops, 0.0] for one_part, two_part in zip(one.parts, two.parts, strict=True)]
    return {"flops": two.flops - one.flops, "bytes": 0.0, "parts": parts}
