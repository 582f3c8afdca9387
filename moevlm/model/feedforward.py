"""Feed-forward part of a decoder layer: experts with their router, or one dense block over the same storage.

Shapes: B samples, S positions, H hidden size, T = B * S tokens, E experts, I width of one expert or block, F = E * I,
K experts a token.
"""

# transformers' decorators carry no annotations.
# mypy: allow-untyped-calls, allow-untyped-decorators

import inspect

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.integrations.moe import use_experts_implementation
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeExperts

from moevlm.config import MoEVLMTextConfig
from moevlm.kernels.cpu.matmul import linear
from moevlm.kernels.fast import fast_dense
from moevlm.kernels.products import plain_dense
from moevlm.routing.observation import LayerOutput, LayerRouting, Tokens
from moevlm.routing.router import MoEVLMRouter, Routing
from moevlm.smoes.binning import ExpertBins
from moevlm.smoes.losses import modality_load
from moevlm.smoes.modality import GaussianModality, as_modalities


@use_experts_implementation
class MoEVLMExperts(nn.Module):
    """Hold the experts' weights; the backend that the configuration names computes with them.

    `down` is stored (E, I, H), so that a dense twin reads the same bytes as one (E * I, H) matrix.
    """

    forward = inspect.unwrap(Qwen3MoeExperts.forward)  # "eager": transformers' own loop over the experts

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__()
        self.num_experts = config.num_experts
        self.act_fn = ACT2FN[config.hidden_act]
        self.gate_up_proj, self.down = _ffn_parameters(config)

    @property
    def down_proj(self) -> torch.Tensor:
        """View the stored weights as transformers' backends read them: (E, H, I)."""
        return self.down.transpose(1, 2)


def _ffn_parameters(config: MoEVLMTextConfig) -> tuple[nn.Parameter, nn.Parameter]:
    blocks, width = config.num_ffn_blocks, config.ffn_block_width
    gate_up = torch.empty(blocks, 2 * width, config.hidden_size)
    return nn.Parameter(gate_up), nn.Parameter(torch.empty(blocks, width, config.hidden_size))


class MoEVLMSparseMLP(nn.Module):
    """Route each token to its experts and sum their weighted outputs; SMoES' state of the layer is kept here."""

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__()
        self.gate = MoEVLMRouter(config)
        self.experts = MoEVLMExperts(config)
        is_gaussian, num_bins = config.modality_scores == "gaussian", config.num_loss_bins
        self.modality = GaussianModality(config) if is_gaussian else None
        self.bins = None
        if num_bins > 1:
            is_fixed = config.binning != "momentum"
            self.bins = ExpertBins(
                config.num_experts, num_bins, momentum=config.specialization_momentum, fixed=is_fixed
            )

    def forward(
        self, hidden_BSH: torch.Tensor, rows_T: torch.Tensor | None = None, is_vision_T: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Transform hidden states.

        Args:
            hidden_BSH: Normalised residual stream.
            rows_T: Rows of the routing profile's bias.
            is_vision_T: True for image features; read by hard routing alone.
        """
        return self.route_and_transform(hidden_BSH, rows_T, is_vision_T)[0]

    def route_and_transform(
        self, hidden_BSH: torch.Tensor, rows_T: torch.Tensor | None, is_vision_T: torch.Tensor | None
    ) -> tuple[torch.Tensor, Routing]:
        """Transform hidden states as `forward` does, and return the routing too."""
        hidden_TH = hidden_BSH.flatten(0, 1)
        routing = self.gate(hidden_TH, rows_T, is_vision_T)
        output_TH: torch.Tensor = self.experts(hidden_TH, routing.ids_TK, routing.weights_TK)
        return output_TH.view_as(hidden_BSH), routing

    def observe(self, seen: LayerOutput, scores_BS: torch.Tensor, tokens: Tokens) -> LayerRouting:
        """Score the tokens that were routed; while training, learn Gaussians and bins from them.

        Args:
            seen: What the layer returned.
            scores_BS: Share of text that entered the layer, for the estimators that do not change it.
            tokens: What the tokens are.
        """
        assert seen.ffn_input_BSH is not None and seen.routing is not None, "the layer was told to record"  # noqa: PT018
        shape, mask_T = scores_BS.shape, tokens.is_token_BS.flatten()
        scores_T = (scores_BS if seen.scores_BS is None else seen.scores_BS).flatten()
        if self.modality is not None:
            input_TH = seen.ffn_input_BSH.detach().flatten(0, 1)
            if self.training:
                self.modality.update(input_TH, tokens.is_vision_BS.flatten(), mask_T)
            scores_T = self.modality(input_TH)
        if self.training and self.bins is not None:
            num_experts = self.experts.num_experts
            self.bins.update(modality_load(as_modalities(scores_T), seen.routing.ids_TK, num_experts, mask_T))
        logits_TE, _, ids_TK = seen.routing
        logits_BSE, ids_BSK, scores_BS = (x.unflatten(0, shape) for x in (logits_TE, ids_TK, scores_T))
        return LayerRouting(logits_BSE, ids_BSK, scores_BS, tokens)


class MoEVLMDenseMLP(nn.Module):
    """Compute SwiGLU with gate and up rows alternating in blocks: an MoE's storage with every expert used once."""

    def __init__(self, config: MoEVLMTextConfig) -> None:
        super().__init__()
        self.hidden_act = config.hidden_act
        self.act_fn = ACT2FN[config.hidden_act]
        self.gate_up_proj, self.down = _ffn_parameters(config)

    def forward(
        self,
        hidden_BSH: torch.Tensor,
        rows_T: torch.Tensor | None = None,  # noqa: ARG002  # means nothing without a router
        is_vision_T: torch.Tensor | None = None,  # noqa: ARG002  # the same
    ) -> torch.Tensor:
        """Transform hidden states, with the experts' kernels where they are faster than torch's products."""
        hidden_TH = hidden_BSH.flatten(0, -2)
        output_TH = fast_dense(self.gate_up_proj, self.down, hidden_TH, self.hidden_act)
        if output_TH is None:
            output_TH = plain_dense(self.gate_up_proj, self.down, hidden_TH, self.act_fn, linear)
        return output_TH.view_as(hidden_BSH)
