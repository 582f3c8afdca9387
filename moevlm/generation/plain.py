"""Whether a decoder's modules do no more than their tensors say, so that operators over these may stand for them."""

from torch import nn
from transformers.activations import ACT2FN
from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeRMSNorm

from moevlm.generation.untouched import GLOBAL_HOOKS
from moevlm.kernels.fast import HIDDEN_ACT
from moevlm.kernels.projections import Projection, is_plain
from moevlm.model.attention import MoEVLMAttention
from moevlm.model.decoder_layer import MoEVLMDecoderLayer
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMExperts, MoEVLMSparseMLP
from moevlm.model.modeling import MoEVLMTextModel
from moevlm.model.norms import MoEVLMRMSNorm
from moevlm.routing.router import MoEVLMRouter
from moevlm.smoes.binning import ExpertBins
from moevlm.smoes.modality import GaussianModality

PLAIN = (  # kinds of which the operators do the same, or which run in no step that records nothing
    MoEVLMTextModel, MoEVLMDecoderLayer, MoEVLMAttention, MoEVLMSparseMLP, MoEVLMExperts, MoEVLMRouter, MoEVLMDenseMLP,
    MoEVLMRMSNorm, Qwen3MoeRMSNorm, Projection, nn.Linear, nn.ModuleList, type(ACT2FN[HIDDEN_ACT]), GaussianModality,
    ExpertBins,
)  # fmt: skip


def does_no_more(text_model: MoEVLMTextModel) -> bool:
    """Tell whether nothing hangs on what a step by operators does not call, and none of it is in training."""
    return not any(GLOBAL_HOOKS) and all(
        type(module) in PLAIN and is_plain(module, type(module)) and not module.training
        for module in watched(text_model)
    )


def watched(text_model: MoEVLMTextModel) -> list[nn.Module]:
    """Return what a step by operators does not call; the others run with whatever hangs on them."""
    return [text_model, *text_model.layers.modules()]
