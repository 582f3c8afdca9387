"""Which kernels each arm's feed-forward runs on, as this machine's measurement chose them; asked off the clock.

Empty where a package is older than the choice, and off the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from fixtures.inputs import Inputs

if TYPE_CHECKING:
    from moevlm import MoEVLM


@torch.inference_mode()
def kernels_of(models: Mapping[str, MoEVLM], num_tokens: Mapping[str, int]) -> dict[str, str]:
    """Name by arm what computes so many tokens at a time; a choice that this machine has not made is made now."""
    try:
        from moevlm.model.ways import way_of
    except ImportError:
        return {}
    return {arm: way_of(model.model.language_model.layers[0].mlp, num_tokens[arm]) for arm, model in models.items()}


def prefill_kernels(models: Mapping[str, MoEVLM], inputs: Inputs) -> dict[str, str]:
    """Name by arm what computes a prompt, chunk by chunk."""
    from moevlm.generation.prefill import samples_a_chunk

    batch_size, seq_len = inputs.tensors["input_ids"].shape
    samples = {
        arm: samples_a_chunk(model.config.text_config, seq_len=seq_len, dtype_bytes=model.dtype.itemsize)
        for arm, model in models.items()
    }
    return kernels_of(models, {arm: min(batch_size, most) * seq_len for arm, most in samples.items()})


def decode_kernels(models: Mapping[str, MoEVLM], batch_size: int) -> dict[str, str]:
    """Name by arm what computes a step: ours where layers are operators."""
    from moevlm.generation import FUSED, decode_path

    by_modules = kernels_of(models, dict.fromkeys(models, batch_size))
    fused = {arm for arm, model in models.items() if decode_path(model, batch_size) == FUSED}
    return {arm: "kernels" if arm in fused else name for arm, name in by_modules.items()}


def answer_kernels(models: Mapping[str, MoEVLM], inputs: Inputs) -> dict[str, str]:
    """Name by arm what computes the prompt and what a step."""
    of_prompt, batch_size = prefill_kernels(models, inputs), len(inputs.prompt_tokens)
    of_step = decode_kernels(models, batch_size)
    return {arm: f"prefill {of_prompt[arm]}, decode {of_step[arm]}" for arm in of_prompt}
