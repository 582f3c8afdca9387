"""Router: a token's hidden state -> its top-K experts and their weights; routing profiles steer it for measurement.

Shapes: T tokens (B samples x S positions), H hidden size, E experts, K experts a token, P rows of the noise table.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from moevlm.config import MoEVLMTextConfig

NUM_NOISE_ROWS = 509  # rows of the noise table: prime, so that sample and position strides reach every row
SAMPLE_STRIDE = 97  # rows between two samples of a batch: samples of equal length do not route alike
LOGIT_DAMPING = 1 / 64  # share of the router's own logits that a profile keeps: too little to order the experts
MODALITIES = ("text", "vision")  # order of the two halves of a bias table
DEFINITION_VERSION = 1  # part of the hash: raise it when a profile of the same fields routes differently


@dataclass(frozen=True, kw_only=True)
class RoutingProfile:
    """Say how routing is steered in a measurement.

    Args:
        name: "weights" leaves the router alone; "uniform" draws a random K-subset of the experts for each token;
            "specialized" also favours, by modality, the half of the experts that is that modality's home.
        strength: Log-odds of a home expert against another one in the first draw; "specialized" only.
        seed: Seed of the noise and of the home permutation.

    Raises:
        ValueError: The name is unknown or the strength does not fit it.
    """

    name: str = "weights"
    strength: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in PROFILES:
            raise ValueError(f"routing profile must be one of {_known()}, got {self.name!r}; choose one of them")
        takes_strength = self.name in PROFILES_WITH_STRENGTH
        valid = math.isfinite(self.strength) and (self.strength > 0 if takes_strength else self.strength == 0)
        if not valid:
            rule = "a finite strength above 0" if takes_strength else "no strength"
            raise ValueError(f"routing profile {self.name} takes {rule}, got {self.strength}; write one of {_known()}")

    @classmethod
    def parse(cls, text: str, *, seed: int = 0) -> "RoutingProfile":
        """Read "weights", "uniform" or "specialized:D".

        Args:
            text: The profile's name, then a colon and the strength (log-odds) if it takes one.
            seed: Seed of the profile.

        Raises:
            ValueError: The text names no known profile or its strength is no number.

        >>> RoutingProfile.parse("specialized:4").id
        'specialized4'
        """
        name, _, strength = text.partition(":")
        try:
            value = float(strength or 0)
        except ValueError:
            raise ValueError(
                f"routing strength must be a number, got {strength!r} in {text!r}; write one of {_known()}"
            ) from None
        return cls(name=name, strength=value, seed=seed)

    @property
    def id(self) -> str:
        """Name the profile as test ids do; the seed is told apart by the hash only."""
        return f"{self.name}{self.strength:g}" if self.strength else self.name

    @property
    def is_biased(self) -> bool:
        """Tell whether the profile adds anything to the router's logits."""
        return self.name != "weights"

    def hash(self) -> str:
        """Return 16 hexadecimal digits of the SHA-256 of the profile's definition."""
        definition = {**asdict(self), "version": DEFINITION_VERSION, "rows": NUM_NOISE_ROWS, "damping": LOGIT_DAMPING}
        return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:16]


PROFILES = {
    "weights": "weights",
    "uniform": "uniform",
    "specialized": "specialized:STRENGTH",
}  # name -> how to write it
PROFILES_WITH_STRENGTH = ("specialized",)


def _known() -> str:
    return ", ".join(PROFILES.values())


class Routing(NamedTuple):
    """What the router returns, in the order of transformers' routers."""

    logits_TE: torch.Tensor
    weights_TK: torch.Tensor
    ids_TK: torch.Tensor


class MoEVLMRouter(nn.Module):
    """Choose the top K of E experts by a softmax in float32 over all of them, as Qwen3-MoE does."""

    bias_table_RE: torch.Tensor | None

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__()
        self.top_k = config.num_experts_per_tok
        self.norm_topk_prob = config.norm_topk_prob
        self.weight = nn.Parameter(torch.empty(config.num_experts, config.hidden_size))
        self.register_buffer("bias_table_RE", None, persistent=False)

    def forward(self, hidden_TH: torch.Tensor, rows_T: torch.Tensor | None = None) -> Routing:
        """Route each token.

        Args:
            hidden_TH: Hidden states.
            rows_T: Row of the bias table for each token (`bias_rows`), int64; None = no bias.

        Returns:
            The logits that the softmax saw, the weights in the logits' dtype, and the expert ids (int64).
        """
        logits_TE = F.linear(hidden_TH, self.weight)
        dtype = logits_TE.dtype
        if rows_T is not None and self.bias_table_RE is not None:
            logits_TE = torch.add(F.embedding(rows_T, self.bias_table_RE), logits_TE, alpha=LOGIT_DAMPING)
        probabilities_TE = F.softmax(logits_TE, dim=-1, dtype=torch.float32)
        weights_TK, ids_TK = torch.topk(probabilities_TE, self.top_k, dim=-1)
        if self.norm_topk_prob:
            weights_TK = weights_TK / weights_TK.sum(dim=-1, keepdim=True)
        return Routing(logits_TE, weights_TK.to(dtype), ids_TK)


def bias_rows(position_ids_BS: torch.Tensor, vision_mask_BS: torch.Tensor | None = None) -> torch.Tensor:
    """Return each token's row of the bias table, so that routing depends on sample, position and modality alone.

    Args:
        position_ids_BS: Positions, int64; padding does not count.
        vision_mask_BS: True where a token stands for an image feature; None = all text.

    Returns:
        Rows, int64, of shape (B * S,).
    """
    batch_size = position_ids_BS.shape[0]
    samples_B1 = torch.arange(0, SAMPLE_STRIDE * batch_size, SAMPLE_STRIDE, device=position_ids_BS.device)[:, None]
    rows_BS = (samples_B1 + position_ids_BS) % NUM_NOISE_ROWS
    if vision_mask_BS is not None:
        rows_BS = rows_BS + NUM_NOISE_ROWS * vision_mask_BS
    return rows_BS.flatten()


def bias_table(profile: RoutingProfile, num_experts: int, layer: int) -> torch.Tensor:
    """Build one layer's bias: Gumbel noise, plus the profile's strength for the experts of the modality's home.

    The K largest of log-weights plus Gumbel noise are K draws without replacement in proportion to the weights
    (Gumbel top-k trick, Kool et al. 2019, arXiv:1903.06059); the weights are equal up to the strength.

    Args:
        profile: A biased profile.
        num_experts: E.
        layer: Index of the layer; each has noise and homes of its own.

    Returns:
        Float32 on the CPU, of shape (len(MODALITIES) * NUM_NOISE_ROWS, E): text rows, then vision rows.
    """
    generator = torch.Generator().manual_seed(int(_digest(profile.seed, layer), 16))
    uniform_PE = torch.rand(NUM_NOISE_ROWS, num_experts, generator=generator, dtype=torch.float64)
    gumbel_PE = -torch.log(-torch.log(uniform_PE.clamp_min(torch.finfo(torch.float64).tiny)))
    home_E = torch.randperm(num_experts, generator=generator) % len(MODALITIES)
    tables = [gumbel_PE + profile.strength * (home_E == modality) for modality in range(len(MODALITIES))]
    return torch.cat(tables).float()


def _digest(seed: int, layer: int) -> str:
    return hashlib.sha256(f"{seed}/{layer}".encode()).hexdigest()[:15]  # 60 bits: fits torch's signed 64-bit seed


def apply_profile(model: nn.Module, profile: RoutingProfile) -> None:
    """Install a routing profile in every MoE layer of a model; a dense model is left as it is.

    Apply it after the model has its device and dtype: `.to(bfloat16)` would round the noise.

    Args:
        model: A model of this package, or any module that holds routers.
        profile: The profile; "weights" removes an earlier one.
    """
    routers = [module for module in model.modules() if isinstance(module, MoEVLMRouter)]
    for layer, router in enumerate(routers):
        table = bias_table(profile, router.weight.shape[0], layer) if profile.is_biased else None
        router.bias_table_RE = None if table is None else table.to(router.weight.device)
    for module in model.modules():
        if routers and hasattr(module, "routing_profile"):
            module.routing_profile = profile  # type: ignore[assignment]  # nn.Module declares tensors and modules only
