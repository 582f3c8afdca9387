"""Expert bins: against plain sorting and averaging, and a model whose experts are laid out anew."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moevlm import MoEVLM, RoutingProfile, apply_profile
from moevlm.smoes.binning import ExpertBins, assign_bins, bin_order, permute_experts, text_bias
from moevlm.smoes.specialization import recorded_routing

NUM_EXPERTS = 8
MOMENTUM = 0.9


def random_load(seed, num_experts=NUM_EXPERTS):
    return torch.rand(2, num_experts, generator=torch.Generator().manual_seed(seed)) * 100


def make_bins(num_bins=4, *, fixed=False):
    return ExpertBins(NUM_EXPERTS, num_bins, momentum=MOMENTUM, fixed=fixed)


def test_text_bias_is_the_text_share_of_a_load_and_one_half_without_any():
    load_ME = torch.tensor([[3.0, 0.0, 5.0, 0.0], [1.0, 2.0, 0.0, 0.0]])
    assert text_bias(load_ME).tolist() == [0.75, 0.0, 1.0, 0.5]


def test_bin_0_is_the_most_vision_leaning():
    assert assign_bins(torch.tensor([0.9, 0.1, 0.5, 0.2, 0.7, 0.3]), 3).tolist() == [2, 0, 1, 0, 2, 1]


@pytest.mark.parametrize("num_bins", [1, 2, 4, 8])
def test_experts_of_equal_bias_keep_their_order(num_bins):
    expected = [expert // (NUM_EXPERTS // num_bins) for expert in range(NUM_EXPERTS)]
    assert assign_bins(torch.full((NUM_EXPERTS,), 0.5), num_bins).tolist() == expected


@given(
    bias=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=12, max_size=12),
    num_bins=st.sampled_from([1, 2, 3, 4, 6, 12]),
)
def test_bins_are_consecutive_runs_of_a_stable_sort(bias, num_bins):
    bins = assign_bins(torch.tensor(bias), num_bins)
    by_bias = sorted(range(12), key=lambda expert: (bias[expert], expert))
    size = 12 // num_bins
    for bin_index in range(num_bins):
        assert set(bins.eq(bin_index).nonzero().flatten().tolist()) == set(by_bias[bin_index * size :][:size])
    assert bins.dtype == torch.int64


@pytest.mark.parametrize("num_bins", [0, 3, 16, -2])
def test_a_number_of_bins_that_does_not_divide_the_experts_is_refused(num_bins):
    with pytest.raises(ValueError, match=f"num_bins must divide num_experts=8, got {num_bins}; choose a divisor"):
        assign_bins(torch.zeros(NUM_EXPERTS), num_bins)


def test_bin_order_lists_experts_bin_by_bin():
    assert bin_order(torch.tensor([2, 0, 1, 0, 2, 1])).tolist() == [1, 3, 2, 5, 0, 4]


def test_bins_start_in_index_order_without_a_load():
    bins = make_bins()
    assert bins.bin_of_expert_E.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert not bins.load_ME.any()


def test_load_is_an_exponential_mean_and_bins_sort_by_it():
    bins, expected_ME = make_bins(), torch.zeros(2, NUM_EXPERTS, dtype=torch.float64)
    for seed in range(5):
        bins.update(random_load(seed))
        expected_ME = MOMENTUM * expected_ME + (1 - MOMENTUM) * random_load(seed).double()
    torch.testing.assert_close(bins.load_ME, expected_ME.float())
    by_bias = sorted(range(NUM_EXPERTS), key=lambda expert: expected_ME[0, expert] / expected_ME[:, expert].sum())
    assert [int(bins.bin_of_expert_E[expert]) for expert in by_bias] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_one_odd_batch_does_not_move_experts_between_bins():
    bins = make_bins(num_bins=2)
    steady_ME = torch.tensor([[10.0] * 4 + [0.0] * 4, [0.0] * 4 + [10.0] * 4])
    for _ in range(20):
        bins.update(steady_ME)
    bins.update(steady_ME.flip(0))
    assert bins.bin_of_expert_E.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_fixed_bins_stay_in_index_order_while_the_load_is_followed():
    bins, moving = make_bins(fixed=True), make_bins()
    for seed in range(3):
        bins.update(random_load(seed))
        moving.update(random_load(seed))
    assert bins.bin_of_expert_E.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(bins.load_ME, moving.load_ME)


def test_small_steps_of_the_load_survive_a_cast_to_bfloat16():
    bins = make_bins().to(torch.bfloat16)
    bins.load_ME.fill_(1.0)
    for _ in range(20):
        bins.update(torch.full((2, NUM_EXPERTS), 1.01, dtype=torch.bfloat16))  # steps of 0.1 %, below bfloat16's
    assert bins.load_ME.dtype == torch.float32
    target = torch.tensor(1.01, dtype=torch.bfloat16).item()
    torch.testing.assert_close(bins.load_ME, torch.full((2, NUM_EXPERTS), target + MOMENTUM**20 * (1 - target)))
    assert bins.bin_of_expert_E.dtype == torch.int64


def test_an_update_keeps_no_graph_and_no_other_tensor():
    bins = make_bins()
    load_ME = random_load(0).requires_grad_()
    before = dict(bins.named_buffers())
    bins.update(load_ME)
    after = dict(bins.named_buffers())
    assert all(after[name] is before[name] and not after[name].requires_grad for name in before)


def test_state_dict_carries_load_and_bins():
    bins, fresh = make_bins(), make_bins()
    bins.update(random_load(0))
    fresh.load_state_dict(bins.state_dict())
    assert set(bins.state_dict()) == {"load_ME", "bin_of_expert_E"}
    assert torch.equal(fresh.load_ME, bins.load_ME)
    assert torch.equal(fresh.bin_of_expert_E, bins.bin_of_expert_E)


def test_reset_fills_buffers_that_came_from_the_meta_device():
    with torch.device("meta"):
        bins = make_bins()
    bins.to_empty(device="cpu")
    bins.load_ME.fill_(torch.nan)
    bins.bin_of_expert_E.fill_(99)
    bins.reset()
    assert not bins.load_ME.any()
    assert bins.bin_of_expert_E.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def make_trained(make_model, **config):
    """Build a model whose layers' bins have seen different loads."""
    model = make_model(num_bins=4, **config)
    for layer, bins in enumerate(expert_bins(model)):
        bins.update(random_load(layer))
    return model


def expert_bins(model):
    return [module for module in model.modules() if isinstance(module, ExpertBins)]


def orders_of(model):
    return [bin_order(bins.bin_of_expert_E) for bins in expert_bins(model)]


@torch.no_grad()
def logits_and_ids(model, ids_BS):
    with recorded_routing(model) as ids:
        logits = model(ids_BS, pixel_values=torch.ones(2, 3, 28, 28)).logits
    return logits, ids


@pytest.mark.parametrize("profile", ["weights", "uniform"])
def test_a_permutation_of_experts_keeps_logits_and_renames_the_chosen_experts(make_model, make_prompt, profile):
    model, ids_BS = make_trained(make_model), make_prompt(2, 16, image_tokens=4)
    apply_profile(model, RoutingProfile.parse(profile))
    logits, ids = logits_and_ids(model, ids_BS)
    orders = orders_of(model)
    assert len({tuple(order.tolist()) for order in orders}) == 2
    permute_experts(model, orders)
    moved_logits, moved_ids = logits_and_ids(model, ids_BS)
    torch.testing.assert_close(moved_logits, logits, rtol=1e-4, atol=1e-5)
    for order_E, ids_TK, moved_TK in zip(orders, ids, moved_ids, strict=True):
        assert not torch.equal(moved_TK, ids_TK)
        assert torch.equal(order_E[moved_TK], ids_TK)


def test_a_layout_bin_by_bin_makes_bins_contiguous_and_moves_their_loads_along(make_model):
    model = make_trained(make_model)
    orders, loads = orders_of(model), [bins.load_ME.clone() for bins in expert_bins(model)]
    permute_experts(model, orders)
    for bins, order_E, load_ME in zip(expert_bins(model), orders, loads, strict=True):
        assert bins.bin_of_expert_E.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        assert torch.equal(bins.load_ME, load_ME[:, order_E])
        assert text_bias(bins.load_ME)[:2].max() <= text_bias(bins.load_ME)[2:].min()


def test_a_permuted_checkpoint_loads_with_its_bins_and_gives_the_same_logits(make_model, make_prompt, tmp_path):
    model, ids_BS = make_trained(make_model), make_prompt(2, 16, image_tokens=4)
    logits, _ = logits_and_ids(model, ids_BS)
    permute_experts(model, orders_of(model))
    model.save_pretrained(tmp_path)
    loaded = MoEVLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(logits_and_ids(loaded, ids_BS)[0], logits, rtol=1e-4, atol=1e-5)
    for found, saved in zip(expert_bins(loaded), expert_bins(model), strict=True):
        assert torch.equal(found.bin_of_expert_E, saved.bin_of_expert_E)
        assert torch.equal(found.load_ME, saved.load_ME)


def test_a_permutation_and_its_inverse_restore_every_tensor(make_model):
    model = make_trained(make_model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    orders = orders_of(model)
    permute_experts(model, orders)
    assert not all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    permute_experts(model, [order_E.argsort() for order_E in orders])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_experts_of_hard_routing_are_not_permuted(make_model):
    model = make_model(num_text_experts=4)
    with pytest.raises(ValueError, match=r"num_text_experts must be None to permute experts .*, got 4; leave"):
        permute_experts(model, [torch.arange(NUM_EXPERTS)] * 2)


def test_orders_must_be_one_for_each_layer(make_model):
    with pytest.raises(ValueError, match="orders must be as many as MoE layers, 2, got 1; give one a layer"):
        permute_experts(make_model(), [torch.arange(NUM_EXPERTS)])


@pytest.mark.parametrize("order", [[0, 0, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3]])
def test_an_order_that_is_no_permutation_is_refused_before_anything_moves(make_model, order):
    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"an order must hold each of the 8 experts once, got .* for MoE layer 1"):
        permute_experts(model, [torch.arange(NUM_EXPERTS).flip(0), torch.tensor(order)])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
