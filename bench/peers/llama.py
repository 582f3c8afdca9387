"""llama.cpp over a model's own weights: the text decoder, fed with the embeddings that ours is fed with.

llama.cpp has no path for this vision tower, so a prompt comes as embeddings of its text and its images' features. All
else is its default, its cache in float16 too: over one in float32 its attention takes several times as long.

Shapes: B samples, S positions with padding on the left, P tokens of all prompts, H hidden size, V vocabulary.
"""

import ctypes
import logging
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import torch

from moevlm import MoEVLM
from moevlm.export.gguf import write_gguf

CACHE_STEP = 256  # tokens: llama.cpp rounds a sequence's share of the cache up to so many
LOGGER = "llama-cpp-python"  # it prints what llama.cpp says of a model, and takes its warnings for errors


class LlamaCpp:
    """One model's decoder in llama.cpp, with room for one batch."""

    def __init__(self, model: MoEVLM, prompt_tokens: Sequence[int], *, room: int) -> None:
        """Load the weights, by way of a file.

        Args:
            model: What it shall compute.
            prompt_tokens: Tokens of each prompt.
            room: Tokens that a prompt may be followed by.

        Raises:
            ValueError: The decoder has a part that llama.cpp has no counterpart for, or it refuses the file.
        """
        logging.getLogger(LOGGER).setLevel(logging.CRITICAL)
        self.lengths, self.vocab_size = list(prompt_tokens), model.config.text_config.vocab_size
        self.model = _loaded(model)
        self.context = self._context(room)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.prompts = self._batch(self.lengths, width=model.config.text_config.hidden_size)
        self.tokens = self._batch([1] * len(self.lengths))
        weakref.finalize(self, _free, self.context, self.model, self.prompts, self.tokens)

    def read(self, embeds_BSH: torch.Tensor) -> torch.Tensor:
        """Read the prompts into an empty cache; return the logits after the last tokens, float32 (B, V).

        They are valid until the next call.
        """
        embeds_PH = torch.cat([row_SH[-length:] for row_SH, length in zip(embeds_BSH, self.lengths, strict=True)])
        embeds_PH = embeds_PH.float().contiguous()
        ctypes.memmove(self.prompts.embd, embeds_PH.data_ptr(), embeds_PH.nbytes)
        llama_cpp.llama_memory_clear(self.memory, False)
        return self._run(self.prompts)

    def step(self, ids_B: torch.Tensor, number: int) -> torch.Tensor:
        """Read one more token of each sample, which is its number `number` after the prompt; return as `read` does."""
        count = len(self.lengths)
        np.ctypeslib.as_array(self.tokens.token, (count,))[:] = ids_B.numpy()
        np.ctypeslib.as_array(self.tokens.pos, (count,))[:] = [length + number for length in self.lengths]
        return self._run(self.tokens)

    def wind_back(self) -> None:
        """Forget what followed the prompts."""
        for sample, length in enumerate(self.lengths):
            llama_cpp.llama_memory_seq_rm(self.memory, sample, length, -1)

    def _run(self, batch: Any) -> torch.Tensor:
        code = llama_cpp.llama_decode(self.context, batch)
        if code:
            raise RuntimeError(f"llama_decode must return 0, got {code}; llama.h says what it means")
        logits = llama_cpp.llama_get_logits(self.context)
        return torch.from_numpy(np.ctypeslib.as_array(logits, (len(self.lengths), self.vocab_size)))

    def _context(self, room: int) -> Any:
        params = llama_cpp.llama_context_default_params()
        params.n_seq_max = len(self.lengths)
        longest = max(self.lengths) + room
        params.n_ctx = params.n_seq_max * CACHE_STEP * -(-longest // CACHE_STEP)
        params.n_batch = params.n_ctx
        params.n_outputs_max = params.n_seq_max
        params.n_threads = params.n_threads_batch = torch.get_num_threads()
        context = llama_cpp.llama_init_from_model(self.model, params)
        if not context:
            raise ValueError(f"llama.cpp must make a context of {params.n_ctx} tokens, got none; measure fewer")
        return context

    def _batch(self, lengths: Sequence[int], width: int = 0) -> Any:
        """Lay out tokens, or embeddings of some width, sample after sample; logits follow each sample's last."""
        count = sum(lengths)
        batch = llama_cpp.llama_batch_init(count, width, 1)
        batch.n_tokens = count
        samples = np.repeat(np.arange(len(lengths)), lengths)
        for place, sample in enumerate(samples.tolist()):
            batch.seq_id[place][0] = sample
        np.ctypeslib.as_array(batch.n_seq_id, (count,))[:] = 1
        np.ctypeslib.as_array(batch.pos, (count,))[:] = np.concatenate([np.arange(length) for length in lengths])
        is_last = np.ctypeslib.as_array(batch.logits, (count,))
        is_last[:] = 0
        is_last[np.cumsum(lengths) - 1] = 1
        return batch


def _loaded(model: MoEVLM) -> Any:
    """Write a model's decoder to a file and have llama.cpp map it; its name is gone when this returns."""
    llama_cpp.llama_backend_init()
    dtype = str(model.dtype).removeprefix("torch.")
    with tempfile.TemporaryDirectory(prefix="moevlm-gguf-") as folder:
        path = Path(folder) / "decoder.gguf"
        write_gguf(model, path, dtype=dtype)
        loaded = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
    if not loaded:
        raise ValueError(
            "llama.cpp must load what moevlm.export wrote, got a refusal; install the llama-cpp-python that "
            "pyproject.toml names"
        )
    return loaded


def _free(context: Any, model: Any, *batches: Any) -> None:
    for batch in batches:
        llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
