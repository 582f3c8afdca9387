"""How many kernels a decode step's layer is on a GPU: counted over tensors without content, so nothing is computed.

Each of torch's operations that computes counts once, each of Triton's launches once. What takes torch several kernels
(a sort, attention that is cut) is more on a GPU; of ours there is no such operation.
"""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import Cache

from moevlm import set_expert_backend
from moevlm.kernels.tilings import default_tiling
from moevlm.model.cache import FixedLayer, take_memory

pytest.importorskip("triton", reason="Triton is not installed")
from triton.runtime.interpreter import InterpretedFunction
from triton.runtime.jit import JITFunction

from moevlm.generation.gpu_steps import gpu_steps
from moevlm.kernels.triton import ops

SAMPLES, ROOM = 2, 64
MAKES_NOTHING = {"aten.empty.memory_format", "aten.new_empty.default", "aten.empty_like.default", "aten.detach.default",
                 "aten.lift_fresh.default", "prim.device.default", "aten._unsafe_view.default"}  # fmt: skip


class Kernels(TorchDispatchMode):
    """Count what computes."""

    def __init__(self):
        super().__init__()
        self.counted = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = str(function)
        if not (function.is_view or name in MAKES_NOTHING):
            self.counted[name] += 1
        return function(*args, **(kwargs or {}))


@pytest.fixture
def kernels(monkeypatch):
    """Count kernels, Triton's among them."""
    counting = Kernels()

    def launched(function, *_, **__):
        counting.counted[f"{function.__module__}.{function.__name__}"] += 1

    for kind in (JITFunction, InterpretedFunction):
        monkeypatch.setattr(kind, "run", launched)
        monkeypatch.setattr(kind, "__getitem__", lambda self, _grid: lambda *_, **__: launched(self), raising=False)
    tiling = default_tiling("few", "bfloat16", 227 << 10)
    monkeypatch.setattr("moevlm.kernels.backends.fast_experts", lambda *inputs: ops.run_experts(tiling, *inputs[:-1]))
    for place in ("moevlm.model.attention", "moevlm.generation.gpu_layer"):
        monkeypatch.setattr(f"{place}.side_by_side", joined)
    for name in ("scaled_dot_product_attention", "rms_norm"):  # one kernel on a GPU, as a rule
        monkeypatch.setattr(torch.nn.functional, name, once(counting, name))
    return counting


def once(counting, name):
    def shape_of_first(first, *_, **__):
        counting.counted[name] += 1
        return torch.empty_like(first)

    return shape_of_first


def step_of(model, backend, kernels, *, by_modules):
    """Count a step of decode."""
    set_expert_backend(model, backend)
    config = model.config.text_config
    shape = {"batch_size": SAMPLES, "max_length": ROOM, "width": config.head_dim}
    memory = take_memory(config, **shape, device=torch.device("meta"), dtype=torch.bfloat16)
    token_B1 = torch.zeros(SAMPLES, 1, dtype=torch.long, device="meta")
    slot_1 = torch.zeros(1, dtype=torch.long, device="meta")
    is_seen_BL = torch.ones(SAMPLES, ROOM, dtype=torch.bool, device="meta")
    kernels.counted.clear()
    with kernels:
        if by_modules:
            cache = Cache(layers=[FixedLayer(one, slot_1) for one in memory])
            mask = is_seen_BL[:, None, None]
            model.model.language_model(input_ids=token_B1, attention_mask=mask, position_ids=token_B1, cache=cache)
        else:
            gpu_steps(model, memory).logits(token_B1, token_B1, slot_1, is_seen_BL)
    return Counter(kernels.counted)


def joined(layers):
    """Stand for weights side by side; tensors without content have no address."""
    return torch.empty(sum(len(layer.weight) for layer in layers), layers[0].weight.shape[1], dtype=torch.bfloat16,
                       device="meta")  # fmt: skip


def a_layer(make_model, kernels, backend, *, by_modules, **config):
    """Count a layer: what three of them are more than two."""
    counts = []
    for layers in (2, 3):
        model = make_model(torch.bfloat16, num_hidden_layers=layers, head_dim=64, **config)
        with torch.inference_mode():
            counts.append(step_of(model.to("meta"), backend, kernels, by_modules=by_modules))
    return counts[1] - counts[0]


def test_a_layer_of_ours_is_twelve_kernels(make_model, kernels):
    counted = a_layer(make_model, kernels, "moevlm", by_modules=False)
    assert counted == {
        "moevlm.kernels.triton.norm._add_rms_norm": 2,
        "moevlm.kernels.triton.heads._write_heads": 1,
        "moevlm.kernels.triton.attend._attend_part": 1,
        "moevlm.kernels.triton.attend._join_parts": 1,
        "moevlm.kernels.triton.route._route": 1,
        "moevlm.kernels.triton.few._gate_up": 1,
        "moevlm.kernels.triton.few._down": 1,
        "moevlm.kernels.triton.combine._combine": 1,
        "aten.linear.default": 3,  # q, k and v; output; router
    }
    assert counted.total() == 12


def test_a_layer_of_the_twin_is_eleven(make_model, kernels):
    counted = a_layer(make_model, kernels, "moevlm", by_modules=False, num_experts=0)
    assert counted["aten.linear.default"] == 4
    assert counted.total() == 11


@pytest.mark.parametrize(("backend", "operations"), [("moevlm", {23}), ("grouped_mm", {35, 40})])  # 40 under 5.17
def test_modules_make_twice_or_three_times_as_many(make_model, kernels, backend, operations):
    assert a_layer(make_model, kernels, backend, by_modules=True).total() in operations
