"""Tests of the tables that steer the routers: against the statistics that each profile promises."""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from moevlm import MoEVLMTextConfig, RoutingProfile, apply_profile
from moevlm.compat import CACHE
from moevlm.routing.profiles import NUM_NOISE_ROWS, bias_rows
from moevlm.routing.router import MoEVLMRouter
from moevlm.smoes.placement import cross_device_rate
from moevlm.smoes.specialization import layer_specialization, modality_specialization_index, recorded_routing
from moevlm.steering.expected_routing import specialized_cross_device_rate
from moevlm.steering.replay import NUM_ROWS, RecordedRouting, save_routing
from moevlm.steering.tables import RoutersShape, bias_tables, check_profile

Make = Callable[..., Any]
NUM_EXPERTS = 16
TOP_K = 2
SHAPE = RoutersShape(4, NUM_EXPERTS, TOP_K)
PAPERS = RoutersShape(16, 64, 8)  # OLMoE's, of which the paper gives rates
IS_VISION_R = torch.arange(NUM_ROWS) >= NUM_NOISE_ROWS


def tables_of(text: str, shape: RoutersShape = SHAPE, seed: int = 0) -> list[torch.Tensor]:
    return bias_tables(RoutingProfile.parse(text, seed=seed), shape)


def routed(text: str, shape: RoutersShape = SHAPE, seed: int = 0) -> RecordedRouting:
    """Return what one token a row would choose if its own logits were 0."""
    ids = [table.topk(shape.top_k).indices for table in tables_of(text, shape, seed)]
    return RecordedRouting(ids_LTK=torch.stack(ids), rows_T=torch.arange(NUM_ROWS), num_experts=shape.num_experts)


def homes(layer: int, shape: RoutersShape = SHAPE) -> torch.Tensor:
    """Return the modality whose rows lift each expert of a layer, (E,): 1 is vision, as in the tables' second half."""
    text_PE, vision_PE = tables_of("specialized:50", shape)[layer].split(NUM_NOISE_ROWS)
    return (vision_PE[0] > text_PE[0]).long()


def rate_away_from_home(text: str, shape: RoutersShape, modality: slice = slice(None)) -> float:
    """Return the share of tokens that leave their modality's home, over all layers."""
    ids_LTK = routed(text, shape).ids_LTK
    rates = [
        cross_device_rate(ids_TK[modality], homes(layer, shape), IS_VISION_R.long()[modality])
        for layer, ids_TK in enumerate(ids_LTK)
    ]
    return sum(rates) / len(rates)


def make_router() -> MoEVLMRouter:
    config = MoEVLMTextConfig(hidden_size=32, num_experts=NUM_EXPERTS, num_experts_per_tok=TOP_K)
    router = MoEVLMRouter(config)
    torch.manual_seed(0)
    torch.nn.init.normal_(router.weight, std=0.2)
    return router


def chosen(router: MoEVLMRouter, num_tokens: int = NUM_NOISE_ROWS, *, vision: bool = False) -> torch.Tensor:
    rows_T = bias_rows(torch.arange(num_tokens)[None], torch.full((1, num_tokens), vision))
    hidden_TH = torch.randn(num_tokens, 32, generator=torch.Generator().manual_seed(2))
    ids_TK: torch.Tensor = router(hidden_TH, rows_T).ids_TK
    return ids_TK


@pytest.fixture
def recorded() -> RecordedRouting:
    """Return skewed choices of 1000 tokens, with experts that some modality always or never chooses."""
    generator = torch.Generator().manual_seed(3)
    rows_T = torch.randint(NUM_ROWS, (1000,), generator=generator)
    favour_LME = 2 * torch.randn(SHAPE.num_layers, 2, NUM_EXPERTS, generator=generator)
    favour_LME[0, 0, 0], favour_LME[0, 1, 0] = 50, -50
    noise_LTE = torch.randn(SHAPE.num_layers, 1000, NUM_EXPERTS, generator=generator)
    ids_LTK = (favour_LME[:, rows_T // NUM_NOISE_ROWS] + noise_LTE).topk(TOP_K).indices
    return RecordedRouting(ids_LTK=ids_LTK, rows_T=rows_T, num_experts=NUM_EXPERTS)


@pytest.fixture
def file(recorded: RecordedRouting, tmp_path: Path) -> Path:
    save_routing(tmp_path / "routing.safetensors", recorded)
    return tmp_path / "routing.safetensors"


@pytest.mark.parametrize(
    ("text", "seed", "digests"),
    [
        ("uniform", 0, ("d88a0aef31587f3f", "e8d5e1de6c2ed352")),
        ("uniform", 1, ("33e692866c8cc64f", "1468e1c778f16098")),
        ("specialized:4", 0, ("31165c2c66223ba7", "c66be2050816e2ed")),
        ("specialized:4", 7, ("4c3ca8e2c2c5a47e", "7fdd5b0b40196d4e")),
        ("specialized:2.5", 0, ("eaa166a536669c96", "b6f6520b8ac4bf06")),
    ],
)
def test_tables_that_stored_baselines_measured_do_not_change(text: str, seed: int, digests: tuple[str, str]) -> None:
    few, many = tables_of(text, RoutersShape(1, 16, 2), seed)[0], tables_of(text, RoutersShape(4, 64, 8), seed)[3]
    assert tuple(hashlib.sha256(table.numpy().tobytes()).hexdigest()[:16] for table in (few, many)) == digests


def test_uniform_profile_gives_every_expert_its_share() -> None:
    router = make_router()
    apply_profile(router, RoutingProfile(name="uniform"))
    counts_E = chosen(router).flatten().bincount(minlength=NUM_EXPERTS).double()
    expected = NUM_NOISE_ROWS * TOP_K / NUM_EXPERTS
    chi_square = ((counts_E - expected) ** 2 / expected).sum()
    assert chi_square < 37.7  # 99.9 % quantile at 15 degrees of freedom


@pytest.mark.parametrize("num_tokens", [1, 4, 8, 32])
def test_uniform_profile_hits_the_expected_number_of_distinct_experts(num_tokens: int) -> None:
    router = make_router()
    apply_profile(router, RoutingProfile(name="uniform"))
    groups = chosen(router).split(num_tokens)
    distinct = sum(len(ids_TK.unique()) for ids_TK in groups[: len(groups) - 1]) / (len(groups) - 1)
    expected = NUM_EXPERTS * (1 - (1 - TOP_K / NUM_EXPERTS) ** num_tokens)
    assert distinct == pytest.approx(expected, abs=0.35)


def test_strong_specialization_sends_vision_and_text_to_disjoint_halves() -> None:
    router = make_router()
    apply_profile(router, RoutingProfile.parse("specialized:50"))
    text, vision = (set(chosen(router, vision=is_vision).flatten().tolist()) for is_vision in (False, True))
    assert not text & vision
    assert len(text) == len(vision) == NUM_EXPERTS // 2


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_strength_is_the_log_odds_of_a_home_expert(strength: float) -> None:
    firsts = [table[:NUM_NOISE_ROWS].argmax(1) for table in tables_of(f"specialized:{strength}")]
    at_home = [homes(layer)[first] == 0 for layer, first in enumerate(firsts)]
    share = torch.cat(at_home).double().mean()
    assert share == pytest.approx(1 / (1 + math.exp(-strength)), abs=0.03)


@pytest.mark.parametrize(("text", "rate"), [("paper-agnostic", 0.977), ("paper-smoes", 0.150)])
def test_named_profiles_reproduce_the_papers_rates(text: str, rate: float) -> None:
    assert rate_away_from_home(text, PAPERS) == pytest.approx(rate, abs=0.01)  # 16288 tokens: +- 3 standard errors


def test_strength_of_its_own_for_each_modality() -> None:
    shape = RoutersShape(8, 64, 8)
    for modality, strength in [(slice(0, NUM_NOISE_ROWS), 4.0), (slice(NUM_NOISE_ROWS, None), 2.0)]:
        expected = specialized_cross_device_rate(strength, 64, 8)
        assert rate_away_from_home("specialized:4/2", shape, modality) == pytest.approx(expected, abs=0.03)


def test_a_ramp_lets_specialization_fall_with_depth() -> None:
    by_layer = layer_specialization(routed("specialized:6..0", RoutersShape(5, 64, 8)).load()).tolist()
    assert by_layer == sorted(by_layer, reverse=True)
    assert by_layer[0] > 0.95
    assert by_layer[-1] < 0.05


def test_specialization_is_dialled_from_none_to_hard() -> None:
    indices = [modality_specialization_index(routed(text).load()) for text in ("uniform", "specialized:50")]
    assert indices == [0.0, 1.0]  # both modalities read the same noise


def test_the_papers_rate_is_refused_where_uniform_routing_is_below_it() -> None:
    with pytest.raises(
        ValueError, match=r"paper-agnostic: .* 16 experts, 2 a token, .*76.7%\].*got 97.7%; use uniform"
    ):
        check_profile(RoutingProfile.parse("paper-agnostic"), SHAPE)
    check_profile(RoutingProfile.parse("paper-smoes"), SHAPE)


def test_trained_profile_has_the_shares_of_the_recording(recorded: RecordedRouting, file: Path) -> None:
    found, expected = routed(f"trained:{file}").load(), recorded.load()
    shares = [load.double() / load.sum(-1, keepdim=True) for load in (found, expected)]
    distance_LM = (shares[0] - shares[1]).abs().sum(-1) / 2
    assert float(distance_LM.max()) < 0.04
    assert modality_specialization_index(found) == pytest.approx(modality_specialization_index(expected), abs=0.03)


def test_trained_profile_draws_afresh_by_seed(file: Path) -> None:
    assert not torch.equal(routed(f"trained:{file}").ids_LTK, routed(f"trained:{file}", seed=1).ids_LTK)


def test_replay_repeats_a_recorded_token_of_the_same_row(recorded: RecordedRouting, file: Path) -> None:
    replayed = routed(f"replay:{file}").ids_LTK.sort(-1).values
    original = recorded.ids_LTK.sort(-1).values
    for row in range(NUM_ROWS):
        own = (recorded.rows_T == row).nonzero().flatten()
        candidates = own if len(own) else (recorded.modalities == row // NUM_NOISE_ROWS).nonzero().flatten()
        assert any(torch.equal(replayed[:, row], original[:, token]) for token in candidates), row


def test_replay_chooses_another_of_a_rows_tokens_by_seed(file: Path) -> None:
    first, again, other = (routed(f"replay:{file}", seed=seed).ids_LTK for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("shape", [(5, 16, 2), (4, 8, 2), (4, 16, 4)])
def test_a_recording_of_another_shape_is_refused(shape: tuple[int, int, int], file: Path) -> None:
    num_layers, num_experts, top_k = shape
    wanted = f"must be of {num_layers} layers, {num_experts} experts, {top_k} a token, got 4, 16 and 2; record this"
    for kind in ("trained", "replay"):
        with pytest.raises(ValueError, match=wanted):
            check_profile(RoutingProfile.parse(f"{kind}:{file}"), RoutersShape(*shape))


def test_each_layer_and_seed_has_noise_and_homes_of_its_own() -> None:
    first, other_layer = tables_of("specialized:4")[:2]
    assert torch.equal(first, tables_of("specialized:4", RoutersShape(1, NUM_EXPERTS, TOP_K))[0])
    assert not torch.equal(first, other_layer)
    assert not torch.equal(first, tables_of("specialized:4", seed=1)[0])


def test_weights_profile_leaves_the_models_logits_bit_identical(make_model: Make, make_prompt: Make) -> None:
    model, ids_BS = make_model(), make_prompt(2, 24)
    before = model(ids_BS).logits
    apply_profile(model, RoutingProfile.parse("uniform"))
    assert not torch.equal(model(ids_BS).logits, before)
    apply_profile(model, RoutingProfile.parse("weights"))
    assert torch.equal(model(ids_BS).logits, before)


def test_a_profile_is_no_part_of_the_checkpoint(make_model: Make) -> None:
    model = make_model()
    names = set(model.state_dict())
    apply_profile(model, RoutingProfile.parse("uniform"))
    assert set(model.state_dict()) == names


def test_a_profile_leaves_a_dense_model_as_it_is(make_model: Make, make_prompt: Make) -> None:
    model, ids_BS = make_model(num_experts=0), make_prompt(2, 24)
    before = model(ids_BS).logits
    apply_profile(model, RoutingProfile.parse("uniform"))
    assert torch.equal(model(ids_BS).logits, before)


def recorded_ids(model: Any, **inputs: Any) -> torch.Tensor:
    """Return the expert ids (L, T, K) of every layer."""
    with torch.no_grad(), recorded_routing(model) as ids:
        model.model.language_model(**inputs)
    return torch.stack(ids)


def test_routing_is_the_same_in_one_pass_and_token_by_token(make_model: Make, make_prompt: Make) -> None:
    model, ids_BS = make_model(), make_prompt(1, 12)
    vision_BS = torch.arange(12)[None] < 5
    apply_profile(model, RoutingProfile.parse("specialized:3"))
    at_once = recorded_ids(model, input_ids=ids_BS, vision_mask_BS=vision_BS)
    cache = None
    for position in range(12):
        step = {"input_ids": ids_BS[:, [position]], "vision_mask_BS": vision_BS[:, [position]]}
        if cache is None:
            cache = model.model.language_model(**step, use_cache=True)[CACHE]
            cache.crop(-1)
        one = recorded_ids(model, **step, cache=cache, use_cache=True)
        assert torch.equal(one.sort(-1).values, at_once[:, [position]].sort(-1).values)


def test_whole_model_marks_image_tokens_as_vision(make_model: Make, make_prompt: Make) -> None:
    model, ids_BS = make_model(), make_prompt(1, 20, image_tokens=4)
    apply_profile(model, RoutingProfile.parse("specialized:50"))
    with recorded_routing(model) as ids:
        model(ids_BS, pixel_values=torch.randn(1, 3, 28, 28))
    vision, text = set(ids[0][2:6].flatten().tolist()), set(ids[0][6:].flatten().tolist())
    assert not vision & text
