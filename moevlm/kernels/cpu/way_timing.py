"""How long each way takes for one shape and number of rows here: a few calls of each in turn, on weights of its own.

Shapes: T tokens, H hidden size, E experts or blocks, I width of one, K experts a token.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

from moevlm.kernels.cpu import ops
from moevlm.kernels.cpu.choosing import BLOCKS, KERNELS, PRODUCTS, clock_of, timed
from moevlm.kernels.cpu.dense import product_dense
from moevlm.kernels.cpu.matmul import linear
from moevlm.kernels.products import block_dense, loop_experts

EXPERTS, DENSE = "experts", "dense"
MOST_WEIGHTS = 1 << 25  # 128 MiB in float32: more than caches hold, no more than a layer of a small model
MOST_FLOPS = 4e9  # of a call: some 10 to 40 ms
LEAST_WIDTH = 1024  # from which a product is as fast as a wider one
MOST_LAYERS = 8  # that calls take turns with, so that none finds its weights in a cache
FLOPS_PER_WEIGHT = 2  # a multiply and an add
MATRICES = 3  # gate, up and down
WIDTH_MULTIPLE = ops.WIDTH_MULTIPLE


class Shape(NamedTuple):
    """What a choice depends on beside the rows."""

    kind: str  # EXPERTS: each token takes some; DENSE: all
    dtype: torch.dtype
    num_experts: int  # or blocks
    width: int  # of one
    hidden_size: int
    num_threads: int

    @property
    def ways(self) -> tuple[str, ...]:
        """Return the ways that compute this shape."""
        return ways_of(self.kind, self.num_experts)

    def __str__(self) -> str:
        sizes = f"{self.num_experts}x{self.width}x{self.hidden_size}"
        return f"{self.kind} {str(self.dtype).removeprefix('torch.')} {sizes}, {self.num_threads} threads"


def ways_of(kind: str, num_experts: int) -> tuple[str, ...]:
    """Return the ways that compute a kind of layer of so many experts or blocks."""
    return (KERNELS, PRODUCTS, BLOCKS) if kind == DENSE and num_experts > 1 else (KERNELS, PRODUCTS)


@torch.inference_mode()
def seconds_by_way(shape: Shape, rows: int) -> dict[str, float]:
    """Time the ways for a number of rows: one thread by its processor time, which others do not lengthen.

    Args:
        shape: Of a layer, its threads torch's own; where it has more weights than a call should take, fewer experts or
            narrower ones stand in.
        rows: Of each expert or block.
    """
    torch.set_num_threads(shape.num_threads)  # a thread that is new may have been given others by OpenMP
    return timed(calls_of(shape, rows), clock_of(shape.num_threads))


def calls_of(shape: Shape, rows: int) -> dict[str, Callable[[], torch.Tensor]]:
    """Return by way what computes random tokens with random weights."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*sizes: int) -> torch.Tensor:
        return torch.empty(sizes, device="cpu").uniform_(-1, 1, generator=generator).to(shape.dtype)

    num_experts, width, num_layers = measured_sizes(shape, rows)
    layers = [
        (drawn(num_experts, 2 * width, shape.hidden_size), drawn(num_experts, width, shape.hidden_size))
        for _ in range(num_layers)
    ]
    turns = itertools.cycle(layers)  # of all ways, or the second would find what the first has read
    if shape.kind == DENSE:
        hidden_TH = drawn(rows, shape.hidden_size)
        calls = {
            KERNELS: lambda: ops.swiglu_dense(*next(turns), hidden_TH),
            PRODUCTS: lambda: product_dense(*next(turns), hidden_TH),
            BLOCKS: lambda: block_dense(*next(turns), hidden_TH, F.silu, linear),
        }
        return {way: calls[way] for way in shape.ways}
    top_k = min(2, num_experts)
    num_tokens = rows * num_experts // top_k
    tokens_TH = drawn(num_tokens, shape.hidden_size)
    weights_TK, ids_TK = torch.rand(num_tokens, num_experts, generator=generator, device="cpu").topk(top_k)
    weights_TK = weights_TK.to(shape.dtype)
    return {
        KERNELS: lambda: ops.swiglu_experts(*next(turns), tokens_TH, ids_TK, weights_TK),
        PRODUCTS: lambda: loop_experts(*next(turns), tokens_TH, ids_TK, weights_TK, F.silu, linear),
    }


class Sizes(NamedTuple):
    """Of what is timed in a shape's place."""

    num_experts: int
    width: int
    num_layers: int


def measured_sizes(shape: Shape, rows: int) -> Sizes:
    """Return as much of a layer as a call should take, and how many such layers."""
    of_width = MATRICES * shape.hidden_size
    most_weights = min(MOST_WEIGHTS, int(MOST_FLOPS / (FLOPS_PER_WEIGHT * rows)))
    widest = max(LEAST_WIDTH, most_weights // of_width // WIDTH_MULTIPLE * WIDTH_MULTIPLE)
    width = min(shape.width, widest)
    num_experts = min(shape.num_experts, max(1, most_weights // (of_width * width)))
    num_layers = min(MOST_LAYERS, max(1, MOST_WEIGHTS // (of_width * width * num_experts)))
    return Sizes(num_experts, width, num_layers)
