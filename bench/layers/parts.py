"""The parts of a decoder's pass, each run alone on what it was given there, in all layers in turn.

Every layer has its own weights and inputs, so a part finds them as cold as the pass does. Backends may fuse what an MoE
does to its tokens; three parts more run it apart: dispatch (sort the choices by expert, gather a row for each), gemms
(the backend's own experts on rows that lie so, one choice each) and combine (a token's rows together again, weighted).

Shapes: B samples, S positions, T tokens, H hidden size, K experts a token, P = T * K choices.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import nn

from bench.floors import Work, work_of
from bench.layers.operators import Operators, operators_of
from bench.layers.passes import Call, LayerCalls, Pass
from moevlm.costs import PHASES, Cost, phase_cost
from moevlm.smoes.specialization import distinct_experts

PROMPT = "prompt" if "prompt" in PHASES else "prefill"  # base's package may be older than this name
COSTS = {  # part -> the parts of moevlm.costs that it cannot do without; the whole pass has all, the others count none
    "layers": ("attention_projections", "attention", "router", "ffn"),
    "attention": ("attention_projections", "attention"),
    "router": ("router",),
    "experts": ("ffn",),
    "gemms": ("ffn",),
    "ffn": ("ffn",),
    "ends": ("head",),
}

CACHED = ("layer", "attention")  # what writes to the cache


class Rows(NamedTuple):
    """The rows that a layer's experts work on, in the order of the experts."""

    rows_PH: torch.Tensor
    expert_P1: torch.Tensor
    choice_P: torch.Tensor  # of the (token, choice) pairs in their own order, the one that each row belongs to


def parts_of(taken: Pass) -> dict[str, Callable[[], Any]]:
    """Return what runs each part of a pass; all but "ends" return a result for each layer.

    "norms" are both norms and both sums with the residual stream; "ends" is the pass without its layers: embedding,
    mask and positions before them, last norm and head behind. Where layers are an operator, "layers" runs it on one
    after another, and "ends" are without positions, which are found for many steps at once; other parts are still the
    modules', whose calls the operator saves.
    """
    layers = taken.layers
    parts: dict[str, Callable[[], Any]] = {
        "layers": whole_layers(taken),
        "attention": partial(again, taken, "attention"),
        "norms": lambda: [normalise_and_add(calls) for calls in layers],
    }
    if taken.model.config.text_config.num_experts:
        rows = [dispatch(calls["experts"]) for calls in layers]
        transformed = [gemms(*pair) for pair in zip(layers, rows, strict=True)]
        parts["router"] = partial(again, taken, "router")
        parts["experts"] = partial(again, taken, "experts")
        parts["dispatch"] = lambda: [dispatch(calls["experts"]) for calls in layers]
        parts["gemms"] = lambda: [gemms(*pair) for pair in zip(layers, rows, strict=True)]
        parts["combine"] = lambda: [combine(*each) for each in zip(layers, rows, transformed, strict=True)]
    else:
        parts["ffn"] = partial(again, taken, "ffn")
    return {**parts, "ends": partial(_without_layers, taken, operators_in(taken))}


def whole_layers(taken: Pass) -> Callable[[], list[Any]]:
    """Return what runs the layers as the pass does."""
    operators = operators_in(taken)
    return operators.run if operators else partial(again, taken, "layer")


def operators_in(taken: Pass) -> Operators | None:
    """Return the operators that a pass runs in the place of its layers; None where it calls the modules."""
    return operators_of(taken.model, taken.state, taken.layers) if taken.state else None


def again(taken: Pass, name: str) -> list[Any]:
    """Run one module of every layer on what it was given in the pass; returns what each returned."""
    if name in CACHED:
        taken.rewind()
    return [calls[name].again() for calls in taken.layers]


def _without_layers(taken: Pass, operators: Operators | None) -> torch.Tensor:
    if operators and taken.state:
        return replace(operators.steps, layers=()).logits(taken.state.next_token_B1, operators.begun)
    text_model = taken.model.model.language_model
    layers, text_model.layers = text_model.layers, nn.ModuleList()
    try:
        return taken.run()
    finally:
        text_model.layers = layers


def normalise_and_add(calls: LayerCalls) -> torch.Tensor:
    """Run what a layer does besides attention and feed-forward; returns the layer's residual stream, (B, S, H)."""
    hidden_BSH = calls["layer"].arguments[0]
    calls["norm_before"].module(hidden_BSH)
    hidden_BSH = hidden_BSH + calls["attention"].output[0]
    calls["norm_between"].module(hidden_BSH)
    summed_BSH: torch.Tensor = hidden_BSH + calls["ffn"].output
    return summed_BSH


def dispatch(experts: Call) -> Rows:
    """Sort the choices by expert and gather a row for each."""
    hidden_TH, ids_TK, _ = experts.arguments
    expert_P, choice_P = ids_TK.flatten().sort(stable=True)
    return Rows(hidden_TH[choice_P // ids_TK.shape[1]], expert_P[:, None], choice_P)


def gemms(calls: LayerCalls, rows: Rows) -> torch.Tensor:
    """Send each row through its expert, (P, H)."""
    transformed_PH: torch.Tensor = calls["experts"].module(
        rows.rows_PH, rows.expert_P1, rows.rows_PH.new_ones(rows.expert_P1.shape)
    )
    return transformed_PH


def combine(calls: LayerCalls, rows: Rows, transformed_PH: torch.Tensor) -> torch.Tensor:
    """Bring each token's rows together again and sum them by weight, (T, H)."""
    weights_TK = calls["experts"].arguments[2]
    in_order_PH = torch.empty_like(transformed_PH)
    in_order_PH[rows.choice_P] = transformed_PH
    summed_TH: torch.Tensor = (weights_TK[:, None] @ in_order_PH.unflatten(0, weights_TK.shape)).squeeze(1)
    return summed_TH


def part_costs(taken: Pass, *, batch_size: int, seq_len: int) -> dict[str, Work]:
    """Return the work that the whole pass ("") and its parts cannot do without, all layers together."""
    distinct = fmean(map(distinct_experts, taken.step_ids)) if taken.step_ids else None
    size = {"batch_size": batch_size, "seq_len": seq_len, "dtype_bytes": taken.model.dtype.itemsize}
    phase = PROMPT if taken.phase == "prefill" else taken.phase
    parts = phase_cost(taken.model.config, phase, distinct_experts=distinct, **size).parts
    groups: dict[str, Sequence[str]] = {"": [part.name for part in parts], **COSTS}
    return {
        name: work_of([Cost(parts=tuple(part for part in parts if part.name in group))])
        for name, group in groups.items()
    }
