"""Check of feed-forward layers run alone: by transformers' own experts or MLP over the same tensors."""

from collections.abc import Mapping, Sequence

import torch

from bench.harness.closeness import bound_of, check_rows
from fixtures.oracle.model import transformers_model
from moevlm import MoEVLM
from moevlm.routing.router import Routing


@torch.inference_mode()
def check_layers(
    arm: str,
    output_LTH: torch.Tensor,
    models: Mapping[str, MoEVLM],
    hidden_TH: torch.Tensor,
    routings: Sequence[Routing],
) -> None:
    """Compare what every layer made of the same tokens.

    Args:
        arm: A model's, or a peer's over the MoE's tensors.

    Raises:
        WrongAnswer: A token's output is off.
    """
    oracle = transformers_model(models.get(arm, models["moe"]))
    for index, layer in enumerate(oracle.model.language_model.layers):
        if hasattr(layer.mlp, "experts"):
            expected_TH = layer.mlp.experts(hidden_TH, routings[index].ids_TK, routings[index].weights_TK)
        else:
            expected_TH = layer.mlp(hidden_TH)
        what = f"feed-forward {index} of {arm}"
        check_rows(
            output_LTH[index],
            expected_TH,
            bound=bound_of(hidden_TH.dtype),
            what=what,
            place=lambda token: f"token {token}",
        )
