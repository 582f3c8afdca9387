"""A decode step's attention as one operator: the same as its parts one by one, and when it is left to them."""

import pytest
import torch
from torch import nn

from moevlm import prefill
from moevlm.generation import answer
from moevlm.kernels.cpu import step
from moevlm.kernels.cpu.build import load
from moevlm.model.attention import mask_of_few
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile
from tests.moevlm.generation.test_generation import left_padded

pytestmark = pytest.mark.skipif(load() is not None, reason="no C++ compiler")
NEW_TOKENS = 40


@pytest.fixture
def model(make_model):
    return make_model(head_dim=64)


@pytest.fixture
def count_attends(monkeypatch):
    """Count the calls of the operator from here on."""
    calls = []
    attend = step.attend

    def counted(*args, **sizes):
        calls.append(None)
        return attend(*args, **sizes)

    monkeypatch.setattr(step, "attend", counted)
    return calls


def without_kernels(monkeypatch, run):
    with monkeypatch.context() as patch:
        patch.setattr(step, "takes", lambda *_: False)
        return run()


@pytest.mark.parametrize("is_padded", [False, True])
@pytest.mark.parametrize("num_experts", [8, 0])
def test_greedy_tokens_are_those_of_torchs_operations(
    make_model, make_prompt, monkeypatch, count_attends, num_experts, is_padded
):
    model = make_model(head_dim=64, num_experts=num_experts)
    if num_experts:
        apply_profile(model, RoutingProfile.parse("specialized:3"))
    prompts = make_prompt(3, 20)
    inputs = left_padded([prompts[0], prompts[1, :11], prompts[2, :16]]) if is_padded else {"input_ids": prompts}
    monkeypatch.setattr("moevlm.generation.decode.fused_steps", lambda *_: None)  # the modules themselves
    expected = without_kernels(monkeypatch, lambda: answer(model, inputs, max_new_tokens=NEW_TOKENS))
    assert not count_attends
    assert torch.equal(answer(model, inputs, max_new_tokens=NEW_TOKENS), expected)
    assert len(count_attends) == 2 * (NEW_TOKENS - 1)  # layers x steps
    assert max(len(sample.unique()) for sample in expected) >= 8


def test_logits_and_cache_are_those_of_a_prompt_one_longer(make_model, make_prompt, count_attends):
    model, ids_BS = make_model(torch.float32, head_dim=64), make_prompt(2, 20)
    state = prefill(model, {"input_ids": ids_BS[:, :19]}, max_new_tokens=4)
    with torch.inference_mode():
        found = model.model.language_model(
            input_ids=ids_BS[:, 19:], position_ids=torch.full((2, 1), 19), cache=state.cache
        ).last_hidden_state
        expected = model.model.language_model(input_ids=ids_BS).last_hidden_state[:, -1:]
    assert len(count_attends) == 2
    assert state.cache.get_seq_length() == 20
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def as_eager(model):
    model.set_attn_implementation("eager")


def with_an_adapter(model):
    class Adapted(nn.Linear):
        pass

    for layer in model.model.language_model.layers:
        layer.self_attn.q_proj.__class__ = Adapted


def with_biases(model):
    for layer in model.model.language_model.layers:
        for projection in layer.self_attn.projections:
            projection.bias = nn.Parameter(torch.zeros(projection.out_features))


def watched(name):
    """Hook a part of every layer's attention, to see what it returns."""

    def watch(model):
        for layer in model.model.language_model.layers:
            layer.self_attn.get_submodule(name).register_forward_hook(lambda *_: None)

    watch.__name__ = f"watched {name}"
    return watch


CHANGES = [as_eager, with_an_adapter, with_biases, watched("q_proj"), watched("v_proj"), watched("q_norm")]


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_operator_does_not_know_is_left_to_the_parts(model, make_prompt, count_attends, change):
    inputs = {"input_ids": make_prompt(2, 20)}
    expected = answer(model, inputs, max_new_tokens=NEW_TOKENS)
    count_attends.clear()
    change(model)
    assert torch.equal(answer(model, inputs, max_new_tokens=NEW_TOKENS), expected)
    assert not count_attends


def test_a_cache_that_is_not_ours_is_left_to_the_parts(model, make_prompt, count_attends):
    model.generate(make_prompt(2, 20), max_new_tokens=3, do_sample=False)
    assert not count_attends


@pytest.mark.parametrize(("num_queries", "num_keys"), [(1, 1), (1, 9), (5, 5), (15, 15), (3, 7)])
def test_few_keys_are_seen_up_to_each_querys_own(num_queries, num_keys):
    is_seen = mask_of_few(torch.empty(2, 4, num_queries, 8), torch.empty(2, 2, num_keys, 8))
    first = num_keys - num_queries
    expected = [[key <= first + query for key in range(num_keys)] for query in range(num_queries)]
    assert is_seen[0, 0].tolist() == expected


@pytest.mark.parametrize(("num_keys", "device"), [(16, "cpu"), (9, "meta")])
def test_other_keys_need_no_mask_written_out(num_keys, device):
    states = torch.empty(2, 4, num_keys, 8, device=device)
    assert mask_of_few(states, states) is None


def double_output(part):
    part.register_forward_hook(lambda _part, _inputs, output: 2 * output)


def double_input(part):
    part.register_forward_pre_hook(lambda _part, inputs: (2 * inputs[0],))


@pytest.mark.parametrize(
    ("name", "hook"), [("v_proj", double_output), ("v_proj", double_input), ("o_proj", double_output),
                       ("q_norm", double_output), ("k_norm", double_output)],
)  # fmt: skip
def test_a_hook_changes_prompt_and_steps_as_a_changed_weight_does(make_model, make_prompt, name, hook):
    hooked, changed, inputs = *(make_model(head_dim=64) for _ in range(2)), {"input_ids": make_prompt(2, 20)}
    before = answer(hooked, inputs, max_new_tokens=NEW_TOKENS)
    for layers in zip(*(model.model.language_model.layers for model in (hooked, changed)), strict=True):
        parts = [layer.self_attn.get_submodule(name) for layer in layers]
        hook(parts[0])
        parts[1].weight.data *= 2
    found = answer(hooked, inputs, max_new_tokens=NEW_TOKENS)
    assert torch.equal(found, answer(changed, inputs, max_new_tokens=NEW_TOKENS))
    assert not torch.equal(found, before)
