"""Where the prompts of a batch are padded, known to the host without waiting for what a device does meanwhile.

Shapes: B samples, S positions of the prompt, L positions with room for new tokens.
"""

import torch
import torch.nn.functional as F

from moevlm.model.early_number import EarlyNumber


class Padding:
    """Count the padded samples of a batch at once, and say later what that comes to.

    Args:
        mask_BS: Nonzero for a token, 0 for padding; None: there is no padding.
    """

    def __init__(self, mask_BS: torch.Tensor | None) -> None:
        self._mask_BS = mask_BS
        self._count: EarlyNumber | None = None
        if mask_BS is not None:
            is_padding_BS = mask_BS == 0
            at_the_end = is_padding_BS[:, -1].sum() * (len(mask_BS) + 1)
            self._count = EarlyNumber(is_padding_BS.any(dim=-1).sum() + at_the_end)

    def mask(self, max_new_tokens: int) -> torch.Tensor | None:
        """Return which positions hold tokens, the new ones too, bool (B, L); None where all do.

        Raises:
            ValueError: A sample is padded at the end.
        """
        if self._mask_BS is None or self._count is None or not (count := int(self._count.read())):
            return None
        if count > len(self._mask_BS):
            raise ValueError("attention_mask must pad on the left, got padding at the end; set padding_side='left'")
        return F.pad(self._mask_BS.bool(), (0, max_new_tokens), value=True)


def positions(ids_BS: torch.Tensor, mask_BS: torch.Tensor | None) -> torch.Tensor:
    """Return where each token of the prompts stands, int64 (B, S): padding at 0, the first token too.

    Args:
        ids_BS: The prompts.
        mask_BS: As `Padding.mask` returns it.
    """
    batch_size, prompt_length = ids_BS.shape
    if mask_BS is None:
        return torch.arange(prompt_length, device=ids_BS.device).expand(batch_size, -1)
    return (mask_BS[:, :prompt_length].long().cumsum(-1) - 1).clamp_min(0)
