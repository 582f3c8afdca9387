"""SMoES' attention estimator as its paper writes it, in plain loops over materialised probabilities: an oracle."""

import math

import torch


def plain_attention_scores(
    scores_T: torch.Tensor, attention_probs_HTT: torch.Tensor, attn_output_TD: torch.Tensor, residual_TD: torch.Tensor
) -> torch.Tensor:
    """Move scores through one attention block, token by token: one sample, one layer, float64 inside.

    Args:
        scores_T: Shares of text before the block.
        attention_probs_HTT: Attention probabilities, rows sum to 1.
        attn_output_TD: What the block adds to the residual stream.
        residual_TD: The residual stream that enters the block.
    """
    own, heads = scores_T.tolist(), attention_probs_HTT.tolist()
    moved = []
    for token, (added, kept) in enumerate(zip(attn_output_TD.tolist(), residual_TD.tolist(), strict=True)):
        gathered = sum(p * score for head in heads for p, score in zip(head[token], own, strict=True)) / len(heads)
        added_norm, kept_norm = math.hypot(*added), math.hypot(*kept)
        mixed = added_norm * gathered + kept_norm * own[token]
        moved.append(mixed / (added_norm + kept_norm) if added_norm + kept_norm else own[token])
    return torch.tensor(moved, dtype=scores_T.dtype)
