"""What a pass through the MoE layers showed: the record that losses and measures of specialization are computed from.

Shapes: B samples, S positions, T = B * S tokens, H hidden size, E experts, K experts a token.
"""

from typing import NamedTuple

import torch

from moevlm.routing.router import Routing


class Tokens(NamedTuple):
    """What is known of each token before the first layer; both (B, S), bool."""

    is_vision_BS: torch.Tensor
    is_token_BS: torch.Tensor  # False for padding


class LayerOutput(NamedTuple):
    """What a decoder layer returns: the residual stream, and while routing is recorded what went into its experts."""

    hidden_BSH: torch.Tensor
    ffn_input_BSH: torch.Tensor | None = None
    routing: Routing | None = None
    scores_BS: torch.Tensor | None = None  # share of text after this layer's attention; attention estimator only


def check_is_output(seen: object) -> None:
    """Refuse reentrant checkpointing, which makes a plain tuple of a layer's output: its tensors lose their gradients.

    Raises:
        ValueError: It is no LayerOutput.
    """
    if not isinstance(seen, LayerOutput):
        raise ValueError(
            "gradient checkpointing must be non-reentrant (the router's losses would lose their gradients), got "
            "use_reentrant=True; pass gradient_checkpointing_kwargs={'use_reentrant': False}"
        )


class LayerRouting(NamedTuple):
    """How one MoE layer routed its tokens.

    Args:
        logits_BSE: Router logits, as the softmax saw them.
        ids_BSK: Experts chosen, int64.
        scores_BS: Share of text of each token here, float32, by the configured estimator.
        tokens: Which are image features, and which padding; the same for all layers of a call.
    """

    logits_BSE: torch.Tensor
    ids_BSK: torch.Tensor
    scores_BS: torch.Tensor
    tokens: Tokens


def describe_tokens(
    hidden_BSH: torch.Tensor, is_vision_BS: torch.Tensor | None, attention_mask: torch.Tensor | None
) -> Tokens:
    """Tell image features and padding apart from text; no mask means none of either.

    Args:
        attention_mask: 1 for a token, 0 for padding, (B, cached + S).

    Raises:
        ValueError: The mask is not two-dimensional.
    """
    everything_BS = torch.ones(hidden_BSH.shape[:2], dtype=torch.bool, device=hidden_BSH.device)
    if attention_mask is None:
        is_token_BS = everything_BS
    elif attention_mask.dim() == 2:
        is_token_BS = attention_mask[:, -hidden_BSH.shape[1] :].bool()
    else:
        raise ValueError(
            "recording routing needs attention_mask of shape (batch, length), "
            f"got {tuple(attention_mask.shape)}; pass the two-dimensional mask"
        )
    return Tokens(~everything_BS if is_vision_BS is None else is_vision_BS, is_token_BS)
