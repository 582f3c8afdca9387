"""SMoES' losses, each for one MoE layer: mutual information between modality and bin, load balance, and their counts.

Shapes: B samples, T tokens (of a sample beside B, of all samples otherwise), M modalities in the order of MODALITIES,
E experts, K experts a token, N bins. Where experts are summed into bins, the last dimension keeps E entries, of which
those from N on stay 0: so no shape depends on data, and a GPU need not wait to learn N.
"""

from typing import NamedTuple

import torch

from moevlm.smoes.modality import full_precision_matmul

MIN_MODALITY_SHARE = 1e-5  # of a sample's scores; less is rounding, and the sample counts as of one modality
MIN_PROBABILITY = 1e-6  # of a bin in a logarithm of the divergence, which would else be unbounded


@torch.no_grad()
def modality_load(
    scores_TM: torch.Tensor, expert_ids_TK: torch.Tensor, num_experts: int, mask_T: torch.Tensor | None = None
) -> torch.Tensor:
    """Count the tokens routed to each expert, by modality; a token counts for a modality with its score.

    Args:
        scores_TM: Modality scores in [0, 1].
        expert_ids_TK: Chosen experts, int64, distinct for a token.
        num_experts: E.
        mask_T: False for padding; None = no padding.

    Returns:
        (M, E), float32, in tokens: C of SMoES (arXiv 2604.23996), expert binning.

    >>> modality_load(torch.tensor([[1.0, 0.0], [0.25, 0.75]]), torch.tensor([[2], [0]]), num_experts=3)
    tensor([[0.2500, 0.0000, 1.0000],
            [0.7500, 0.0000, 0.0000]])
    """
    scores_TM = scores_TM.float() if mask_T is None else scores_TM.float() * mask_T[:, None]
    return full_precision_matmul(scores_TM.T, _is_routed(expert_ids_TK, num_experts, torch.float32))


def inter_bin_mutual_information(
    scores_BTM: torch.Tensor,
    gates_BTE: torch.Tensor,
    bin_of_expert_E: torch.Tensor,
    mask_BT: torch.Tensor | None = None,
) -> torch.Tensor:
    """Measure how much a token's modality tells about the bin that the router favours, sample by sample.

    Args:
        scores_BTM: Modality scores in [0, 1]; gradients flow through them unless they are detached.
        gates_BTE: Router probabilities over all experts.
        bin_of_expert_E: Bin of each expert, int64; bins of equal size.
        mask_BT: False for padding; None = no padding.

    Returns:
        (B,), nats, from 0 (bins blind to modality) to log 2 (each bin serves one modality); the loss is its negative.
        A sample of one modality alone gives 0 and no gradient. SMoES (arXiv 2604.23996), inter-bin mutual information.
    """
    means_BMN, has_both_B = _mean_gates(scores_BTM, gates_BTE, bin_of_expert_E, mask_BT)
    joint_BMN = means_BMN / means_BMN.sum(dim=(1, 2), keepdim=True)
    independent_BMN = joint_BMN.sum(dim=2, keepdim=True) * joint_BMN.sum(dim=1, keepdim=True)
    tiny = torch.finfo(joint_BMN.dtype).tiny
    log_ratio_BMN = joint_BMN.clamp_min(tiny).log() - independent_BMN.clamp_min(tiny).log()
    return torch.where(has_both_B, (joint_BMN * log_ratio_BMN).sum(dim=(1, 2)), 0.0)


def inter_bin_divergence(
    scores_BTM: torch.Tensor,
    gates_BTE: torch.Tensor,
    bin_of_expert_E: torch.Tensor,
    mask_BT: torch.Tensor | None = None,
) -> torch.Tensor:
    """Measure how far the text's distribution over bins is from the vision's: the ablation of mutual information.

    The paper names a Kullback-Leibler term without its formula; this one is ours: the mean of the two directions,
    1/2 * sum over bins of (p - q) * (log p - log q), logarithms of less than MIN_PROBABILITY cut off. Arguments as in
    `inter_bin_mutual_information`.

    Returns:
        (B,), nats, at least 0 and at most -log(MIN_PROBABILITY); 0 without gradient for a sample of one modality.
    """
    means_BMN, has_both_B = _mean_gates(scores_BTM, gates_BTE, bin_of_expert_E, mask_BT)
    text_BN, vision_BN = (means_BMN / means_BMN.sum(dim=2, keepdim=True)).unbind(dim=1)
    log_ratio_BN = text_BN.clamp_min(MIN_PROBABILITY).log() - vision_BN.clamp_min(MIN_PROBABILITY).log()
    return torch.where(has_both_B, 0.5 * ((text_BN - vision_BN) * log_ratio_BN).sum(dim=1), 0.0)


class _MeanGates(NamedTuple):
    """Mean probability that the tokens of each modality give each bin, and which samples hold both modalities."""

    means_BMN: torch.Tensor
    has_both_B: torch.Tensor


def _mean_gates(
    scores_BTM: torch.Tensor, gates_BTE: torch.Tensor, bin_of_expert_E: torch.Tensor, mask_BT: torch.Tensor | None
) -> _MeanGates:
    """Compute S of the paper, times the bins' size, which cancels wherever S is normalised."""
    dtype = torch.promote_types(gates_BTE.dtype, torch.float32)
    scores_BTM = scores_BTM.to(dtype) if mask_BT is None else scores_BTM.to(dtype) * mask_BT[..., None]
    mass_BM = scores_BTM.sum(dim=1)
    has_both_B = (mass_BM > MIN_MODALITY_SHARE * mass_BM.sum(dim=1, keepdim=True)).all(dim=1)
    # Constants in place of a lone modality's sums: a gradient of 0 must not pass through a division by 0.
    safe_mass_BM = torch.where(has_both_B[:, None], mass_BM, 1.0)
    means_BME = full_precision_matmul(scores_BTM.transpose(1, 2), gates_BTE.to(dtype)) / safe_mass_BM[..., None]
    means_BMN = torch.zeros_like(means_BME).index_add(2, bin_of_expert_E, means_BME)
    return _MeanGates(torch.where(has_both_B[:, None, None], means_BMN, 1.0), has_both_B)


def intra_bin_load_balance(
    gates_TE: torch.Tensor,
    expert_ids_TK: torch.Tensor,
    bin_of_expert_E: torch.Tensor,
    mask_T: torch.Tensor | None = None,
) -> torch.Tensor:
    """Sum over bins their size times sum over their experts of (share of tokens routed there) * (mean probability).

    Bins of equal size enter through that size alone, so that the value is the plain balance loss (one bin, all
    entries of `bin_of_expert_E` equal) divided by the number of bins.

    Args:
        gates_TE: Router probabilities over all experts.
        expert_ids_TK: Chosen experts, int64, distinct for a token; the shares sum to K over the experts.
        bin_of_expert_E: Bin of each expert, int64.
        mask_T: False for padding; None = no padding.

    Returns:
        A scalar; gradients flow through the mean probabilities. SMoES (arXiv 2604.23996), after Switch Transformers
        (Fedus et al. 2021, arXiv 2101.03961).
    """
    dtype = torch.promote_types(gates_TE.dtype, torch.float32)
    is_token_T = torch.ones_like(gates_TE[:, 0], dtype=dtype) if mask_T is None else mask_T.to(dtype)
    weights_T = is_token_T / is_token_T.sum().clamp_min(1.0)
    share_E = full_precision_matmul(weights_T, _is_routed(expert_ids_TK, gates_TE.shape[1], dtype))
    probability_E = full_precision_matmul(weights_T, gates_TE.to(dtype))
    bin_size_E = (bin_of_expert_E[:, None] == bin_of_expert_E).sum(dim=1)
    return (bin_size_E * share_E * probability_E).sum()


def _is_routed(expert_ids_TK: torch.Tensor, num_experts: int, dtype: torch.dtype) -> torch.Tensor:
    """Return 1 where a token visits an expert, else 0, of shape (T, E): unlike a histogram, in no random order."""
    shape = (len(expert_ids_TK), num_experts)
    return torch.zeros(shape, dtype=dtype, device=expert_ids_TK.device).scatter_(1, expert_ids_TK, 1.0)
