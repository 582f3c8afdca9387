"""A mixture-of-experts vision-language model whose dense twin shares its weights, built on transformers.

Importing this package makes the model known to transformers' AutoConfig, AutoModel, AutoModelForImageTextToText,
AutoProcessor and AutoImageProcessor. Its names are imported when they are first asked for: torch and transformers take
seconds. What is not here is imported from its module: presets from `moevlm.presets`, several devices from
`moevlm.parallel`, training from `moevlm.training`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moevlm.auto import register_on_demand

if TYPE_CHECKING:
    from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
    from moevlm.generation import DecodeState, StaticDecoder, decode_step, decode_steps
    from moevlm.generation.prefill import prefill
    from moevlm.kernels.backends import EXPERT_BACKENDS, set_expert_backend
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

_NAMES = {  # by the module that has them
    "config": ("MoEVLMConfig", "MoEVLMTextConfig"),
    "generation": ("DecodeState", "StaticDecoder", "decode_step", "decode_steps", "prefill"),
    "kernels.backends": ("EXPERT_BACKENDS", "set_expert_backend"),
    "model.modeling": ("MoEVLMTextModel",),
    "model.processing": ("MoEVLMProcessor", "build_processor"),
    "model.vision_language": ("MoEVLM", "MoEVLMForConditionalGeneration", "MoEVLMModel"),
    "routing.profiles": ("RoutingProfile",),
    "steering.tables": ("apply_profile",),
}

if not TYPE_CHECKING:  # which would let any name pass

    def __getattr__(name: str) -> Any:
        """Import a public name."""
        for module, names in _NAMES.items():
            if name in names:
                found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_on_demand()
