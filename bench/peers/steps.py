"""Decode steps of transformers' generate(), from a cache that is filled once and wound back before each run."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import DynamicCache, StaticCache

from fixtures.inputs import Inputs
from moevlm.compat import CACHE

CACHES = {"dynamic": DynamicCache, "static": StaticCache}


class ContinuedGenerate:
    """Answer on with transformers' own loop, greedily, as if the prompt had just been read."""

    def __init__(self, model: Any, inputs: Inputs, *, cache: str, num_steps: int) -> None:
        """Fill the cache."""
        self.model, self.num_steps = model, num_steps
        prompt_BS = inputs.tensors["input_ids"]
        self.num_prompt_tokens = prompt_BS.shape[1]
        self.mask_BS = inputs.tensors.get("attention_mask", torch.ones_like(prompt_BS))
        room = self.num_prompt_tokens + 1 + num_steps  # the prompt, the first token, and those of a run
        fixed = {"config": model.config.text_config, "max_cache_len": room} if cache == "static" else {}
        self.cache: Any = CACHES[cache](**fixed)
        self.first_BT = self._run({**inputs.tensors, "attention_mask": self.mask_BS}, 1)
        self.wind_back = self._rewinding()

    def __call__(self) -> torch.Tensor:
        """Return the next N tokens after the first, int64 (B, N)."""
        self.wind_back()
        mask_BT = torch.cat([self.mask_BS, self.mask_BS.new_ones(len(self.mask_BS), 1)], dim=1)
        ids_BT = self._run({"input_ids": self.first_BT, "attention_mask": mask_BT}, self.num_steps)
        return ids_BT[:, self.num_prompt_tokens + 1 :]

    @torch.inference_mode()
    def _run(self, tensors: dict[str, torch.Tensor], num_tokens: int) -> torch.Tensor:
        ids: torch.Tensor = self.model.generate(
            **tensors, **{CACHE: self.cache}, max_new_tokens=num_tokens, do_sample=False, eos_token_id=None
        )
        return ids

    def _rewinding(self) -> Callable[[], None]:
        """Return what makes the cache hold the prompt again: a growing one makes new tensors, a static one counts."""
        kept = [(layer.keys, layer.values) for layer in self.cache.layers]

        def wind_back() -> None:
            for layer, (keys, values) in zip(self.cache.layers, kept, strict=True):
                layer.keys, layer.values = keys, values
                if isinstance(self.cache, StaticCache):
                    layer.cumulative_length.fill_(self.num_prompt_tokens)

        return wind_back
