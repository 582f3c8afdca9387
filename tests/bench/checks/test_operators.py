"""Operators that are timed are held against the modules an oracle looked into, but for experts that are as good."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

from bench.bench_layers import check_part
from bench.checks.operators import check_operators, settled_rows
from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.harness.agreement import WrongAnswer
from bench.layers.parts import operators_in, parts_of
from bench.layers.passes import PHASES, Call, Pass
from bench.layers.uniform import uniform_parts
from fixtures.inputs import Inputs, make_inputs
from fixtures.models import Twins, build_twins
from fixtures.oracle.keeper import Oracle
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm import DecodeState, RoutingProfile, decode_steps, generation, prefill
from moevlm.generation import FUSED, FusedSteps, fused_steps
from moevlm.kernels.cpu.build import load
from moevlm.model.processing import build_processor
from moevlm.routing.router import Routing

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
ARMS = ("moe", "dense")
SEQ_LEN, NUM_STEPS = 300, 2


@pytest.fixture(scope="module")
def twins() -> Twins:
    profile = RoutingProfile(name="specialized", strength=4.0)
    return build_twins("proxy", device=torch.device("cpu"), dtype=torch.bfloat16, depth=2, routing=profile)


def inputs_of(twins: Twins, num_samples: int) -> Inputs:
    samples = sample(load_workload("mmmu"), num_samples=num_samples, seed=0)
    processor = build_processor(twins["moe"].config)
    return make_inputs(samples, processor, seq_len=SEQ_LEN, device="cpu", dtype=torch.bfloat16)


@pytest.fixture(scope="module")
def few(twins: Twins) -> Inputs:
    return inputs_of(twins, 2)


def text(num_samples: int) -> Mapping[str, torch.Tensor]:
    return {"input_ids": torch.randint(10, 4000, (num_samples, 12), generator=torch.Generator().manual_seed(0))}


class Spoilt:
    """The operators of a model, one of which gives something else."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, model: torch.nn.Module, state: DecodeState) -> FusedSteps | None:
        steps = fused_steps(model, state)
        if steps is None:
            return None
        last = steps.layers[-1]
        weights = last.weights._replace(down_EIH=last.weights.down_EIH * self.factor)
        return replace(steps, layers=[*steps.layers[:-1], replace(last, weights=weights)])


@pytest.mark.parametrize("arm", ARMS)
def test_steps_that_are_timed_pass_by_operators_and_wrong_ones_are_found(
    monkeypatch: pytest.MonkeyPatch, twins: Twins, few: Inputs, arm: str
) -> None:
    decoding = Decoding(twins, few, num_steps=NUM_STEPS)
    assert decoding.paths == dict.fromkeys(ARMS, FUSED)
    check = decoding.check(checks_of(Oracle(), twins, few))
    answer = check(arm)
    assert answer is not None
    assert torch.equal(answer.rows_TD[-1], decoding(arm).logits_BV[int(answer.what.split()[2])])
    monkeypatch.setattr(generation, "fused_steps", Spoilt(1.5))
    with pytest.raises(WrongAnswer, match=rf"the operator of {arm} in layer 1 must agree within .* at sample "):
        check(arm)


@pytest.mark.parametrize("num_samples", [3, 20])
@pytest.mark.parametrize("arm", ARMS)
def test_operators_of_any_number_of_samples_agree_and_wrong_ones_are_found(
    monkeypatch: pytest.MonkeyPatch, twins: Twins, arm: str, num_samples: int
) -> None:
    state = prefill(twins[arm], text(num_samples), max_new_tokens=1)
    before = decode_steps(twins[arm], state, num_steps=1)
    check_operators(twins[arm], state, arm=arm)
    assert torch.equal(decode_steps(twins[arm], state, num_steps=1).logits_BV, before.logits_BV)
    monkeypatch.setattr(generation, "fused_steps", Spoilt(1.5))
    with pytest.raises(WrongAnswer, match=f"the operator of {arm} in layer 1"):
        check_operators(twins[arm], state, arm=arm)


def test_a_step_that_leaves_a_layer_out_is_wrong(monkeypatch: pytest.MonkeyPatch, twins: Twins) -> None:
    state = prefill(twins["moe"], text(3), max_new_tokens=1)
    monkeypatch.setattr("moevlm.decode_steps", lambda *_args, **_options: None)
    with pytest.raises(WrongAnswer, match="the modules of moe: a pass must call layer"):
        check_operators(twins["moe"], state, arm="moe")


def calls_of(logits_BE: torch.Tensor, ids_BK: torch.Tensor) -> dict[str, Call]:
    routing = Routing(logits_BE, torch.ones_like(ids_BK, dtype=logits_BE.dtype), ids_BK)
    module = torch.nn.Identity()
    hidden_B1H = torch.zeros(len(logits_BE), 1, 4)
    return {"router": Call(module, (), {}, routing), "layer": Call(module, (hidden_B1H,), {}, None)}


def test_samples_whose_next_expert_is_as_good_are_left_out_beyond_8() -> None:
    logits_BE = torch.tensor([[3.0, 2.0, 0.0, -1.0], [3.0, 2.0, 1.95, -1.0]]).repeat(5, 1)
    ids_BK = torch.tensor([[0, 1]]).repeat(10, 1)
    assert settled_rows(calls_of(logits_BE, ids_BK), 6e-2).tolist() == [True, False] * 5
    assert settled_rows(calls_of(logits_BE[:8], ids_BK[:8]), 6e-2).all()


def test_samples_of_whose_experts_all_or_only_those_that_are_open_are_chosen_stay() -> None:
    logits_BE = torch.tensor([[3.0, 2.99, 2.98, 2.97]]).repeat(10, 1)
    ids_BK = torch.arange(4).repeat(10, 1)
    assert settled_rows(calls_of(logits_BE, ids_BK), 6e-2).all()
    logits_BE[:, 2:] = float("-inf")
    assert settled_rows(calls_of(logits_BE, ids_BK[:, :2]), 6e-2).all()


@pytest.fixture(params=ARMS)
def taken(request: pytest.FixtureRequest, twins: Twins) -> Pass:
    with torch.inference_mode():
        return PHASES["decode"](twins[request.param], text(2))


@torch.inference_mode()
def test_the_layers_of_a_step_are_its_operators_however_often_they_run(taken: Pass) -> None:
    found = operators_in(taken)
    assert found
    parts, logits_BV = parts_of(taken), taken.run()
    for _ in range(2):
        check_part("moe/layers", parts["layers"](), taken)
        check_part("moe/attention", parts["attention"](), taken)
        assert torch.equal(taken.run(), logits_BV)
    with pytest.raises(WrongAnswer, match="moe/layers in layer 0"):
        check_part("moe/layers", [1.5 * hidden_BH for hidden_BH in found.run()], taken)


@torch.inference_mode()
def test_a_step_is_its_layers_between_its_ends(taken: Pass) -> None:
    """Without layers a step ends with what the head makes of the tokens' embeddings; with them, of the last layer's."""
    decoder = taken.model.model.language_model
    hidden_BH = taken.layers[0]["layer"].arguments[0][:, 0]
    assert torch.equal(parts_of(taken)["ends"](), taken.model.lm_head(decoder.norm(hidden_BH)))
    assert torch.equal(taken.run(), taken.model.lm_head(decoder.norm(parts_of(taken)["layers"]()[-1])))


@torch.inference_mode()
def test_layers_under_uniform_routing_are_operators_too(twins: Twins) -> None:
    taken = PHASES["decode"](twins["moe"], text(2))
    beside, parts = uniform_parts(taken)
    assert operators_in(beside)
    check_part("uniform/layers", parts["layers"](), beside)
    with pytest.raises(WrongAnswer):
        check_part("uniform/layers", parts["layers"](), taken)


@torch.inference_mode()
def test_a_prompts_layers_are_modules(twins: Twins) -> None:
    assert operators_in(PHASES["prefill"](twins["moe"], text(2))) is None
