"""Products of few rows against torch's, and weights side by side: one storage, same parameters, same results."""

import copy

import pytest
import torch
from torch import nn

from moevlm import MoEVLM, prefill
from moevlm.kernels.projections import Projection, lay_side_by_side, product, side_by_side

WIDTHS = (24, 8, 8)


@pytest.fixture
def layers():
    torch.manual_seed(0)
    return [nn.Linear(16, width, bias=False) for width in WIDTHS]


@pytest.mark.parametrize("shape", [(64,), (0, 64), (1, 64), (3, 1, 64), (2, 3, 64), (9, 64)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("with_bias", [False, True])
def test_a_product_equals_the_sum_of_products(shape, dtype, with_bias):
    generator = torch.Generator().manual_seed(1)
    hidden, weight, bias = (
        torch.randn(size, generator=generator, dtype=torch.float64).to(dtype) for size in (shape, (24, 64), (24,))
    )
    expected = (hidden.double()[..., None, :] * weight.double()).sum(-1) + with_bias * bias.double()
    with torch.inference_mode():
        found = product(hidden, weight, bias if with_bias else None)
    bound = {torch.bfloat16: 4e-2, torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    assert (found.dtype, found.shape, found.is_contiguous()) == (dtype, expected.shape, True)
    torch.testing.assert_close(found.double(), expected, rtol=bound, atol=bound)


def test_a_gradient_flows_through_a_projection_of_few_rows():
    layer = Projection(16, 8, dtype=torch.bfloat16)
    layer(torch.ones(2, 16, dtype=torch.bfloat16)).sum().backward()
    assert torch.equal(layer.weight.grad, torch.full((8, 16), 2.0, dtype=torch.bfloat16))


def test_an_adopted_layer_keeps_its_parameters():
    layer = nn.Linear(16, 8)
    adopted = Projection.adopt(layer)
    assert adopted.weight is layer.weight
    assert adopted.bias is layer.bias


def test_layers_side_by_side_are_one_matrix_without_a_copy(layers):
    parameters, values = [layer.weight for layer in layers], [layer.weight.detach().clone() for layer in layers]
    assert side_by_side(layers) is None
    lay_side_by_side(layers)
    matrix = side_by_side(layers)
    assert torch.equal(matrix, torch.cat(values))
    assert [layer.weight for layer in layers] == parameters
    assert matrix.untyped_storage().data_ptr() == layers[2].weight.untyped_storage().data_ptr()
    assert matrix.untyped_storage().nbytes() == sum(value.nbytes for value in values)


def test_layers_side_by_side_still_train(layers):
    with torch.inference_mode():
        lay_side_by_side(layers)
    sum(layer(torch.ones(1, 16)).sum() for layer in layers).backward()
    torch.optim.SGD([layer.weight for layer in layers], lr=1.0).step()
    assert torch.equal(side_by_side(layers), torch.cat([layer.weight for layer in layers]))


@pytest.mark.parametrize("how", ["cast", "deepcopy", "assigned"])
def test_layers_that_were_taken_apart_are_seen_as_such(layers, how):
    lay_side_by_side(layers)
    model = nn.ModuleList(layers)
    if how == "cast":
        model.to(torch.float64)
    elif how == "deepcopy":
        model = copy.deepcopy(model)
    else:
        model[1].weight = nn.Parameter(torch.zeros(8, 16))
    assert side_by_side(list(model)) is None
    lay_side_by_side(list(model))
    assert torch.equal(side_by_side(list(model)), torch.cat([layer.weight for layer in model]))


def test_an_adapter_in_a_layers_place_is_called_itself(layers):
    class Adapter(nn.Linear):
        pass

    layers[1] = Adapter(16, 8, bias=False)
    before = [layer.weight.data_ptr() for layer in layers]
    lay_side_by_side(layers)
    assert [layer.weight.data_ptr() for layer in layers] == before
    assert side_by_side(layers) is None


def test_a_model_with_weights_side_by_side_is_saved_and_loaded_as_before(make_model, make_prompt, tmp_path):
    model, inputs = make_model(), {"input_ids": make_prompt(2, 20)}
    expected, names = model(**inputs).logits, list(model.state_dict())
    prefill(model, inputs, max_new_tokens=1)
    assert side_by_side(model.model.language_model.layers[0].self_attn.projections) is not None
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model(**inputs).logits, expected)
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(MoEVLM.from_pretrained(tmp_path)(**inputs).logits, expected)


def test_layers_made_for_inference_are_laid_side_by_side_too() -> None:
    with torch.inference_mode():
        layers = [nn.Linear(8, 4, bias=False) for _ in range(3)]
        lay_side_by_side(layers)
        joined = side_by_side(layers)
        assert joined is not None
        assert torch.equal(joined, torch.cat([layer.weight for layer in layers]))
