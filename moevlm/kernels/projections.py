"""Matrix products of a decode step: few rows by our kernel, and several matrices that read one input as one product.

Shapes: H inputs, O outputs.
"""

# torch's modules carry few annotations.
# mypy: allow-untyped-calls

from collections.abc import Sequence

import torch
from torch import nn

from moevlm.kernels.cpu import step
from moevlm.kernels.cpu.matmul import linear


def product(hidden: torch.Tensor, weight_OH: torch.Tensor, bias_O: torch.Tensor | None = None) -> torch.Tensor:
    """Multiply hidden states by a weight matrix, as `torch.nn.functional.linear` does."""
    if not (step.takes(hidden, weight_OH) and step.takes_weight(weight_OH)):
        return linear(hidden, weight_OH, bias_O)
    output = step.few_rows(weight_OH, hidden).view(*hidden.shape[:-1], -1)
    return output if bias_O is None else output + bias_O


class Projection(nn.Linear):
    """A linear layer that takes the fast way for few rows."""

    @classmethod
    def adopt(cls, layer: nn.Linear) -> "Projection":
        """Make one of a plain linear layer's own parameters, which stay what they are."""
        projection = cls(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        projection.weight, projection.bias = layer.weight, layer.bias
        return projection

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  # the parent's name
        """Project hidden states (..., H) to (..., O)."""
        return product(input, self.weight, self.bias)


def is_plain(layer: nn.Module, kind: type[nn.Module] = nn.Linear) -> bool:
    """Tell whether a layer does what its kind does with its own tensors, and no more: no adapter, no hook, no offload.

    Any other must be called itself.
    """
    has_hooks = layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer)
    return type(layer) is kind and not has_hooks


@torch.no_grad()
def lay_side_by_side(layers: Sequence[nn.Linear]) -> None:
    """Move the weights of linear layers into one storage, where `side_by_side` reads them as one matrix.

    Parameters keep their names and identity, and no second copy stays; `.to()` and loading by assignment take them
    apart again.
    """
    if side_by_side(layers) is not None or not all(map(is_plain, layers)):
        return
    with torch.inference_mode(mode=layers[0].weight.is_inference()):  # else training may go on with the weights
        weight_OH = torch.cat([layer.weight.detach() for layer in layers])
        parts = weight_OH.split([layer.out_features for layer in layers])
        for layer, part in zip(layers, parts, strict=True):
            layer.weight.data = part


def side_by_side(layers: Sequence[nn.Linear]) -> torch.Tensor | None:
    """View the weights of linear layers as one matrix (sum of O, H); None where they are not laid out so.

    None as well where a layer is more than a plain linear one.
    """
    first, weights = layers[0].weight, [layer.weight for layer in layers]
    start, row_bytes = first.data_ptr(), first.shape[1] * first.element_size()
    num_rows = 0
    for layer, weight in zip(layers, weights, strict=True):
        if not is_plain(layer) or weight.data_ptr() != start + num_rows * row_bytes:
            return None
        num_rows += weight.shape[0]
    storage = first.untyped_storage()
    if start + num_rows * row_bytes > storage.data_ptr() + storage.nbytes():  # neighbours by chance
        return None
    return first.data.as_strided((num_rows, first.shape[1]), (first.shape[1], 1))  # also of a model built for inference
