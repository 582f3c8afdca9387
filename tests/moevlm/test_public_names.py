"""What `import moevlm` gives: its names are pinned and explained, and transformers' Auto classes know the model."""

import pytest
from transformers import AutoConfig
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

import moevlm

CONSTANTS = {"EXPERT_BACKENDS"}
CLASSES = {
    "DecodeState", "MoEVLM", "MoEVLMConfig", "MoEVLMForConditionalGeneration", "MoEVLMModel", "MoEVLMProcessor",
    "MoEVLMTextConfig", "MoEVLMTextModel", "RoutingProfile", "StaticDecoder",
}  # fmt: skip
FUNCTIONS = {"apply_profile", "build_processor", "decode_step", "decode_steps", "prefill", "set_expert_backend"}


def test_public_names_are_those_promised():
    assert set(moevlm.__all__) == CONSTANTS | CLASSES | FUNCTIONS


@pytest.mark.parametrize("name", sorted(CLASSES | FUNCTIONS))
def test_each_is_explained(name):
    assert getattr(moevlm, name).__doc__


def test_auto_classes_know_configuration_and_processor():
    assert isinstance(AutoConfig.for_model("moevlm"), moevlm.MoEVLMConfig)
    assert PROCESSOR_MAPPING[moevlm.MoEVLMConfig] is moevlm.MoEVLMProcessor
