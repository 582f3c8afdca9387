"""Write the text decoder as GGUF: llama.cpp's architectures qwen3moe and qwen3.

There is no vocabulary in the file (`tokenizer.ggml.model` is none): a reader gives and gets token ids, or embeddings.
llama.cpp multiplies by router and norms in float32, so these are stored so; every other tensor is in the file's dtype.
"""

import contextlib
import errno
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from moevlm.config import MoEVLMTextConfig
from moevlm.export.decoder import Weight, decoder_weights, left_out, rope_fields
from moevlm.model.vision_language import MoEVLMForConditionalGeneration

try:
    import gguf
except ImportError as error:
    raise ImportError("GGUF is written by the package gguf, which must be installed; pip install gguf") from error

DTYPES = ("float32", "bfloat16")  # of a file
ALWAYS_FLOAT32 = ("norm.weight", ".mlp.gate.weight")  # ends of names
NO_VOCABULARY = "none"


class Written(NamedTuple):
    """What a file holds, and what of the model it does not."""

    architecture: str
    num_tensors: int
    num_bytes: int
    left_out: list[str]


def write_gguf(
    model: MoEVLMForConditionalGeneration, path: Path, *, dtype: str = "float32", name: str = "moevlm"
) -> Written:
    """Write a model's text decoder, whole or not at all; one tensor at a time is copied.

    Args:
        model: An MoE or any dense variant, of whatever dtype; values are rounded to the file's.
        path: The file; one that is there is replaced.
        dtype: One of DTYPES.
        name: What a reader shows.

    Raises:
        ValueError: The dtype is another, or the decoder has a part that these architectures have no counterpart for.
        OSError: The file system refuses; what was there before stays.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype}; choose one of them")
    architecture = gguf.MODEL_ARCH.QWEN3MOE if model.config.text_config.num_experts else gguf.MODEL_ARCH.QWEN3
    weights = dict(_in_the_format(decoder_weights(model), architecture, model.config.text_config.num_hidden_layers))
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(neighbour, model.config.text_config, architecture, weights, dtype=dtype, name=name)
        neighbour.replace(path)
    except OSError as error:
        if error.errno is None:  # numpy's: so many values written, so many asked for
            raise OSError(errno.ENOSPC, str(error), str(path)) from error
        raise
    finally:
        with contextlib.suppress(OSError):  # what stopped the write may stop this too
            neighbour.unlink(missing_ok=True)
    return Written(gguf.MODEL_ARCH_NAMES[architecture], len(weights), path.stat().st_size, left_out(model))


def _in_the_format(weights: Iterator[Weight], architecture: Any, num_layers: int) -> Iterator[tuple[str, Weight]]:
    """Name tensors as llama.cpp does.

    Raises:
        ValueError: It has no name for one, of an adapter for instance.
    """
    names = gguf.get_tensor_name_map(architecture, num_layers)
    for weight in weights:
        path, _, kind = weight.name.rpartition(".")
        found = names.get_name(path)
        if found is None or kind != "weight":
            raise ValueError(f"every tensor must be one of {gguf.MODEL_ARCH_NAMES[architecture]}'s, got {weight.name}; "
                             "merge adapters before the export")  # fmt: skip
        yield f"{found}.{kind}", weight


def _write(
    path: Path, config: MoEVLMTextConfig, architecture: Any, weights: dict[str, Weight], *, dtype: str, name: str
) -> None:
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    writer.add_name(name)
    _describe(writer, config, dtype)
    kinds = {name: _kind(weight.name, dtype) for name, weight in weights.items()}
    for name, kind in kinds.items():
        _, value_bytes = gguf.GGML_QUANT_SIZES[kind]
        shape = weights[name].shape
        writer.add_tensor_info(name, shape, np.dtype(np.float32), math.prod(shape) * value_bytes, raw_dtype=kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, kind in kinds.items():
            writer.write_tensor_data(_values(weights[name].read(), kind))
    finally:
        writer.close()


def _kind(name: str, dtype: str) -> Any:
    """Return what a tensor is stored as."""
    kinds = gguf.GGMLQuantizationType
    return kinds.BF16 if dtype == "bfloat16" and not name.endswith(ALWAYS_FLOAT32) else kinds.F32


def _values(tensor: torch.Tensor, kind: Any) -> Any:
    """Return numpy's array of a tensor; of 16-bit floats, which numpy has no type for, their bits."""
    if kind == gguf.GGMLQuantizationType.BF16:
        return tensor.to(torch.bfloat16).view(torch.uint16).numpy()
    return tensor.float().numpy()


def _describe(writer: Any, config: MoEVLMTextConfig, dtype: str) -> None:
    """Write what llama.cpp's loader must be told of these architectures."""
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if dtype == "float32" else gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_vocab_size(config.vocab_size)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope_fields(config)["rope_theta"])
    writer.add_tokenizer_model(NO_VOCABULARY)
    if config.num_experts:
        writer.add_expert_count(config.num_experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)
