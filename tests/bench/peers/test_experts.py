"""Other projects' experts: which are measured beside ours, which a CUDA graph can hold, and whether they agree."""

import functools
import importlib.util

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.harness.arms import is_peer
from bench.peers.experts import LIGER, asks_the_device, peer, peers_of
from moevlm import MoEVLMTextConfig
from moevlm.costs import phase_cost
from moevlm.kernels.backends import reference_experts
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMExperts
from moevlm.presets import preset_config

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def named(*names):
    return [f"transformers/{name}" for name in names]


@pytest.mark.parametrize(
    ("backend", "dtype", "num_pairs", "expected"),
    [
        ("moevlm", torch.float32, 8, named("eager", "grouped_mm", "batched_mm")),
        ("eager", torch.float32, 8, named("grouped_mm", "batched_mm")),
        ("moevlm", torch.float64, 8, named("eager", "batched_mm")),
        ("moevlm", torch.float32, 9, named("eager", "grouped_mm")),  # batched_mm would copy more than there are
    ],
)
def test_peers_are_those_that_can_be_compared(backend, dtype, num_pairs, expected):
    assert peers_of(backend, CPU, dtype, num_pairs, 8) == expected


def test_ligers_experts_are_an_arm_on_a_gpu_where_they_are_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    found = peers_of("moevlm", GPU, torch.bfloat16, 8, 8)
    assert LIGER in found
    assert all(map(is_peer, found))  # never judged, and no cause of anything
    assert LIGER not in peers_of("moevlm", CPU, torch.bfloat16, 8, 8)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert LIGER not in peers_of("moevlm", GPU, torch.bfloat16, 8, 8)


@pytest.fixture(params=[(8, 0), (9, 0)])
def capability(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: request.param)
    return request.param


def test_torchs_grouped_product_is_in_a_graph_where_it_is_a_kernel(capability):
    assert asks_the_device("transformers/grouped_mm", "moevlm", torch.bfloat16) == (capability < (9, 0))
    assert asks_the_device("transformers/grouped_mm", "moevlm", torch.float16)


def test_arms_that_read_values_of_the_device_are_in_no_graph(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    arms = ["moe", "dense", LIGER, *named("eager", "grouped_mm", "batched_mm")]
    asking = [arm for arm in arms if asks_the_device(arm, "grouped_mm", torch.bfloat16)]
    assert asking == [LIGER, "transformers/eager"]
    assert asks_the_device("moe", "eager", torch.bfloat16)
    assert asks_the_device("moe", "moevlm", torch.float64)  # a loop: no kernel takes float64


@pytest.mark.parametrize("name", named("eager", "grouped_mm", "batched_mm"))
def test_a_peer_computes_over_the_same_tensors(name):
    experts = MoEVLMExperts(
        MoEVLMTextConfig(hidden_size=32, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=16)
    )
    generator = torch.Generator().manual_seed(0)
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    hidden = torch.randn(3, 32, generator=generator)
    weights, ids = torch.rand(3, 8, generator=generator).topk(2)
    with torch.no_grad():
        output = peer(experts, name)(hidden, ids, weights)
        expected = reference_experts(experts.gate_up_proj, experts.down, hidden, ids, weights)
    torch.testing.assert_close(output.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_the_floor_of_an_arm_is_what_torch_counts(arm):
    """Torch counts the products of transformers' loop, and of the twin where gradients keep it from our kernels."""
    config = preset_config("tiny", arm)
    hidden = torch.randn(7, config.text_config.hidden_size)
    weights, ids = torch.rand(7, 8).topk(2)
    if arm == "moe":
        experts = peer(MoEVLMExperts(config.text_config), "transformers/eager")
        call = functools.partial(experts, hidden, ids, weights)
    else:
        call = functools.partial(MoEVLMDenseMLP(config.text_config), hidden[None])
    with FlopCounterMode(display=False) as counter:
        call()
    assert counter.get_total_flops() == phase_cost(config, "experts", seq_len=7, dtype_bytes=4).flops
