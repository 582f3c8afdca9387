"""Whether the operators that are timed return what the modules return, which hooks let an oracle look into.

Layer by layer, on what the modules of the layers before gave, in the step after a state and at its size. Where the
router's scores leave the choice open, the operator may choose another expert: such tokens are left out.

Shapes: B samples, E experts, K experts a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

import moevlm
from bench.harness.agreement import TIE_SPREADS, WrongAnswer, bound_of, check_rows
from bench.layers.operators import operators_of
from bench.layers.passes import LayerCalls, recorded_layers
from moevlm.kernels.cpu.step import MOST_ROWS

if TYPE_CHECKING:
    from moevlm import DecodeState, MoEVLM


def check_operators(model: MoEVLM, state: DecodeState, *, arm: str) -> None:
    """Check the operators of the step after a state; a model without any has nothing to check.

    Raises:
        WrongAnswer: A layer's output is off, or the modules' step leaves a layer out.
    """
    try:
        with recorded_layers(model) as layers:
            moevlm.decode_steps(model, state, num_steps=1)
    except ValueError as error:  # of a layer that is not called
        raise WrongAnswer(f"the modules of {arm}: {error}") from error
    operators = operators_of(model, state, layers)
    if operators is not None:
        check_layers(operators.run(), layers, bound=bound_of(model.dtype), what=f"the operator of {arm}")


def check_layers(found: Sequence[torch.Tensor], layers: Sequence[LayerCalls], *, bound: float, what: str) -> None:
    """Check what operators returned, (B, H) of each layer, by what the modules of their layers returned.

    Raises:
        WrongAnswer: A layer's output is off.
    """
    for number, (found_BH, calls) in enumerate(zip(found, layers, strict=True)):
        rows = settled_rows(calls, bound).nonzero()[:, 0]
        expected_BH = calls["layer"].output.hidden_BSH[:, 0]
        check_rows(
            found_BH[rows],
            expected_BH[rows],
            bound=bound,
            what=f"{what} in layer {number}",
            place=lambda row, rows=rows: f"sample {int(rows[row])}",  # type: ignore[misc]
        )


def settled_rows(calls: LayerCalls, bound: float) -> torch.Tensor:
    """Tell of which samples the layer's experts are beyond doubt, bool, (B,).

    Up to MOST_ROWS of all: both ways do the same operations, to the bit. In a dense layer too.
    """
    num_samples = len(calls["layer"].arguments[0])
    if "router" not in calls or num_samples <= MOST_ROWS:
        return torch.ones(num_samples, dtype=torch.bool)
    scores_BE, ids_BK = calls["router"].output.logits_TE.double(), calls["router"].output.ids_TK
    next_B = scores_BE.scatter(1, ids_BK, float("-inf")).amax(dim=1)
    lead_B = scores_BE.gather(1, ids_BK).amin(dim=1) - next_B
    is_open_B: torch.Tensor = lead_B <= TIE_SPREADS * bound * scores_BE.std(dim=1, correction=0)
    return ~is_open_B
