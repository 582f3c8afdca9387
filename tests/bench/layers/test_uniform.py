"""Tests of the layers under uniform routing that run beside steered ones: same tensors, same prompt, other experts."""

from collections.abc import Mapping

import pytest
import torch

from bench.bench_layers import GIVEN, check_part
from bench.layers.passes import PHASES
from bench.layers.uniform import COMPARED, uniform_parts, uniform_twin
from fixtures.inputs import make_inputs
from fixtures.models import build_twins
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm import MoEVLM, RoutingProfile, apply_profile, decode_steps, prefill
from moevlm.model.processing import build_processor

STEERED = RoutingProfile(name="specialized", strength=16.0, seed=3)


@pytest.fixture(scope="module")
def moe() -> MoEVLM:
    """In float64 the fused kernels stay out: plain products, exact to rounding."""
    return build_twins("tiny", arms=("moe",), device=torch.device("cpu"), dtype=torch.float64, routing=STEERED)["moe"]


@pytest.fixture(scope="module")
def inputs(moe: MoEVLM) -> Mapping[str, torch.Tensor]:
    samples = sample(load_workload("mmmu"), num_samples=2, seed=0)
    return make_inputs(samples, build_processor(moe.config), seq_len=48, device="cpu", dtype=torch.float64).tensors


def test_the_twin_has_the_models_own_tensors_and_leaves_its_routing_alone(moe: MoEVLM) -> None:
    twin = uniform_twin(moe)
    own = {name: tensor.data_ptr() for name, tensor in moe.named_parameters()}
    assert {name: tensor.data_ptr() for name, tensor in twin.named_parameters()} == own
    assert moe.model.language_model.routing_profile == STEERED
    assert twin.model.language_model.routing_profile == RoutingProfile(name="uniform", seed=3)


@torch.inference_mode()
def test_its_prefill_is_that_of_a_model_that_routes_uniformly(moe: MoEVLM, inputs: Mapping[str, torch.Tensor]) -> None:
    beside, _ = uniform_parts(PHASES["prefill"](moe, inputs))
    apply_profile(moe, RoutingProfile(name="uniform", seed=3))
    expected_BV = prefill(moe, inputs, max_new_tokens=1).logits_BV
    apply_profile(moe, STEERED)
    torch.testing.assert_close(beside.run(), expected_BV, rtol=1e-12, atol=1e-14)


@torch.inference_mode()
def test_its_step_goes_on_from_the_steered_prompt(moe: MoEVLM, inputs: Mapping[str, torch.Tensor]) -> None:
    beside, _ = uniform_parts(PHASES["decode"](moe, inputs))
    state = prefill(moe, inputs, max_new_tokens=1)
    apply_profile(moe, RoutingProfile(name="uniform", seed=3))
    expected_BV = decode_steps(moe, state, num_steps=1).logits_BV
    apply_profile(moe, STEERED)
    torch.testing.assert_close(beside.run(), expected_BV, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("phase", PHASES)
@torch.inference_mode()
def test_both_give_what_they_gave_however_they_take_turns(
    moe: MoEVLM, inputs: Mapping[str, torch.Tensor], phase: str
) -> None:
    taken = PHASES[phase](moe, inputs)
    logits_BV = taken.run().clone()
    beside, parts = uniform_parts(taken)
    assert list(parts) == list(COMPARED)
    for _ in range(2):
        for name, run in parts.items():
            if name in GIVEN:
                check_part(f"uniform/{name}", run(), beside)
        assert torch.equal(taken.run(), logits_BV)
    assert not torch.equal(beside.step_ids[0], taken.step_ids[0])
