"""Soft modality scores: how much text and how much vision a token carries at each layer (SMoES, arXiv 2604.23996).

A token enters as what it is (hard label). The attention estimator lets scores flow where attention moves information;
the gaussian estimator asks which modality's hidden states a token resembles. Scores of two modalities sum to 1, so a
single number is carried: the share of text.

Shapes: B samples, S positions, T tokens, D hidden size, M modalities in the order of MODALITIES.
"""

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from moevlm.config import MoEVLMTextConfig

MODALITIES = ("text", "vision")
TEXT = MODALITIES.index("text")
UNDECIDED = 0.5  # share of text of a token or an expert that nothing is known of
VARIANCE_FLOOR = 1e-6  # a dimension that never varied must not divide by zero


def hard_scores(is_vision: torch.Tensor) -> torch.Tensor:
    """Return the share of text of tokens as they enter: 0 for image features, 1 for all others; float32."""
    return (~is_vision).float()


def as_modalities(text_share: torch.Tensor) -> torch.Tensor:
    """Return scores over the modalities, with a new last dimension M, from the share of text."""
    return torch.stack([text_share, 1.0 - text_share], dim=-1)


def mix_scores(
    scores: torch.Tensor, gathered: torch.Tensor, attn_output: torch.Tensor, residual: torch.Tensor
) -> torch.Tensor:
    """Weigh a token's gathered score and its own by the norms of what attention added and of what was there.

    Args:
        scores: Shares of text before the block, any shape.
        gathered: Shares averaged over what each token attends to, in the mean of the heads, the same shape.
        attn_output: What the block adds to the residual stream, one more dimension (D).
        residual: The residual stream that enters the block, the same.

    Returns:
        Shares of text after the block; SMoES section 3.
    """
    added, kept = (torch.linalg.vector_norm(x, dim=-1, dtype=scores.dtype) for x in (attn_output, residual))
    total = added + kept
    mixed = ((added * gathered + kept * scores) / total).clamp(0.0, 1.0)  # rounding must not leave the range
    return torch.where(total == 0, scores, mixed)  # padding may be all zeros; NaN stays


def gaussian_modality_scores(
    x_TD: torch.Tensor, mean_MD: torch.Tensor, var_MD: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Score tokens by their likelihood under each modality's diagonal Gaussian.

    Args:
        x_TD: Inputs of the MoE block.
        mean_MD: Means.
        var_MD: Variances, above 0.
        temperature: Divides the log-likelihoods; the paper takes half the hidden size.

    Returns:
        (T, M) in the dtype of the means, rows sum to 1.
    """
    x_TD = x_TD.to(mean_MD.dtype)
    precision_MD = var_MD.reciprocal()
    # The squared distance is multiplied out, so that no (T, M, D) tensor is made; centred, or it would cancel.
    centre_D = mean_MD.mean(dim=0)
    offset_TD, offset_MD = x_TD - centre_D, mean_MD - centre_D
    distance_TM = (
        full_precision_matmul(offset_TD.square(), precision_MD.T)
        - 2 * full_precision_matmul(offset_TD, (offset_MD * precision_MD).T)
        + (offset_MD.square() * precision_MD).sum(dim=-1)
    )
    log_likelihood_TM = -0.5 * (var_MD.log().sum(dim=-1) + distance_TM)
    return torch.softmax(log_likelihood_TM / temperature, dim=-1)


def full_precision_matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multiply in the operands' own dtype: autocast would round what cancels, or sums over many tokens, to bfloat16."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b


class GaussianModality(nn.Module):
    """A layer's diagonal Gaussian of the MoE input for each modality, learned while training, saved with the model."""

    mean_MD: torch.Tensor
    var_MD: torch.Tensor
    is_seen_M: torch.Tensor

    def __init__(self, config: "MoEVLMTextConfig") -> None:
        super().__init__()
        self.momentum = config.specialization_momentum
        self.temperature = config.modality_temperature * config.hidden_size
        shape = (len(MODALITIES), config.hidden_size)
        self.register_buffer("mean_MD", torch.zeros(shape, dtype=torch.float32))  # whatever the model's dtype is
        self.register_buffer("var_MD", torch.ones(shape, dtype=torch.float32))
        self.register_buffer("is_seen_M", torch.zeros(len(MODALITIES), dtype=torch.bool))

    def reset(self) -> None:
        """Forget everything: as many standard Gaussians as modalities."""
        self.mean_MD.zero_()
        self.var_MD.fill_(1.0)
        self.is_seen_M.zero_()

    @torch.no_grad()
    def update(self, x_TD: torch.Tensor, is_vision_T: torch.Tensor, is_token_T: torch.Tensor) -> None:
        """Learn from a batch: an exponentially weighted Welford step for each modality that it holds.

        Nothing is read back from the device. State that a cast of the whole model has rounded is float32 again.

        Args:
            x_TD: Inputs of the MoE block.
            is_vision_T: True for image features.
            is_token_T: False for padding.
        """
        x_TD, old_mean_MD, old_var_MD = x_TD.float(), self.mean_MD.float(), self.var_MD.float()
        members_MT = torch.stack([is_token_T & ~is_vision_T, is_token_T & is_vision_T]).float()
        count_M1 = members_MT.sum(dim=1, keepdim=True)
        mean_MD = full_precision_matmul(members_MT, x_TD) / count_M1.clamp_min(1.0)
        squares_MD = [
            members_T @ (x_TD - mean_D).square() for members_T, mean_D in zip(members_MT, mean_MD, strict=True)
        ]
        var_MD = torch.stack(squares_MD) / count_M1.clamp_min(1.0)
        kept_M1 = torch.where(self.is_seen_M, self.momentum, 0.0)[:, None]  # the first batch seen counts alone
        delta_MD = mean_MD - old_mean_MD
        new_mean_MD = old_mean_MD + (1 - kept_M1) * delta_MD
        new_var_MD = kept_M1 * old_var_MD + (1 - kept_M1) * (var_MD + kept_M1 * delta_MD.square())
        is_present_M1 = count_M1 > 0
        self.mean_MD = torch.where(is_present_M1, new_mean_MD, old_mean_MD)
        self.var_MD = torch.where(is_present_M1, new_var_MD.clamp_min(VARIANCE_FLOOR), old_var_MD)
        self.is_seen_M.logical_or_(is_present_M1[:, 0])

    def forward(self, x_TD: torch.Tensor) -> torch.Tensor:
        """Return the shares of text (T,), float32; undecided (0.5) until both modalities were seen in training."""
        scores_TM = gaussian_modality_scores(x_TD, self.mean_MD.float(), self.var_MD.float(), self.temperature)
        return torch.where(self.is_seen_M.all(), scores_TM[:, TEXT], UNDECIDED)
