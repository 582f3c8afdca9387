"""A model that was told no expert backend: what runs on which device, in which dtype and widths, and for gradients."""

import json

import pytest
import torch
from transformers import AutoModel, AutoModelForImageTextToText, LlavaNextForConditionalGeneration
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from moevlm import EXPERT_BACKENDS, MoEVLM, MoEVLMTextConfig
from moevlm.kernels import best_backend as best_experts
from moevlm.kernels.backends import DEFAULT_BACKENDS, reference_experts
from moevlm.kernels.best_backend import AUTO, MOST_GATHERED_PAIRS
from moevlm.kernels.cpu.build import load
from moevlm.model.feedforward import MoEVLMExperts

BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}
KERNELS = "kernels"
needs_kernels = pytest.mark.skipif(load() is not None, reason="no C++ compiler")


@pytest.fixture
def ran(monkeypatch):
    """Note which backend each call ends in."""
    names = []

    def noting(name, function):
        def noted(*args, **others):
            output = function(*args, **others)
            names.extend([name] if output is not None else [])
            return output

        return noted

    for name in set(EXPERT_BACKENDS) - {"eager"}:
        monkeypatch.setitem(ALL_EXPERTS_FUNCTIONS, name, noting(name, ALL_EXPERTS_FUNCTIONS[name]))
    monkeypatch.setattr(best_experts, "fast_experts", noting(KERNELS, best_experts.fast_experts))
    return names


def run(num_tokens, dtype, widths=(64, 32), with_gradient=False):
    """Run a layer that was told no backend; return its output and the oracle's."""
    generator, (hidden_size, width) = torch.Generator().manual_seed(3), widths
    sizes = {"hidden_size": hidden_size, "moe_intermediate_size": width, "head_dim": 16}
    config = MoEVLMTextConfig(num_experts=8, num_experts_per_tok=2, **sizes)
    config._experts_implementation = AUTO
    experts = MoEVLMExperts(config).to(dtype)
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    hidden_TH = torch.randn(num_tokens, hidden_size, generator=generator).to(dtype)
    weights_TK, ids_TK = torch.rand(num_tokens, 8, generator=generator).topk(2)
    inputs = hidden_TH, ids_TK, weights_TK.to(dtype)
    with torch.set_grad_enabled(with_gradient):
        found = experts(*inputs)
    assert found.requires_grad == with_gradient
    with torch.no_grad():
        return found.double(), reference_experts(experts.gate_up_proj, experts.down, *inputs)


def check(found, expected, dtype):
    assert (found - expected).norm() < BOUNDS[dtype] * expected.norm()


WAYS = {
    "moevlm.MoEVLM": lambda config, _: MoEVLM(config),
    "a folder": lambda _, folder: AutoModelForImageTextToText.from_pretrained(folder),
    "a folder by its class": lambda _, folder: MoEVLM.from_pretrained(folder, dtype=torch.bfloat16),
    "the head's Auto class": lambda config, _: AutoModelForImageTextToText.from_config(config),
    "the inner Auto class": lambda config, _: AutoModel.from_config(config),
    "the decoder's": lambda config, _: AutoModel.from_config(config.text_config),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_model_is_the_best_of_its_device_however_it_is_made(make_model, make_config, tmp_path, way):
    saved = make_model()
    saved.set_experts_implementation("batched_mm")
    saved.save_pretrained(tmp_path)
    model = WAYS[way](make_config(), tmp_path)
    layers = [module for module in model.modules() if isinstance(module, MoEVLMExperts)]
    assert {layer.config._experts_implementation for layer in layers} == {AUTO}
    assert model.config._experts_implementation == AUTO
    assert "experts_implementation" not in json.dumps(model.config.to_dict())


def test_a_backend_that_was_asked_for_is_kept_until_the_best_is_asked_for_again(make_config, ran):
    model, ids_BS = MoEVLM._from_config(make_config(), experts_implementation="batched_mm"), torch.ones(1, 3).long()
    model(ids_BS)
    assert set(ran) == {"batched_mm"}
    ran.clear()
    model.set_experts_implementation(None)
    model(ids_BS)
    assert set(ran) == {"grouped_mm"}  # gradients are on


@needs_kernels
def test_kernels_run_where_no_gradient_is_wanted_in_forward_and_generate(make_model, make_prompt, ran):
    model, ids_BS = make_model(), make_prompt(1, 8)
    with torch.no_grad():
        model(ids_BS)
    assert ran == [KERNELS] * 2  # layers
    model.generate(ids_BS, max_new_tokens=3, do_sample=False, eos_token_id=None)
    assert ran == [KERNELS] * 2 * 4


CPU_CASES = {
    "gradients": ((5, torch.float32, (64, 32), True), "grouped_mm"),
    "gradients in bfloat16": ((5, torch.bfloat16, (64, 32), True), "grouped_mm"),
    "gradients in float64": ((5, torch.float64, (64, 32), True), "moevlm"),
    "gradients of odd widths": ((5, torch.float32, (34, 18), True), "moevlm"),
    "gradients of widths odd in two bytes": ((5, torch.float16, (36, 20), True), "moevlm"),
    "the same widths in four": ((5, torch.float32, (36, 20), True), "grouped_mm"),
    "float16": ((5, torch.float16, (64, 32), False), "moevlm"),
    "odd widths": ((40, torch.bfloat16, (36, 20), False), "moevlm"),
}


@pytest.mark.parametrize("case", CPU_CASES)
def test_a_cpu_runs_what_takes_the_dtype_and_the_widths(ran, case):
    options, name = CPU_CASES[case]
    found, expected = run(*options)
    assert ran == [name]
    check(found, expected, options[1])


GPU_CASES = {
    "few pairs": ((MOST_GATHERED_PAIRS // 2, torch.float32), "batched_mm"),
    "few pairs of odd widths": ((3, torch.bfloat16, (34, 18)), "batched_mm"),
    "more": ((MOST_GATHERED_PAIRS // 2 + 1, torch.float32), "grouped_mm"),
    "more, with gradients": ((40, torch.bfloat16, (64, 32), True), "grouped_mm"),
    "more of odd widths": ((40, torch.bfloat16, (36, 32)), "moevlm"),
    "more of odd experts": ((40, torch.bfloat16, (64, 20)), "moevlm"),
}


@pytest.mark.parametrize("case", GPU_CASES)
def test_where_grouped_mm_is_the_default_few_pairs_copy_weights_and_odd_widths_are_ours(ran, monkeypatch, case):
    monkeypatch.setitem(DEFAULT_BACKENDS, "cpu", DEFAULT_BACKENDS["cuda"])
    options, name = GPU_CASES[case]
    found, expected = run(*options)
    assert ran == [name]
    check(found, expected, options[1])


@pytest.mark.parametrize(("hidden_size", "width"), [(36, 20), (34, 18), (64, 20)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_model_of_odd_widths_runs_trains_and_generates(make_model, make_prompt, dtype, hidden_size, width):
    sizes = {"hidden_size": hidden_size, "moe_intermediate_size": width, "initializer_range": 0.1}
    model, ids_BS = make_model(dtype, **sizes), make_prompt(2, 12)
    exact = make_model(**sizes).to(dtype).double()  # of the rounded weights
    exact.set_experts_implementation("reference")
    output = model(ids_BS, labels=ids_BS)
    output.loss.backward()
    assert model.model.language_model.layers[0].mlp.experts.down.grad.isfinite().all()
    expected = exact(ids_BS).logits
    with torch.no_grad():
        without_gradient = model(ids_BS).logits
    for logits in (output.logits, without_gradient):
        assert (logits.double() - expected).norm() < 5 * BOUNDS[dtype] * expected.norm()
    assert model.generate(ids_BS, max_new_tokens=3, do_sample=False, eos_token_id=None).shape == (2, 15)


@pytest.mark.parametrize(
    ("dtype", "hidden_size", "width"), [(torch.float32, 34, 32), (torch.float32, 64, 18), (torch.bfloat16, 36, 20),
                                        (torch.float64, 64, 32)],
)  # fmt: skip
def test_grouped_mm_is_refused_by_name_where_torch_would_refuse_it(make_model, dtype, hidden_size, width):
    model = make_model(dtype, hidden_size=hidden_size, moe_intermediate_size=width)
    said = f"grouped_mm needs .*whole 16 bytes, got {str(dtype)[6:]}, hidden_size={hidden_size}, .*={width}; "
    with pytest.raises(ValueError, match=said):
        model.set_experts_implementation("grouped_mm")
    make_model(dtype, hidden_size=hidden_size, num_experts=0).set_experts_implementation("grouped_mm")


@pytest.mark.parametrize("dtype", BOUNDS)
def test_the_rule_is_torchs_own(dtype):
    ends = torch.tensor([2], dtype=torch.int32)
    for size in range(16, 33):
        rows, weights = torch.ones(2, size, dtype=dtype), torch.ones(1, size, size, dtype=dtype)
        try:
            torch.nn.functional.grouped_mm(rows, weights, offs=ends)
        except RuntimeError:
            assert not best_experts.takes_grouped(dtype, size, size)
        else:
            assert best_experts.takes_grouped(dtype, size, size)


def test_llava_next_before_it_takes_no_backend_away(make_config):
    assert not LlavaNextForConditionalGeneration._can_set_experts_implementation()  # and its class remembers
    model = MoEVLM(make_config())
    model.set_experts_implementation("eager")
    assert model.model.language_model.config._experts_implementation == "eager"


def test_an_unknown_backend_is_refused_by_name(make_config):
    with pytest.raises(ValueError, match='experts_implementation="grouped"'):
        MoEVLM._from_config(make_config(), experts_implementation="grouped")
