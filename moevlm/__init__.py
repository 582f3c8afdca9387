"""A mixture-of-experts vision-language model whose dense twin shares its weights, built on transformers.

Importing this package makes the model known to transformers' AutoConfig, AutoModel, AutoModelForImageTextToText,
AutoProcessor and AutoImageProcessor. What is not here is imported from its module: presets from `moevlm.presets`,
several devices from `moevlm.parallel`, training from `moevlm.training`.
"""

from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
from moevlm.generation import DecodeState, StaticDecoder, decode_step, decode_steps, prefill
from moevlm.kernels.backends import EXPERT_BACKENDS, set_expert_backend
from moevlm.model.image_processing import MoEVLMAnyresImageProcessorPil, MoEVLMFixedImageProcessorPil
from moevlm.model.modeling import MoEVLMTextModel
from moevlm.model.processing import MoEVLMProcessor, build_processor
from moevlm.model.vision_language import MoEVLM, MoEVLMForConditionalGeneration, MoEVLMModel
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile

__all__ = [
    "EXPERT_BACKENDS",
    "DecodeState",
    "MoEVLM",
    "MoEVLMConfig",
    "MoEVLMForConditionalGeneration",
    "MoEVLMModel",
    "MoEVLMProcessor",
    "MoEVLMTextConfig",
    "MoEVLMTextModel",
    "RoutingProfile",
    "StaticDecoder",
    "apply_profile",
    "build_processor",
    "decode_step",
    "decode_steps",
    "prefill",
    "set_expert_backend",
]

for _config in (MoEVLMTextConfig, MoEVLMConfig):
    AutoConfig.register(_config.model_type, _config)
AutoModel.register(MoEVLMTextConfig, MoEVLMTextModel)
AutoModel.register(MoEVLMConfig, MoEVLMModel)
AutoModelForImageTextToText.register(MoEVLMConfig, MoEVLMForConditionalGeneration)
AutoProcessor.register(MoEVLMConfig, MoEVLMProcessor)
# Each is saved by its name without Pil and found by that name again, so the second key may be any word.
AutoImageProcessor.register(
    MoEVLMConfig,
    image_processor_classes={"pil": MoEVLMAnyresImageProcessorPil, "fixed": MoEVLMFixedImageProcessorPil},
)
