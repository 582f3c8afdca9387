"""Where decoding stands between two calls.

Positions count the real tokens of a sample from 0, so padding on the left moves nothing: position = cumulative sum of
the attention mask - 1. Decode goes on from each sample's own last position. The mask is built once for the prompt and
all decode steps (1 after the prompt), and each step reads a view of it; a batch without padding has none, which lets
attention take its fastest path.

Shapes: B samples, S prompt positions incl. padding and room for new tokens, N decode steps, V vocabulary.
"""

from dataclasses import dataclass

import torch
from transformers import Cache


@dataclass(frozen=True, kw_only=True)
class DecodeState:
    """Where decoding stands.

    A state shares its cache with those made from it: going on from an older state rewinds the cache, after which
    only states made from then on hold.

    Args:
        cache: Keys and values of every layer, with room for `max_new_tokens` more after the prompt.
        attention_mask_BS: Over prompt and room, bool; None where no sample is padded.
        position_B1: Position of the next token, int64.
        logits_BV: Logits after the last token fed, in the model's dtype.
        next_token_B1: Greedy choice from `logits_BV`, int64.
        tokens_BN: Greedy choice of each decode step of the call that made this state; (B, 0) after prefill.
        length: Tokens in the cache, padding counted.
        max_length: Tokens that the cache can hold.
    """

    cache: Cache
    attention_mask_BS: torch.Tensor | None
    position_B1: torch.Tensor
    logits_BV: torch.Tensor
    next_token_B1: torch.Tensor
    tokens_BN: torch.Tensor
    length: int
    max_length: int

    def check_room(self, num_steps: int) -> None:
        """Check that the cache can take `num_steps` more tokens.

        Raises:
            ValueError: It cannot, or the number is below 1.
        """
        room = self.max_length - self.length
        if not 1 <= num_steps <= room:
            raise ValueError(
                f"num_steps must be in [1, {room}] (room left in the cache), got {num_steps}; "
                "prefill with a larger max_new_tokens"
            )
