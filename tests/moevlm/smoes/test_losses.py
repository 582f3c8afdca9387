"""SMoES' losses: against plain loops in float64, values computed by hand, transformers' balance loss and gradcheck."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

from moevlm.smoes.losses import (
    MIN_PROBABILITY,
    inter_bin_divergence,
    inter_bin_mutual_information,
    intra_bin_load_balance,
    modality_load,
)

BINS = torch.tensor([1, 0, 2, 1, 0, 2])  # six experts in three bins, not in index order
MEASURES = [inter_bin_mutual_information, inter_bin_divergence]
seeds = st.integers(0, 2**32 - 1)


def draw(batch_size=3, num_tokens=5, num_experts=6, seed=0, dtype=torch.float64):
    """Return random soft scores (B, T, M) and gates (B, T, E)."""
    generator = torch.Generator().manual_seed(seed)
    text_BT = torch.rand(batch_size, num_tokens, generator=generator, dtype=torch.float64)
    logits_BTE = 2 * torch.randn(batch_size, num_tokens, num_experts, generator=generator, dtype=torch.float64)
    return torch.stack([text_BT, 1 - text_BT], dim=-1).to(dtype), logits_BTE.softmax(-1).to(dtype)


def hard(*labels):
    """Return one sample's scores (1, T, M) from labels: "t" for text, "v" for vision."""
    return torch.tensor([[[float(label == "t"), float(label == "v")] for label in labels]], dtype=torch.float64)


def plain_bin_means(scores_TM, gates_TE, bins, mask_T):
    """Compute S of the paper for one sample with plain loops."""
    bins, num_bins = bins.tolist(), int(bins.max()) + 1
    means = [[0.0] * num_bins for _ in range(2)]
    for modality in range(2):
        tokens = [token for token in range(len(mask_T)) if mask_T[token]]
        mass = sum(float(scores_TM[token, modality]) for token in tokens)
        for expert, bin_index in enumerate(bins):
            size = bins.count(bin_index)
            for token in tokens:
                weight = float(scores_TM[token, modality])
                means[modality][bin_index] += weight * float(gates_TE[token, expert]) / (size * mass)
    return means


def plain_mutual_information(scores_TM, gates_TE, bins, mask_T):
    means = plain_bin_means(scores_TM, gates_TE, bins, mask_T)
    total = sum(map(sum, means))
    joint = [[value / total for value in row] for row in means]
    of_modality, of_bin = [sum(row) for row in joint], [sum(column) for column in zip(*joint, strict=True)]
    return sum(
        joint[m][k] * math.log(joint[m][k] / (of_modality[m] * of_bin[k])) for m in range(2) for k in range(len(of_bin))
    )


def plain_divergence(scores_TM, gates_TE, bins, mask_T):
    text, vision = ([value / sum(row) for value in row] for row in plain_bin_means(scores_TM, gates_TE, bins, mask_T))
    one_way = sum(p * math.log(p / q) for p, q in zip(text, vision, strict=True))
    other_way = sum(q * math.log(q / p) for p, q in zip(text, vision, strict=True))
    return (one_way + other_way) / 2


@pytest.mark.parametrize(
    ("measure", "plain"),
    [(inter_bin_mutual_information, plain_mutual_information), (inter_bin_divergence, plain_divergence)],
)
def test_measure_equals_plain_loops_with_padding(measure, plain):
    scores_BTM, gates_BTE = draw(num_tokens=7)
    mask_BT = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0, 0]]).bool()
    expected = [plain(scores_BTM[i], gates_BTE[i], BINS, mask_BT[i]) for i in range(3)]
    found_B = measure(scores_BTM, gates_BTE, BINS, mask_BT)
    torch.testing.assert_close(found_B, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("labels", ["tv", "tttttv", "tvvv"])
def test_a_clean_split_is_log_2_whatever_the_number_of_tokens_of_each_modality(labels):
    gates_BTE = torch.tensor([[[0.6, 0.4, 0.0, 0.0] if label == "v" else [0.0, 0.0, 1.0, 0.0] for label in labels]])
    mi_B = inter_bin_mutual_information(hard(*labels), gates_BTE.double(), torch.tensor([0, 0, 1, 1]))
    assert mi_B.item() == pytest.approx(math.log(2), rel=1e-12)


def test_values_of_a_partial_split_by_hand():
    gates_BTE = torch.tensor([[[0.50, 0.25, 0.25, 0.00], [0.0, 0.25, 0.25, 0.50]]], dtype=torch.float64)
    inputs = (hard("t", "v"), gates_BTE, torch.tensor([0, 0, 1, 1]))
    # Over bins the text has (3/4, 1/4), the vision (1/4, 3/4); each modality is half of the joint distribution.
    assert inter_bin_mutual_information(*inputs).item() == pytest.approx(
        0.75 * math.log(1.5) - 0.25 * math.log(2), rel=1e-12
    )
    assert inter_bin_divergence(*inputs).item() == pytest.approx(0.5 * math.log(3), rel=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_router_blind_to_modality_measures_0(measure):
    scores_BTM, gates_BTE = draw()
    same_BTE = gates_BTE[:, :1].expand_as(gates_BTE)
    torch.testing.assert_close(measure(scores_BTM, same_BTE, BINS), torch.zeros(3).double(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("measure", MEASURES)
def test_measures_have_the_gradients_of_their_values(measure):
    scores_BTM, gates_BTE = (tensor.requires_grad_() for tensor in draw())
    mask_BT = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()
    assert torch.autograd.gradcheck(lambda s, g: measure(s, g, BINS, mask_BT), (scores_BTM, gates_BTE))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("measure", MEASURES)
def test_a_sample_of_one_modality_gives_exactly_0_and_no_gradient_beside_one_that_counts(measure, dtype):
    _, gates_BTE = draw(batch_size=4, dtype=dtype)
    scores_BTM = torch.cat([hard(*"ttttt"), hard(*"vvvvv"), hard(*"tttvv"), hard(*"ttvtv")]).to(dtype)
    mask_BT = torch.tensor([[1] * 5, [1] * 5, [1, 1, 1, 0, 0], [1] * 5]).bool()  # the third's vision is padding
    scores_BTM.requires_grad_()
    gates_BTE.requires_grad_()
    found_B = measure(scores_BTM, gates_BTE, BINS, mask_BT)
    found_B.mean().backward()
    assert found_B[:3].tolist() == [0.0, 0.0, 0.0]
    assert found_B[3] > 0
    for gradient in (scores_BTM.grad, gates_BTE.grad):
        assert gradient.isfinite().all()
        assert not gradient[:3].any()
        assert gradient[3].any()


@pytest.mark.parametrize("measure", MEASURES)
def test_scores_that_differ_from_a_label_by_rounding_are_of_one_modality(measure):
    scores_BTM, gates_BTE = draw(batch_size=1)
    text_BT1 = torch.full_like(scores_BTM[..., :1], 1 - 2**-23)
    assert measure(torch.cat([text_BT1, 1 - text_BT1], dim=-1), gates_BTE, BINS).item() == 0.0


@pytest.mark.parametrize("measure", MEASURES)
def test_a_sample_of_padding_alone_gives_0(measure):
    scores_BTM, gates_BTE = draw(batch_size=1)
    gates_BTE.requires_grad_()
    found_B = measure(scores_BTM, gates_BTE, BINS, torch.zeros(1, 5).bool())
    found_B.sum().backward()
    assert found_B.item() == 0.0
    assert not gates_BTE.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("measure", MEASURES)
def test_gates_of_exactly_0_leave_value_and_gradient_finite(measure, dtype):
    gates_BTE = torch.tensor([[[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]], dtype=dtype, requires_grad=True)
    found_B = measure(hard("t", "v").to(dtype), gates_BTE, torch.tensor([0, 0, 1, 1]))
    found_B.sum().backward()
    assert 0 < found_B.item() <= -math.log(MIN_PROBABILITY) * (1 + 1e-6)
    assert gates_BTE.grad.isfinite().all()


@given(seed=seeds, batch_size=st.integers(1, 3), num_tokens=st.integers(1, 6), num_bins=st.sampled_from([1, 2, 3, 6]))
@settings(max_examples=50, deadline=None)
def test_mutual_information_is_between_0_and_log_2_and_divergence_is_not_negative(
    seed, batch_size, num_tokens, num_bins
):
    scores_BTM, gates_BTE = draw(batch_size, num_tokens, seed=seed)
    bins = torch.arange(6) % num_bins
    mi_B = inter_bin_mutual_information(scores_BTM, gates_BTE, bins)
    assert ((mi_B >= -1e-12) & (mi_B <= math.log(2) + 1e-12)).all()
    assert (inter_bin_divergence(scores_BTM, gates_BTE, bins) >= -1e-12).all()


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_order_of_tokens_and_of_experts_within_a_bin_and_names_of_bins_do_not_matter(seed):
    scores_BTM, gates_BTE = draw(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    tokens, experts = (torch.randperm(size, generator=generator) for size in (5, 6))
    swapped = torch.tensor([3, 1, 5, 0, 4, 2])  # experts 0 and 3 of bin 1, 2 and 5 of bin 2
    for measure in MEASURES:
        expected_B = measure(scores_BTM, gates_BTE, BINS)
        for found_B in (
            measure(scores_BTM[:, tokens], gates_BTE[:, tokens], BINS),
            measure(scores_BTM, gates_BTE[..., swapped], BINS),
            measure(scores_BTM, gates_BTE[..., experts], BINS[experts]),
            measure(scores_BTM, gates_BTE, 2 - BINS),
        ):
            torch.testing.assert_close(found_B, expected_B, rtol=1e-9, atol=1e-12)


def choose(gates_TE, top_k=2):
    return gates_TE.topk(top_k, dim=-1).indices


def test_load_balance_equals_plain_loops_with_padding():
    gates_TE = draw(batch_size=1, num_tokens=9)[1][0]
    ids_TK, mask_T = choose(gates_TE), torch.tensor([0, 1, 1, 0, 1, 1, 1, 1, 1]).bool()
    tokens, expected = mask_T.nonzero().flatten().tolist(), 0.0
    for bin_index in range(3):
        members = [expert for expert in range(6) if BINS[expert] == bin_index]
        for expert in members:
            share = sum(expert in ids_TK[token].tolist() for token in tokens) / len(tokens)
            probability = sum(gates_TE[token, expert].item() for token in tokens) / len(tokens)
            expected += len(members) * share * probability
    found = intra_bin_load_balance(gates_TE, ids_TK, BINS, mask_T)
    assert found.shape == ()
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_load_balance_by_hand():
    gates_TE = torch.tensor([[0.5, 0.2, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]])
    # Shares (1, 0, 0, 0), mean probabilities (0.6, ...), bins of two experts: 2 * 1 * 0.6.
    assert intra_bin_load_balance(gates_TE, torch.tensor([[0], [0]]), torch.tensor([0, 1, 0, 1])).item() == (
        pytest.approx(1.2)
    )


def test_one_bin_is_the_plain_balance_loss_of_transformers():
    logits_TE = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    expected = load_balancing_loss_func((logits_TE,), num_experts=6, top_k=2)
    gates_TE = logits_TE.softmax(-1)
    torch.testing.assert_close(intra_bin_load_balance(gates_TE, choose(gates_TE), torch.zeros(6).long()), expected)


def test_bins_of_equal_size_divide_the_plain_balance_loss_by_their_number():
    gates_TE = draw(batch_size=1, num_tokens=9)[1][0]
    plain = intra_bin_load_balance(gates_TE, choose(gates_TE), torch.zeros(6).long())
    torch.testing.assert_close(intra_bin_load_balance(gates_TE, choose(gates_TE), BINS), plain / 3)


def test_load_balance_has_the_gradient_of_its_value():
    gates_TE = draw(batch_size=1, num_tokens=4)[1][0].requires_grad_()
    ids_TK, mask_T = choose(gates_TE), torch.tensor([1, 1, 0, 1]).bool()
    assert torch.autograd.gradcheck(lambda g: intra_bin_load_balance(g, ids_TK, BINS, mask_T), gates_TE)


def test_load_balance_of_padding_alone_is_0():
    gates_TE = draw(batch_size=1)[1][0]
    assert intra_bin_load_balance(gates_TE, choose(gates_TE), BINS, torch.zeros(5).bool()).item() == 0.0


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_load_balance_does_not_depend_on_the_order_of_tokens_or_of_experts_within_a_bin(seed):
    gates_TE = draw(batch_size=1, seed=seed)[1][0]
    expected = intra_bin_load_balance(gates_TE, choose(gates_TE), BINS)
    tokens, swapped = torch.randperm(5, generator=torch.Generator().manual_seed(seed)), [3, 1, 5, 0, 4, 2]
    for moved_TE in (gates_TE[tokens], gates_TE[:, swapped]):
        torch.testing.assert_close(intra_bin_load_balance(moved_TE, choose(moved_TE), BINS), expected)


def test_modality_load_equals_plain_counts_weighted_by_score():
    scores_TM, gates_TE = (tensor[0] for tensor in draw(batch_size=1, num_tokens=9))
    ids_TK, mask_T = choose(gates_TE), torch.tensor([1, 1, 1, 0, 1, 1, 1, 1, 0]).bool()
    expected_ME = torch.zeros(2, 6, dtype=torch.float64)
    for token in mask_T.nonzero().flatten().tolist():
        for expert in ids_TK[token].tolist():
            expected_ME[:, expert] += scores_TM[token]
    load_ME = modality_load(scores_TM, ids_TK, 6, mask_T)
    assert load_ME.dtype == torch.float32
    torch.testing.assert_close(load_ME, expected_ME.float())


def test_modality_load_of_hard_scores_is_a_histogram_for_each_modality():
    ids_TK = torch.tensor([[0, 1], [1, 2], [1, 3]])
    load_ME = modality_load(hard("t", "v", "v")[0], ids_TK, num_experts=5)
    assert load_ME.tolist() == [[1, 1, 0, 0, 0], [0, 2, 1, 1, 0]]


@pytest.mark.parametrize("is_autocast", [False, True])
def test_bfloat16_inputs_and_autocast_are_summed_in_float32(is_autocast):
    dtype = torch.float32 if is_autocast else torch.bfloat16
    inputs = draw(batch_size=1, num_tokens=3000, dtype=dtype)
    ids_TK = choose(inputs[1][0])
    computations = [
        lambda scores_and_gates: inter_bin_mutual_information(*scores_and_gates, BINS),
        lambda scores_and_gates: inter_bin_divergence(*scores_and_gates, BINS),
        lambda scores_and_gates: intra_bin_load_balance(scores_and_gates[1][0], ids_TK, BINS),
        lambda scores_and_gates: modality_load(scores_and_gates[0][0], ids_TK, 6),
    ]
    for compute in computations:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_autocast):
            found = compute(inputs)
        assert found.dtype == torch.float32
        expected = compute([tensor.double() for tensor in inputs]).float()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
