"""The check of a model's operators: right ones pass, and each way to be wrong is found."""

from dataclasses import replace

import pytest
import torch

from moevlm.generation import fused_layer
from moevlm.generation.fused_check import flaw
from moevlm.generation.fused_layer import fuse
from moevlm.kernels.cpu.build import load
from moevlm.kernels.cpu.step import MOST_ROWS
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
DTYPES = (torch.float32, torch.bfloat16)


@pytest.fixture(params=DTYPES)
def dtype(request):
    return request.param


@pytest.fixture
def make(make_model, dtype):
    def make(**config):
        model = make_model(dtype, **{"head_dim": 64, **config})
        return model, [fuse(layer) for layer in model.model.language_model.layers]

    return make


@pytest.mark.parametrize("num_experts", [8, 0])
def test_right_operators_pass_and_leave_nothing_behind(make, num_experts):
    model, layers = make(num_experts=num_experts)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    assert flaw(model, layers) is None
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("profile", ["uniform", "specialized:3"])
def test_steered_operators_pass(make, profile):
    model, _ = make()
    apply_profile(model, RoutingProfile.parse(profile))
    assert flaw(model, [fuse(layer) for layer in model.model.language_model.layers]) is None


def with_weight(name, change):
    return lambda layer: replace(layer, weights=layer.weights._replace(**{name: change(getattr(layer.weights, name))}))


def with_router(**fields):
    return lambda layer: replace(layer, router=layer.router._replace(how=layer.router.how._replace(**fields)))


WRONG = {
    "scale": lambda layer: replace(layer, scale=layer.scale * 4),
    "epsilon": lambda layer: replace(layer, epsilon=1.0),
    "queries": with_weight("q_weight", lambda weight: weight.flip(0)),
    "keys": with_weight("k_weight", lambda weight: weight.flip(0)),
    "values": with_weight("v_weight", lambda weight: weight.flip(0)),
    "output": with_weight("o_weight", torch.zeros_like),
    "norm": with_weight("ffn_norm_H", lambda scale: 1.2 * scale),
    "experts": with_weight("gate_up_EWH", lambda weight: weight.roll(1, 0)),
    "not a number": with_weight("down_EIH", lambda weight: weight * torch.nan),
    "experts a token": with_router(top_k=1),
    "sum of shares": with_router(normalises=False),
    "closed experts": with_router(num_open=2),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_operator_that_is_wrong_is_found(make, what):
    model, layers = make()
    found = flaw(model, [layers[0], WRONG[what](layers[1])])
    assert found
    assert found.startswith("give logits that are ")


def test_one_that_is_wrong_for_many_samples_alone_is_found(make, monkeypatch):
    model, layers = make()
    plain = fused_layer.decode_layers

    def wrong_for_many(hidden_BH, *rest, **keywords):
        return plain(hidden_BH, *rest, **keywords) * (1.1 if len(hidden_BH) > MOST_ROWS else 1.0)

    monkeypatch.setattr(fused_layer, "decode_layers", wrong_for_many)
    assert (flaw(model, layers) or "").startswith("give hidden states of more than 8 samples that are 0.1")
