"""Timing the ways: sizes that end in time, and that what is timed computes the layer."""

import pytest
import torch

from moevlm.kernels.cpu import way_timing
from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.way_timing import DENSE, EXPERTS, Shape, calls_of, measured_sizes

needs_kernels = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
SEVEN_B, PROXY = (64, 1024, 2048), (16, 256, 512)


@pytest.mark.parametrize("rows", [16, 32, 64, 128, 512])
@pytest.mark.parametrize(
    "sizes", [SEVEN_B, PROXY, (128, 768, 2048), (1, 8192, 2048), (1, 11008, 4096), (1, 20480, 7168), (8, 32, 64)]
)
def test_a_call_is_short_and_no_way_finds_its_weights_in_a_cache(sizes, rows):
    num_experts, width, hidden_size = sizes
    found = measured_sizes(Shape(DENSE, torch.float32, *sizes, 1), rows)
    weights = 3 * found.num_experts * found.width * hidden_size
    assert 1 <= found.num_experts <= num_experts
    assert found.width <= width
    assert found.width % 32 == 0
    least = 3 * min(width, 1024) * hidden_size  # one block of it, at least
    assert 2 * weights * rows <= max(4e9, 2 * least * rows)
    assert found.num_layers * weights <= max(1 << 25, least)
    if sizes == PROXY and rows <= 64:
        assert found.num_experts == 16
        assert 4 * weights * found.num_layers >= 96 << 20  # bytes; larger than a last-level cache's share


@needs_kernels
@pytest.mark.parametrize("num_experts", [1, 3, 6])
@pytest.mark.parametrize("kind", [DENSE, EXPERTS])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_all_ways_of_a_shape_compute_the_same(dtype, bound, kind, num_experts, monkeypatch):
    monkeypatch.setattr(way_timing, "MOST_LAYERS", 1)  # each call would take the next layer's weights
    shape = Shape(kind, dtype, num_experts, 96, 128, 1)
    outputs = {way: call().double() for way, call in calls_of(shape, 17).items()}
    assert tuple(outputs) == shape.ways
    for output in outputs.values():
        assert output.norm() > 1
        assert (output - outputs["kernels"]).norm() < bound * outputs["kernels"].norm()


@needs_kernels
def test_a_measurement_of_a_shape_says_how_long_each_way_took():
    found = way_timing.seconds_by_way(Shape(DENSE, torch.float32, 4, 32, 64, torch.get_num_threads()), 16)
    assert found.keys() == {"kernels", "products", "blocks"}
    assert all(0 < seconds < 10 for seconds in found.values())
