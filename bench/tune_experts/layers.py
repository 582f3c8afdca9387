"""What the candidates compute: a few layers, each with its own weights and choices, checked and captured as a graph."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from bench.harness.clock import Clock
from bench.tune_experts.candidates import NUM_ROUNDS, medians
from fixtures.programs.terminal import note
from moevlm.generation.cuda_graph import captured
from moevlm.kernels.backends import reference_experts
from moevlm.kernels.tilings import Shape, Tiling
from moevlm.routing.router import Routing

NUM_LAYERS = 3  # the weights read next are not those that the L2 cache still holds: 50 MB against 0.8 GB a layer
WEIGHT_STD = 0.02  # as models begin: outputs of the size of the inputs, far from what overflows float16
CHECKED_TOKENS = 4  # the slow path takes milliseconds a token at 7b
ERROR_BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-3, torch.bfloat16: 1e-2, torch.float16: 1e-2}


@dataclass(frozen=True, kw_only=True, eq=False)
class Layers:
    """What is computed: layers of one shape, the same tokens through each."""

    weights: Sequence[tuple[torch.Tensor, torch.Tensor]]  # gate_up (E, 2I, H) and down (E, I, H) of each
    hidden_TH: torch.Tensor
    routings: Sequence[Routing]


def make_layers(shape: Shape, device: torch.device, dtype: torch.dtype, num_tokens: int, seed: int) -> Layers:
    """Draw weights, tokens and uniform choices."""
    generator = torch.Generator(device).manual_seed(seed)
    experts, width, hidden_size = shape.num_experts, shape.width, shape.hidden_size

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator, device=device, dtype=dtype)

    def choose() -> Routing:
        logits_TE = draw(num_tokens, experts)
        weights_TK, ids_TK = logits_TE.float().softmax(-1).topk(shape.top_k)
        return Routing(logits_TE, (torch.ones_like(weights_TK) if shape.is_dense else weights_TK).to(dtype), ids_TK)

    def weigh() -> tuple[torch.Tensor, torch.Tensor]:
        return WEIGHT_STD * draw(experts, 2 * width, hidden_size), WEIGHT_STD * draw(experts, width, hidden_size)

    return Layers(
        weights=[weigh() for _ in range(NUM_LAYERS)],
        hidden_TH=draw(num_tokens, hidden_size),
        routings=[choose() for _ in range(NUM_LAYERS)],
    )


def run_layers(tiling: Tiling, layers: Layers, *, is_dense: bool) -> list[torch.Tensor]:
    """Compute every layer as a tiling says."""
    from moevlm.kernels.triton.ops import run_dense, run_experts

    if is_dense:
        return [run_dense(tiling, *weights, layers.hidden_TH) for weights in layers.weights]
    return [
        run_experts(tiling, *weights, layers.hidden_TH, routing.ids_TK, routing.weights_TK)
        for weights, routing in zip(layers.weights, layers.routings, strict=True)
    ]


def measure_tilings(
    tilings: Sequence[Tiling], layers: Layers, shape: Shape, clock: Clock, num_rounds: int = NUM_ROUNDS
) -> dict[Tiling, float]:
    """Check each tiling against the reference, capture it, and return the median seconds of a layer.

    A tiling whose output is wrong is told of and left out, as are those that the GPU cannot hold: the others are worth
    their time.
    """
    from triton.runtime.errors import OutOfResources

    calls, pool = {}, torch.cuda.graph_pool_handle()
    for tiling in tilings:
        try:
            output_TH = run_layers(tiling, layers, is_dense=shape.is_dense)[0]
        except OutOfResources:  # more shared memory or registers than a program gets here
            continue
        error = reference_error(layers, output_TH)
        bound = ERROR_BOUNDS[layers.hidden_TH.dtype]
        if not error < bound:
            note(f"left out: {tiling.way} must agree with the reference within {bound}, got {error:.1e} with {tiling}")
            continue
        run = partial(run_layers, tiling, layers, is_dense=shape.is_dense)
        calls[tiling] = captured(run, layers.hidden_TH.device, pool=pool)
    taken_s = medians(calls, clock, random.Random(0), num_rounds)
    return {tiling: seconds / NUM_LAYERS for tiling, seconds in taken_s.items()}


def reference_error(layers: Layers, output_TH: torch.Tensor) -> float:
    """Return the relative error of the first tokens' outputs of the first layer against the slow float64 path."""
    routing = layers.routings[0]
    inputs = (tensor[:CHECKED_TOKENS] for tensor in (layers.hidden_TH, routing.ids_TK, routing.weights_TK))
    expected_TH = reference_experts(*layers.weights[0], *inputs)
    difference_TH = output_TH[:CHECKED_TOKENS].double() - expected_TH
    return float(difference_TH.norm() / expected_TH.norm())
