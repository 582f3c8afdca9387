"""transformers' Auto classes know the model, whatever was imported before it, and nothing of it is imported for others.

Each order runs in a fresh process: within one, a table is filled once.
"""

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import LlamaConfig

import moevlm.auto as auto
from moevlm.config import MoEVLMConfig, MoEVLMTextConfig

OTHERS = "from transformers.models.llava_next.modeling_llava_next import LlavaNextModel\n"  # what ours is made of
AUTO = """
from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor
from transformers.models.auto.image_processing_auto import AutoImageProcessor, IMAGE_PROCESSOR_MAPPING
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
"""
ASKS_FOR_OTHERS = """
import sys
AutoConfig.for_model("llama")
assert "moevlm.config" not in sys.modules, "nobody has asked for ours"
"""
ASKS_FOR_OURS = """
config = AutoConfig.for_model("moevlm")
text = AutoConfig.for_model("moevlm_text")
assert AutoModelForImageTextToText._model_mapping[type(config)] is moevlm.MoEVLMForConditionalGeneration
assert AutoModel._model_mapping[type(config)] is moevlm.MoEVLMModel
assert AutoModel._model_mapping[type(text)] is moevlm.MoEVLMTextModel
assert PROCESSOR_MAPPING[type(config)] is moevlm.MoEVLMProcessor
assert set(IMAGE_PROCESSOR_MAPPING[type(config)]) == {"pil", "fixed"}
assert not any(type(finder).__module__.startswith("moevlm") for finder in sys.meta_path), "nothing stays"
"""
ORDERS = [
    pytest.param(f"import moevlm\n{OTHERS}{AUTO}", id="ours, then what it is made of, then Auto classes"),
    pytest.param(f"{AUTO}\nimport moevlm\n", id="Auto classes, then ours", marks=pytest.mark.long),
]


def run(program: str) -> None:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("imports", ORDERS)
def test_auto_classes_know_the_model_once_they_are_asked(imports: str) -> None:
    run(f"{imports}{ASKS_FOR_OTHERS}{ASKS_FOR_OURS}")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count how often our classes were asked for."""
    calls: list[str] = []
    monkeypatch.setattr(auto, "_register_once", lambda: calls.append("asked"))
    return calls


def test_a_table_tells_of_others_without_asking_for_our_classes(asked: list[str]) -> None:
    table = SimpleNamespace(_extra_content={"other": int})
    known = auto._Registered(table)
    known["another"] = float
    assert (known["other"], known.get("unknown"), "another" in known) == (int, None, True)
    assert LlamaConfig not in known
    assert asked == []


@pytest.mark.parametrize(
    "read", [list, len, dict, lambda known: MoEVLMConfig in known, lambda known: "moevlm" in known]
)
def test_a_table_asks_for_our_classes_before_it_tells_of_them(asked: list[str], read: Callable[[Any], object]) -> None:
    table = SimpleNamespace(_extra_content={"other": int})
    read(auto._Registered(table))
    assert asked


def test_the_types_are_those_of_the_configurations() -> None:
    assert {MoEVLMConfig.model_type, MoEVLMTextConfig.model_type} == set(auto.MODEL_TYPES)
