"""Write the text decoder as Qwen3-MoE or Qwen3 are published: what transformers, vLLM and others load.

There is no tokenizer in the folder: a reader gives and gets token ids, or embeddings.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedConfig, Qwen3Config, Qwen3MoeConfig
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME

from moevlm.config import MoEVLMTextConfig
from moevlm.export.decoder import Weight, decoder_weights
from moevlm.model.checkpoints import CARRIED_FIELDS, EXPERT_FIELDS
from moevlm.model.vision_language import MoEVLMForConditionalGeneration

EXPERTS = ".experts."  # in the name of a tensor that holds all experts of a layer


def write_checkpoint(model: MoEVLMForConditionalGeneration, folder: Path) -> list[str]:
    """Write a model's text decoder in its own dtype, a file a layer; one layer at a time is copied.

    Args:
        model: An MoE or any dense variant.
        folder: Made if need be; files of the same names are replaced.

    Returns:
        The names of the tensors.

    Raises:
        ValueError: The decoder has a part that Qwen3-MoE and Qwen3 have no counterpart for.
        OSError: The file system refuses.
    """
    shards: dict[str, list[Weight]] = {}
    for weight in decoder_weights(model):
        shards.setdefault(_file_of(weight.name), []).append(weight)
    folder.mkdir(parents=True, exist_ok=True)
    _config(model.config.text_config, model.dtype).save_pretrained(folder)
    places: dict[str, str] = {}
    for name, weights in shards.items():
        tensors = dict(part for weight in weights for part in _as_published(weight))
        save_file(tensors, folder / name, metadata={"format": "pt"})
        places.update(dict.fromkeys(tensors, name))
    (folder / SAFE_WEIGHTS_INDEX_NAME).write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")
    return list(places)


def _file_of(name: str) -> str:
    """Return the file of a tensor.

    >>> _file_of("model.layers.3.mlp.gate.weight"), _file_of("lm_head.weight")
    ('model-layer-3.safetensors', 'model-rest.safetensors')
    """
    _, is_layers, rest = name.partition(".layers.")
    return f"model-layer-{rest.partition('.')[0]}.safetensors" if is_layers else "model-rest.safetensors"


def _as_published(weight: Weight) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield a tensor, or one tensor an expert: published checkpoints name every expert."""
    path, is_experts, kind = weight.name.partition(EXPERTS)
    tensor = weight.read()
    if not is_experts:
        yield weight.name, tensor
        return
    for number, part in enumerate(tensor):
        yield f"{path}{EXPERTS}{number}.{kind}", part


def _config(text: MoEVLMTextConfig, dtype: torch.dtype) -> PreTrainedConfig:
    """Describe the decoder as transformers' own class."""
    fields: dict[str, Any] = {name: getattr(text, name) for name in (*CARRIED_FIELDS, "head_dim")}
    if text.num_experts:
        return Qwen3MoeConfig(**fields, architectures=["Qwen3MoeForCausalLM"], dtype=dtype)
    fields = {name: value for name, value in fields.items() if name not in EXPERT_FIELDS}
    return Qwen3Config(**fields, architectures=["Qwen3ForCausalLM"], dtype=dtype)
