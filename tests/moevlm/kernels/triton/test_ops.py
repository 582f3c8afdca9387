"""The GPU's operators as a model meets them: chosen by device and table, traced by shape, right in a whole model."""

import os

import pytest
import torch
from torch._subclasses import FakeTensorMode

from moevlm import set_expert_backend
from moevlm.kernels import fast
from moevlm.kernels.tilings import Entry, Tile, Tiling, write

ops = pytest.importorskip("moevlm.kernels.triton.ops", reason="Triton is not installed", exc_type=ImportError)

E, K, H, WIDTH, T = 8, 2, 64, 32, 5


@pytest.fixture
def on_a_gpu(monkeypatch, tmp_path):
    """Pretend to be on a GPU of which one way of the twin was measured; nothing is computed."""
    table = tmp_path / "measured.json"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    monkeypatch.setattr(ops, "shared_bytes", lambda _: 227 * 1024)
    monkeypatch.setattr(fast, "MEASURED", table)
    shape = ops.shape_of(0, torch.bfloat16, E, E, WIDTH, H)
    tiling = Tiling(way="fused", tiles=(Tile(16, 16, 16, 4, 2),), is_measured=True)
    write([Entry(shape=shape, num_tokens=1, tiling=tiling, seconds=1.0)], table)
    for cached in (ops.tiling_of, fast._is_dense_measured):
        cached.cache_clear()
    with FakeTensorMode():
        yield
    for cached in (ops.tiling_of, fast._is_dense_measured):
        cached.cache_clear()


def tensors(dtype=torch.bfloat16):
    shapes = (E, 2 * WIDTH, H), (E, WIDTH, H), (T, H)
    return [torch.empty(shape, device="cuda", dtype=dtype) for shape in shapes]


def test_experts_on_a_gpu_are_one_operator_of_known_shape(on_a_gpu):
    ids, weights = torch.empty(T, K, device="cuda", dtype=torch.int64), torch.empty(T, K, device="cuda")
    output = fast.fast_experts(*tensors(), ids, weights, "silu")
    assert (output.shape, output.dtype, output.device.type) == ((T, H), torch.bfloat16, "cuda")
    assert fast.fast_experts(*tensors(torch.float64), ids, weights, "silu") is None
    assert fast.fast_experts(*tensors(), ids, weights, "gelu") is None


def test_a_twin_runs_kernels_where_they_were_measured_and_products_elsewhere(on_a_gpu):
    assert fast.fast_dense(*tensors(), "silu").shape == (T, H)
    assert fast.fast_dense(*tensors(torch.float16), "silu") is None


def test_a_gpu_without_entries_gets_the_predicted_plan(on_a_gpu):
    tiling = ops.tiling_of(0, torch.bfloat16, K, E, WIDTH, H, T)
    assert (tiling.way, tiling.is_measured) == ("few", False)
    assert ops.tiling_of(0, torch.bfloat16, K, E, WIDTH, H, 10_000).way == "many"


@pytest.mark.skipif(
    not torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1",
    reason="needs a GPU, or Triton's interpreter: TRITON_INTERPRET=1",
)
@pytest.mark.parametrize("way", ["few", "many"])
def test_a_models_logits_agree_with_the_reference_paths(way, make_model, make_prompt, monkeypatch):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tiling = Tiling(way=way, tiles=(Tile(16, 32, 64, 4, 2), Tile(16, 64, 32, 4, 2)), is_measured=False)
    monkeypatch.setattr("moevlm.kernels.backends.fast_experts", lambda *inputs: ops.run_experts(tiling, *inputs[:-1]))
    model, ids_BS = make_model().to(device), make_prompt(1, 7).to(device)
    logits = {}
    for backend in ("reference", "moevlm"):
        set_expert_backend(model, backend)
        with torch.inference_mode():
            logits[backend] = model(ids_BS).logits
    torch.testing.assert_close(logits["moevlm"], logits["reference"], rtol=1e-4, atol=1e-4)
