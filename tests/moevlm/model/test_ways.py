"""What is told of a layer's way is what the layer takes."""

import pytest
import torch

from moevlm.kernels import fast
from moevlm.kernels.cpu.build import load
from moevlm.model.ways import way_of

needs_kernels = pytest.mark.skipif(load() is not None, reason="no C++ compiler")


def mlp_of(model):
    return model.model.language_model.layers[0].mlp


@needs_kernels
@pytest.mark.parametrize("num_tokens", [8, 40, 200])
@pytest.mark.parametrize("name", ["rule", "kernels", "products", "blocks"])
@pytest.mark.parametrize("num_experts", [8, 0])
def test_the_way_that_is_told_is_the_way_that_is_taken(make_model, asked, monkeypatch, num_experts, name, num_tokens):
    asked(name)
    ran, mlp = [], mlp_of(make_model(num_experts=num_experts))
    for kernel in ("swiglu_experts", "swiglu_dense"):
        call = getattr(fast.cpu, kernel)
        monkeypatch.setattr(fast.cpu, kernel, lambda *args, call=call: (ran.append("kernels"), call(*args))[1])
    blocks = fast.block_dense
    monkeypatch.setattr(fast, "block_dense", lambda *args: (ran.append("blocks"), blocks(*args))[1])
    with torch.inference_mode():
        told = way_of(mlp, num_tokens)
        mlp(torch.randn(1, num_tokens, 64))
    assert told == (ran[0] if ran else "products")


def test_a_backend_that_was_asked_for_is_told(make_model):
    model = make_model()
    model.set_experts_implementation("grouped_mm")
    with torch.inference_mode():
        assert way_of(mlp_of(model), 100) == "grouped_mm"


def test_what_no_kernel_computes_is_told_as_products(make_model):
    with torch.inference_mode():
        assert way_of(mlp_of(make_model(torch.float64)), 4) == "products"
        assert way_of(mlp_of(make_model(hidden_act="gelu")), 4) == "products"


def test_other_devices_choose_for_themselves(make_model):
    assert way_of(mlp_of(make_model().to("meta")), 4) == ""
