"""Soft modality scores against the paper's formulas, written out token by token in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moevlm.config import MoEVLMTextConfig
from moevlm.smoes.modality import (
    GaussianModality,
    as_modalities,
    gaussian_modality_scores,
    hard_scores,
    mix_scores,
)
from tests.moevlm.smoes.plain_scores import plain_attention_scores


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_image_features_start_as_vision_and_all_else_as_text() -> None:
    assert hard_scores(torch.tensor([[True, False]])).tolist() == [[0.0, 1.0]]
    assert as_modalities(torch.tensor([0.25])).tolist() == [[0.25, 0.75]]


def test_attention_scores_equal_the_formula_token_by_token() -> None:
    num_heads, num_tokens, hidden_size = 3, 5, 4
    scores_T = torch.rand(num_tokens, dtype=torch.float64)
    probs_HTT = torch.softmax(random(num_heads, num_tokens, num_tokens), -1)
    added_TD, residual_TD = random(num_tokens, hidden_size, seed=1), random(num_tokens, hidden_size, seed=2)
    found_T = mix_scores(scores_T, probs_HTT.mean(0) @ scores_T, added_TD, residual_TD)
    expected_T = plain_attention_scores(scores_T, probs_HTT, added_TD, residual_TD)
    torch.testing.assert_close(found_T, expected_T, rtol=1e-12, atol=1e-12)


def test_a_token_that_gathers_as_much_as_it_keeps_moves_half_way() -> None:
    """By hand: own score 1, attends to a score of 0 alone, and both norms are 5."""
    scores_T, gathered_T, both_TD = torch.tensor([0.0, 1.0]), torch.zeros(2), torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    assert mix_scores(scores_T, gathered_T, both_TD, both_TD).tolist() == [0.0, 0.5]
    attends_to_the_first_HTT = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert plain_attention_scores(scores_T, attends_to_the_first_HTT, both_TD, both_TD).tolist() == [0.0, 0.5]


def test_a_token_of_zeros_keeps_its_score() -> None:
    zeros = torch.zeros(1, 3)
    assert mix_scores(torch.tensor([0.3]), torch.tensor([0.9]), zeros, zeros).tolist() == pytest.approx([0.3])


def test_a_token_that_is_not_a_number_has_no_score() -> None:
    states = torch.tensor([[math.nan, 1.0]])
    assert mix_scores(torch.tensor([0.3]), torch.tensor([0.9]), states, torch.ones(1, 2)).isnan().all()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**20), size=st.integers(1, 8), scale=st.floats(1e-3, 1e3))
def test_attention_scores_stay_within_those_that_went_in(seed: int, size: int, scale: float) -> None:
    scores_T = torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    probs_HTT = torch.softmax(scale * random(2, size, size, seed=seed), -1)
    added_TD, residual_TD = scale * random(size, 3, seed=seed + 1), random(size, 3)
    found_T = mix_scores(scores_T, probs_HTT.mean(0) @ scores_T, added_TD, residual_TD)
    assert (found_T >= scores_T.min() - 1e-12).all()
    assert (found_T <= scores_T.max() + 1e-12).all()


def test_attention_scores_pass_gradcheck() -> None:
    scores_T = torch.rand(4, dtype=torch.float64, requires_grad=True)
    gathered_T = torch.rand(4, dtype=torch.float64, requires_grad=True)
    added_TD, residual_TD = random(4, 3, seed=1).requires_grad_(), random(4, 3, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(mix_scores, (scores_T, gathered_T, added_TD, residual_TD))


def plain_gaussian_scores(x_TD: torch.Tensor, mean_MD: torch.Tensor, var_MD: torch.Tensor, tau: float) -> torch.Tensor:
    rows = []
    for x in x_TD.tolist():
        likelihoods = []
        for mean, var in zip(mean_MD.tolist(), var_MD.tolist(), strict=True):
            terms = (math.log(v) + (a - m) ** 2 / v for a, m, v in zip(x, mean, var, strict=True))
            likelihoods.append(-0.5 * sum(terms))
        top = max(likelihoods)
        weights = [math.exp((value - top) / tau) for value in likelihoods]
        rows.append([weight / sum(weights) for weight in weights])
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_gaussian_scores_equal_the_formula(dtype: torch.dtype, bound: float, shift: float) -> None:
    x_TD, mean_MD, var_MD = random(7, 16) + shift, random(2, 16, seed=1) + shift, random(2, 16, seed=2).exp()
    found_TM = gaussian_modality_scores(x_TD.to(dtype), mean_MD.to(dtype), var_MD.to(dtype), temperature=8.0)
    expected_TM = plain_gaussian_scores(x_TD, mean_MD, var_MD, 8.0)
    torch.testing.assert_close(found_TM.double(), expected_TM, rtol=bound, atol=bound)


def test_gaussian_scores_pass_gradcheck() -> None:
    arguments = (random(4, 3).requires_grad_(), random(2, 3, seed=1).requires_grad_(), random(2, 3, seed=2).exp())
    assert torch.autograd.gradcheck(lambda x, mean, var: gaussian_modality_scores(x, mean, var, 1.5), arguments)


def text_config(**fields: float) -> MoEVLMTextConfig:
    return MoEVLMTextConfig(
        hidden_size=4, num_attention_heads=2, num_key_value_heads=1, num_experts=4, modality_scores="gaussian", **fields
    )


EVERY_TOKEN = torch.ones(6, dtype=torch.bool)
IS_VISION = torch.tensor([True, True, True, False, False, False])


def test_the_first_batch_initialises_each_gaussian_with_its_moments() -> None:
    module, x_TD = GaussianModality(text_config()), random(6, 4).float()
    module.update(x_TD, IS_VISION, EVERY_TOKEN)
    for row, members_ND in enumerate((x_TD[3:], x_TD[:3])):
        torch.testing.assert_close(module.mean_MD[row], members_ND.mean(0))
        torch.testing.assert_close(module.var_MD[row], members_ND.var(0, correction=0))


def test_later_batches_take_welford_steps() -> None:
    beta, module = 0.75, GaussianModality(text_config(specialization_momentum=0.75))
    first_TD, second_TD = random(6, 4), random(6, 4, seed=1) + 2
    for batch_TD in (first_TD, second_TD):
        module.update(batch_TD.float(), IS_VISION, EVERY_TOKEN)
    for row, members in enumerate((slice(3, 6), slice(0, 3))):
        mean, var = first_TD[members].mean(0), first_TD[members].var(0, correction=0)
        new_mean, new_var = second_TD[members].mean(0), second_TD[members].var(0, correction=0)
        delta = new_mean - mean
        torch.testing.assert_close(module.mean_MD[row].double(), mean + (1 - beta) * delta, rtol=1e-5, atol=1e-6)
        expected_var = beta * var + (1 - beta) * (new_var + beta * delta**2)
        torch.testing.assert_close(module.var_MD[row].double(), expected_var, rtol=1e-5, atol=1e-6)


def test_a_batch_without_a_modality_leaves_its_gaussian_alone_and_padding_counts_for_none() -> None:
    module, x_TD = GaussianModality(text_config()), random(6, 4).float()
    module.update(x_TD, IS_VISION, EVERY_TOKEN)
    before = module.mean_MD[1].clone()
    module.update(x_TD + 9, IS_VISION, ~IS_VISION)  # the image features are padding now
    assert torch.equal(module.mean_MD[1], before)
    assert not torch.equal(module.mean_MD[0], x_TD[3:].mean(0))


def test_a_single_token_gives_a_variance_that_can_be_divided_by() -> None:
    module, x_TD = GaussianModality(text_config()), random(2, 4).float()
    module.update(x_TD, torch.tensor([True, False]), EVERY_TOKEN[:2])
    assert (module.var_MD > 0).all()
    assert module(x_TD).isfinite().all()


def test_until_both_modalities_were_seen_scores_are_undecided() -> None:
    module, x_TD = GaussianModality(text_config()), random(6, 4).float()
    module.update(x_TD, torch.zeros(6, dtype=torch.bool), EVERY_TOKEN)
    assert module(x_TD).tolist() == [0.5] * 6


def test_well_separated_modalities_get_scores_near_their_hard_labels() -> None:
    module, x_TD = GaussianModality(text_config()), random(6, 4).float()
    x_TD[:3] += 20
    module.update(x_TD, IS_VISION, EVERY_TOKEN)
    torch.testing.assert_close(module(x_TD), hard_scores(IS_VISION), rtol=0, atol=1e-4)


def test_gaussian_scores_are_not_rounded_under_autocast() -> None:
    x_TD, mean_MD, var_MD = (
        random(7, 64).float(),
        random(2, 64, seed=1).float() / 50,
        random(2, 64, seed=2).exp().float(),
    )
    with torch.autocast("cpu", torch.bfloat16):
        found_TM = gaussian_modality_scores(x_TD, mean_MD, var_MD, temperature=32.0)
    expected_TM = plain_gaussian_scores(x_TD.double(), mean_MD.double(), var_MD.double(), 32.0)
    torch.testing.assert_close(found_TM.double(), expected_TM, rtol=1e-5, atol=1e-6)


def test_gaussians_of_a_bfloat16_model_follow_a_drift_of_one_percent_a_step() -> None:
    module = GaussianModality(text_config()).to(torch.bfloat16)
    for step in range(400):
        module.update(random(6, 4, seed=step).to(torch.bfloat16) + 2, IS_VISION, EVERY_TOKEN)
        if step == 0:
            module.mean_MD.fill_(0.0)
    assert module.mean_MD.dtype == torch.float32
    torch.testing.assert_close(module.mean_MD, torch.full((2, 4), 2.0), rtol=0.1, atol=0)
