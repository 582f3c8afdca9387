"""Tests of a pass taken apart: its parts, run alone, give what they gave in it, and running them changes nothing."""

from collections.abc import Mapping

import pytest
import torch

from bench.bench_layers import GIVEN, check_part
from bench.floors import work_of
from bench.harness.agreement import WrongAnswer
from bench.layers.parts import dispatch, part_costs, parts_of
from bench.layers.passes import PHASES, Pass, recorded_layers
from bench.layers.routing_facts import routing_facts
from fixtures.inputs import make_inputs
from fixtures.models import Twins, build_twins
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm import RoutingProfile, apply_profile, decode_steps, prefill
from moevlm.costs import phase_cost
from moevlm.model.processing import build_processor

BATCH_SIZE, SEQ_LEN = 2, 48


@pytest.fixture(scope="module")
def twins() -> Twins:
    """In float64 the fused kernels stay out: plain products, exact to rounding."""
    return build_twins("tiny", device=torch.device("cpu"), dtype=torch.float64, routing=RoutingProfile(name="uniform"))


@pytest.fixture(scope="module")
def inputs(twins: Twins) -> Mapping[str, torch.Tensor]:
    samples = sample(load_workload("mmmu"), num_samples=BATCH_SIZE, seed=0)
    processor = build_processor(twins["moe"].config)
    return make_inputs(samples, processor, seq_len=SEQ_LEN, device="cpu", dtype=torch.float64).tensors


@pytest.fixture(scope="module", params=PHASES)
def taken(request: pytest.FixtureRequest, twins: Twins, inputs: Mapping[str, torch.Tensor]) -> dict[str, Pass]:
    with torch.inference_mode():
        return {arm: PHASES[request.param](model, inputs) for arm, model in twins.items()}


@pytest.mark.parametrize("arm", ["moe", "dense"])
@torch.inference_mode()
def test_each_part_gives_what_it_gave_in_the_pass_however_often_it_runs(taken: dict[str, Pass], arm: str) -> None:
    parts = parts_of(taken[arm])
    for _ in range(2):
        for name, run in parts.items():
            output = run()
            if name in GIVEN:
                check_part(f"{arm}/{name}", output, taken[arm])


@torch.inference_mode()
def test_a_part_that_gives_something_else_is_found(taken: dict[str, Pass]) -> None:
    norms = [tensor * 1.001 for tensor in parts_of(taken["moe"])["norms"]()]
    with pytest.raises(WrongAnswer, match=r"moe/norms of layer 0 must agree .*a relative error of 0\.001 at token"):
        check_part("moe/norms", norms, taken["moe"])


@torch.inference_mode()
def test_the_pass_is_that_of_prefill_and_of_a_decode_step(
    taken: dict[str, Pass], twins: Twins, inputs: Mapping[str, torch.Tensor]
) -> None:
    hook = twins["moe"].model.language_model.layers[-1].register_forward_hook(lambda *_: None)  # all tokens, as here
    state = prefill(twins["moe"], inputs, max_new_tokens=1)
    hook.remove()
    expected = {"prefill": state.logits_BV, "decode": decode_steps(twins["moe"], state, num_steps=1).logits_BV}
    parts_of(taken["moe"])["layers"]()
    for _ in range(2):
        assert torch.equal(taken["moe"].run(), expected[taken["moe"].phase])


@torch.inference_mode()
def test_experts_run_apart_are_the_experts(taken: dict[str, Pass]) -> None:
    combined = parts_of(taken["moe"])["combine"]()
    for calls, output_TH in zip(taken["moe"].layers, combined, strict=True):
        torch.testing.assert_close(output_TH, calls["experts"].output, rtol=1e-12, atol=1e-15)


def test_dispatch_lays_rows_out_by_expert_and_each_is_its_tokens(taken: dict[str, Pass]) -> None:
    experts = taken["moe"].layers[0]["experts"]
    hidden_TH, ids_TK, _ = experts.arguments
    rows = dispatch(experts)
    pairs = sorted((int(expert), token) for token, ids_K in enumerate(ids_TK) for expert in ids_K)
    assert rows.expert_P1.flatten().tolist() == [expert for expert, _ in pairs]
    assert torch.equal(rows.rows_PH, hidden_TH[[token for _, token in pairs]])


@torch.inference_mode()
def test_the_ends_are_embedding_norm_and_head_and_the_layers_come_back(taken: dict[str, Pass]) -> None:
    one = taken["moe"]
    text_model, layers = one.model.model.language_model, one.model.model.language_model.layers
    logits_BV = parts_of(one)["ends"]()
    first_BSH = one.layers[0]["layer"].arguments[0]
    torch.testing.assert_close(logits_BV, one.model.lm_head(text_model.norm(first_BSH[:, -1])), rtol=1e-12, atol=1e-14)
    assert text_model.layers is layers


def test_a_module_that_the_pass_did_not_call_is_named(twins: Twins) -> None:
    with (
        pytest.raises(ValueError, match=r"must call layer, .* got no call of .*experts"),
        recorded_layers(twins["moe"]),
    ):
        pass


def test_costs_of_the_parts_add_up_to_the_pass(taken: dict[str, Pass]) -> None:
    for arm, ffn in (("moe", ("router", "experts")), ("dense", ("ffn",))):
        hit = [len({int(expert) for expert in ids_TK.flatten()}) for ids_TK in taken[arm].step_ids]
        distinct = sum(hit) / len(hit) if hit else None
        costs = part_costs(taken[arm], batch_size=BATCH_SIZE, seq_len=SEQ_LEN)
        phase = {"prefill": "prompt", "decode": "decode"}[taken[arm].phase]
        whole = phase_cost(
            taken[arm].model.config, phase, batch_size=BATCH_SIZE, seq_len=SEQ_LEN, dtype_bytes=8,
            distinct_experts=distinct,
        )  # fmt: skip
        assert costs[""] == work_of([whole])
        assert costs["attention"]["parts"] == costs[""]["parts"][:2]
        assert costs["layers"]["parts"] == costs[""]["parts"][:-1]
        for unit in ("flops", "bytes"):
            layer = sum(costs[part][unit] for part in ("attention", *ffn))
            assert costs["layers"][unit] == pytest.approx(layer)
            assert costs[""][unit] == pytest.approx(layer + costs["ends"][unit])


@pytest.mark.parametrize(
    ("text", "msi", "crossing"), [("uniform", (0.0, 0.35), 0.4), ("specialized:32", (1.0, 1.0), 0.0)]
)
@torch.inference_mode()
def test_facts_tell_specialization_and_what_would_cross(
    twins: Twins, inputs: Mapping[str, torch.Tensor], text: str, msi: tuple[float, float], crossing: float
) -> None:
    profile = RoutingProfile.parse(text)
    apply_profile(twins["moe"], profile)
    taken = PHASES["decode"](twins["moe"], inputs)
    apply_profile(twins["moe"], RoutingProfile(name="uniform"))
    facts = routing_facts(taken, inputs, profile)
    assert msi[0] <= facts["msi"] <= msi[1]
    assert facts["crossing_bins"] >= crossing if crossing else facts["crossing_bins"] == 0
    hit = [len({int(expert) for expert in ids_TK.flatten()}) for ids_TK in taken.step_ids]
    assert facts["distinct_experts"] == sum(hit) / len(hit)
    assert facts["load_max_over_mean"] >= 1


def test_facts_of_routing_that_follows_weights_have_no_closed_form(
    twins: Twins, inputs: Mapping[str, torch.Tensor]
) -> None:
    taken = PHASES["prefill"](twins["moe"], inputs)
    assert "expected_distinct_experts" in routing_facts(taken, inputs, RoutingProfile(name="uniform"))
    assert "expected_distinct_experts" not in routing_facts(taken, inputs, RoutingProfile(name="weights"))
