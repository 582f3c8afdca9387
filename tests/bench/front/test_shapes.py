"""Shapes of published models: parameters as published, floors by hand, records in the floors' place."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.front.published import PUBLISHED
from bench.front.shapes import (
    BATCH_SIZE,
    LEAST_OF_FLOOR,
    PEAKS,
    Load,
    mean_load,
    measured_throughput,
    predicted_throughput,
    read_records,
    shape_config,
)
from bench.harness.record import Record
from moevlm.model.parameters import parameter_counts
from tests.bench import sample_records

SHAPES = json.loads(PUBLISHED.read_text())["shapes"]
LLAVA_NEXT_TOKENS = {"mathvista": 1948, "chartqa": 2242, "docvqa": 2448}  # of a median image; the mean is near


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if "text" in shape])
def test_a_text_decoder_has_the_published_parameters(name: str) -> None:
    shape = SHAPES[name]
    head = shape["text"]["vocab_size"] * shape["text"]["hidden_size"] if "tied" in shape["source"] else 0
    text = parameter_counts(shape_config(shape)).text - head
    assert text == pytest.approx(shape["text_params_b"] * 1e9, rel=0.005)


def test_the_large_vision_tower_has_the_published_parameters() -> None:
    """InternViT-6B as released has 5,540 M; ours builds one layer more, whose output is not read."""
    counts = parameter_counts(shape_config(SHAPES["internvl-38b"]))
    assert counts.vision * 45 / 46 == pytest.approx(5.54e9, rel=0.01)


def test_the_floor_of_a_dense_prefill_is_its_products_over_the_peak() -> None:
    """Eight prompts of 2,000 tokens are bound by products: layers' weights and attention for each, the head once."""
    sizes = SHAPES["qwen3-8b"]["text"]
    hidden, layers, tokens = sizes["hidden_size"], sizes["num_hidden_layers"], 2000
    attention = hidden * 128 * (2 * 32 + 2 * 8)
    weights = layers * (attention + 3 * hidden * sizes["intermediate_size"])
    scores = layers * 2 * 32 * 128 * tokens * (tokens + 1) / 2
    flops = 2 * BATCH_SIZE * (tokens * weights + scores + hidden * sizes["vocab_size"])
    load = Load(prompt_tokens=tokens, output_tokens=1, num_tiles=0)
    rates = predicted_throughput(shape_config(SHAPES["qwen3-8b"]), load)
    assert rates["req_per_s"]["estimate"] == pytest.approx(BATCH_SIZE * PEAKS["matmul_flop_per_s"] / flops, rel=0.01)
    assert rates["prefill_tok_per_s"]["estimate"] == pytest.approx(tokens * rates["req_per_s"]["estimate"])
    assert rates["req_per_s"]["low"] == pytest.approx(LEAST_OF_FLOOR * rates["req_per_s"]["high"])


def test_a_further_output_token_costs_at_least_the_weights_once() -> None:
    config = shape_config(SHAPES["qwen3-32b"])
    one, two = (
        BATCH_SIZE
        / predicted_throughput(config, Load(prompt_tokens=100, output_tokens=n, num_tiles=0))["req_per_s"]["high"]
        for n in (1, 2)
    )
    embedding = 151936 * 5120  # rows are looked up, not read whole
    assert two - one > 2 * (parameter_counts(config).text - embedding) / PEAKS["copy_byte_per_s"]


@pytest.mark.parametrize("task", LLAVA_NEXT_TOKENS)
def test_the_mean_request_is_near_the_published_median_image(task: str) -> None:
    load = mean_load(task)
    assert load.prompt_tokens == pytest.approx(LLAVA_NEXT_TOKENS[task], rel=0.06)
    assert 3 * BATCH_SIZE <= load.num_tiles <= 5 * BATCH_SIZE


def record_of(device: str, *, arm: str = "moe", **params: Any) -> Record:
    """Return a record of one arm at the workload of ChartQA: 8 requests in 2 s, 1,000 prompt tokens in 0.5 s."""
    common = {"scale": "qwen3-30b-a3b", "workload": "chartqa-anyres", "batch_size": 8, "seq_len": "natural", **params}
    generate, prefill = (
        sample_records.scenario({arm: [seconds] * 6}, name=f"{name}[x]", rates=rates, params=common)
        for name, rates, seconds in (
            ("bench_generate", {"req_per_s": 8}, 2.0),
            ("bench_prefill", {"prefill_tok_per_s": 1000}, 0.5),
        )
    )
    return sample_records.record_of(generate, prefill, kind={"device_model": device})


def test_a_record_at_the_very_shape_takes_the_place_of_the_floor() -> None:
    shape = SHAPES["qwen3-30b-a3b"]
    found = measured_throughput([record_of("NVIDIA H200")], shape, "chartqa")
    assert found is not None
    assert [found[axis]["estimate"] for axis in found] == pytest.approx([4.0, 2000.0])


@pytest.mark.parametrize(
    "params", [{"scale": "qwen3-30b-a3b@4"}, {"batch_size": 1}, {"workload": "chartqa"}, {"arm": "dense"}]
)
def test_another_depth_batch_scheme_or_arm_does_not(params: dict[str, Any]) -> None:
    record = record_of("NVIDIA H200", **params)
    assert measured_throughput([record], SHAPES["qwen3-30b-a3b"], "chartqa") is None


def test_a_record_of_another_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.front.shapes.load", lambda _path: record_of("Acme Core"))
    with pytest.raises(
        ValueError, match=r"--record must be of an H200, as the floors beside it, got Acme Core in a\.json"
    ):
        read_records([Path("a.json")])
