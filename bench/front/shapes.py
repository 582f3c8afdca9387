"""Throughput of a published model's shape: what a record measured, else the floor on an H200."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import CLIPVisionConfig

from bench.floors import work_of
from bench.front.trained.throughput import rate
from bench.gate.intervals import joined_rate
from bench.gate.stats import Interval
from bench.harness.peaks import floor_s
from bench.harness.record import Record, load
from fixtures.options import workload_value
from fixtures.tasks import draw_shapes
from fixtures.workload import load_workload
from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
from moevlm.costs import phase_cost
from moevlm.model.processing import build_processor
from moevlm.presets import preset_config

DEVICE = "H200"
# Product of 8192 cubed in bfloat16, and device-to-device copy: measured on one H200 before this project kept records;
# no record. The data sheet says 989 TFLOP/s and 4.8 TB/s; another measured 794.5 TFLOP/s (stas00/ml-engineering,
# compute/accelerator, maximum achievable matmul FLOPS).
PEAKS = {"matmul_flop_per_s": 790e12, "copy_byte_per_s": 4.3e12}
# A convention: vLLM's fused_moe at one token on an A100, 75.5 MB in 109.21 µs of 1.555 TB/s (vllm-project/vllm#19049).
# On faster memory it was seen at less: 24 % on a B200, 39.6 µs (vllm-project/vllm#31448).
LEAST_OF_FLOOR = 0.44
DTYPE_BYTES = 2  # bfloat16
BATCH_SIZE = 8
VISUAL = "anyres"  # LLaVA-NeXT's scheme for all: a fixed number of tokens, so that shapes are compared and not schemes
SCENARIOS = {"req_per_s": "bench_generate", "prefill_tok_per_s": "bench_prefill"}  # axis -> who measures it
NUM_DRAWN = 1000  # requests drawn from a workload for their mean length


@dataclass(frozen=True, kw_only=True)
class Load:
    """A batch of a workload at its mean lengths: tokens a request (image tokens included), tiles of the whole batch."""

    prompt_tokens: int
    output_tokens: int
    num_tiles: int


def mean_load(task: str) -> Load:
    """Return the mean request of a task, from NUM_DRAWN drawn ones."""
    workload = load_workload(task, visual=VISUAL)
    processor = build_processor(preset_config("7b", visual=VISUAL))
    shapes = draw_shapes(workload, num_samples=NUM_DRAWN, seed=0)
    image_tokens = fmean(sum(processor.num_image_tokens(h, w) for w, h in shape.image_px) for shape in shapes)
    tiles = fmean(sum(processor.num_tiles(h, w) for w, h in shape.image_px) for shape in shapes)
    return Load(
        prompt_tokens=round(image_tokens + fmean(shape.num_text_tokens for shape in shapes)),
        output_tokens=workload.num_output_tokens,
        num_tiles=round(BATCH_SIZE * tiles),
    )


def shape_config(shape: Mapping[str, Any]) -> MoEVLMConfig:
    """Build the configuration of a published shape.

    Args:
        shape: An entry of "shapes" in published.json: a preset and its variant, or a dense text decoder's sizes; and
            the vision tower's where it is not CLIP ViT-L/14-336.
    """
    preset, variant = shape.get("preset", "7b"), shape.get("variant", "dense_reference")
    config = preset_config(preset, variant, visual=VISUAL)
    if "text" in shape:
        config.text_config = MoEVLMTextConfig(**shape["text"], num_experts=0)
    if "vision" in shape:
        sides = {name: getattr(config.vision_config, name) for name in ("image_size", "patch_size")}
        config.vision_config = CLIPVisionConfig(**sides, **shape["vision"])
    return config


def predicted_throughput(config: MoEVLMConfig, load: Load) -> dict[str, dict[str, float]]:
    """Return what a shape can do at most on an H200: the floor, and down to LEAST_OF_FLOOR of it by convention."""
    # every layer on all tokens, as engines run it
    prefill_s = _floor_s(config, "prompt", seq_len=load.prompt_tokens, num_tiles=load.num_tiles)
    steps = range(load.output_tokens - 1)
    decode_s = sum(_floor_s(config, "decode", seq_len=load.prompt_tokens + step) for step in steps)
    rates = {
        "req_per_s": BATCH_SIZE / (prefill_s + decode_s),
        "prefill_tok_per_s": BATCH_SIZE * load.prompt_tokens / prefill_s,
    }
    return {axis: {"estimate": rate, "low": LEAST_OF_FLOOR * rate, "high": rate} for axis, rate in rates.items()}


def _floor_s(config: MoEVLMConfig, phase: str, **sizes: int) -> float:
    cost = phase_cost(config, phase, batch_size=BATCH_SIZE, dtype_bytes=DTYPE_BYTES, **sizes)
    least_s = floor_s(work_of([cost]), PEAKS)
    assert least_s is not None, "work and peaks are known"
    return least_s


def measured_throughput(
    records: Sequence[Record], shape: Mapping[str, Any], task: str
) -> dict[str, dict[str, float]] | None:
    """Return what records measured of a shape at the workload of a task; None where one of the two rates is missing.

    Args:
        shape: An entry of "shapes" in published.json; only a preset can have been measured.
    """
    wanted = {"scale": shape.get("preset"), "workload": workload_value(task, VISUAL), "batch_size": BATCH_SIZE,
              "seq_len": "natural"}  # fmt: skip
    rates: dict[str, list[Interval]] = {axis: [] for axis in SCENARIOS}
    for scenario in (scenario for record in records for scenario in record.scenarios.values()):
        series = scenario.arms.get(shape.get("variant", ""))
        if series is None or "vision" in shape or any(series.params.get(k) != v for k, v in wanted.items()):
            continue
        for axis, benchmark in SCENARIOS.items():
            if scenario.id.startswith(f"{benchmark}["):
                rates[axis] += [rate(series.rates[axis], launch.samples) for launch in series.launches]
    return {axis: joined_rate(found)._asdict() for axis, found in rates.items()} if all(rates.values()) else None


def read_records(paths: Sequence[Path]) -> list[Record]:
    """Read records of `pytest bench`.

    Raises:
        ValueError: One was measured on another device than the floors are of.
    """
    records = [load(path) for path in paths]
    for path, record in zip(paths, records, strict=True):
        device = record.kind["device_model"]
        if DEVICE not in device:
            raise ValueError(f"--record must be of an {DEVICE}, as the floors beside it, got {device} in {path}; "
                             "leave it out")  # fmt: skip
    return records
