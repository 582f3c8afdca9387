"""torch.compile: one graph with images, experts and kernels, whose results are the plain model's; no warning."""

import pytest
import torch

from moevlm.kernels.cpu.build import load

IMAGE_TOKENS = 4


@pytest.fixture(autouse=True)
def fresh():
    """Forget compiled code of other tests."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


def batch(make_prompt):
    images = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    return {"input_ids": make_prompt(2, 20, IMAGE_TOKENS), "pixel_values": images}


def compiled(model, inputs):
    model(**inputs)  # transformers sets a tower up at its first call, under a lock that no graph takes
    return torch.compile(model, fullgraph=True, backend="aot_eager")


@pytest.mark.skipif(load() is not None, reason="no C++ compiler")
def test_kernels_are_nodes_of_the_graph(make_model, make_prompt):
    graphs = []

    def noting(graph, _inputs):
        graphs.append(graph)
        return graph

    decoder, ids_BS = make_model().model.language_model, make_prompt(1, 6)
    with torch.no_grad():
        torch.compile(decoder, fullgraph=True, backend=noting)(ids_BS)
    called = [str(node.target) for node in graphs[0].graph.nodes]
    assert called.count("moevlm.swiglu_experts") == called.count("moevlm.route") == 2  # layers


@pytest.mark.long
@pytest.mark.parametrize("num_experts", [8, 0])
def test_loss_and_gradients_of_one_graph_are_the_models(make_model, make_prompt, num_experts, recwarn):
    if num_experts and not hasattr(torch.ops.transformers, "grouped_mm_fallback_backward"):
        pytest.skip("this transformers cannot compile the gradient of its own grouped product in float32")
    model, inputs = make_model(num_experts=num_experts), batch(make_prompt)
    inputs["labels"] = inputs["input_ids"]
    found, losses = [], []
    for each in (model, compiled(model, inputs)):
        losses.append(each(**inputs).loss)
        losses[-1].backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
        model.zero_grad()
    torch.testing.assert_close(losses[1], losses[0])
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert not [warning for warning in recwarn if "moevlm" in str(warning.message)]
    for name, gradient in found[0].items():  # a graph gives the tower's last layer, which nothing reads, zeros
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.long
def test_one_decoder_of_dynamic_shapes_serves_batches_of_any_size(make_model, make_prompt):
    """The number of images is fixed in transformers' own vision code, and so in a graph of the whole model."""
    decoder = make_model().model.language_model
    traced = torch.compile(decoder, fullgraph=True, backend="aot_eager", dynamic=True)
    for shape in ((2, 20), (3, 31), (4, 40), (5, 26)):
        ids_BS = make_prompt(*shape)
        with torch.no_grad():
            torch.testing.assert_close(traced(ids_BS)[0], decoder(ids_BS)[0], rtol=1e-5, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.long
def test_the_default_compiler_computes_the_same(make_model, make_prompt):
    decoder, ids_BS = make_model().model.language_model, make_prompt(2, 20)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(decoder)(ids_BS)[0], decoder(ids_BS)[0], rtol=1e-4, atol=1e-4)


def test_widths_that_no_kernel_takes_are_one_graph_too(make_model, make_prompt):
    decoder = make_model(hidden_size=36, moe_intermediate_size=20).model.language_model
    layer, hidden_BSH = decoder.layers[0].mlp, torch.randn(2, 3, 36)
    with torch.no_grad():
        traced = torch.compile(layer, fullgraph=True, backend="eager")
        torch.testing.assert_close(traced(hidden_BSH), layer(hidden_BSH))


def test_odd_widths_compile_in_parts(make_model, make_prompt):
    decoder = make_model(hidden_size=34, moe_intermediate_size=18).model.language_model
    layer, hidden_BSH = decoder.layers[0].mlp, torch.randn(2, 3, 34)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(layer, backend="eager")(hidden_BSH), layer(hidden_BSH))
