"""The auxiliary loss of visual tokens: labels that cost nothing, read off hidden states.

Shapes: B samples, S positions, H hidden size, P probed hidden states, C classes of visual labels.
"""

import torch
import torch.nn.functional as F
from torch import nn

IGNORED = -100  # label of what is not scored, as in transformers
VISUAL_LABELS = "visual_labels_PBS"  # key of a batch that the probe takes, not the model


class VisualProbe(nn.Module):
    """Read free labels off visual tokens at some hidden states: what makes a small model learn to see at all.

    Args:
        hidden_size: H.
        num_classes: C.
        hidden_states: P indices into the decoder's hidden states; 0 is its input.
    """

    def __init__(self, hidden_size: int, num_classes: int, *, hidden_states: tuple[int, ...] = (0,)) -> None:
        super().__init__()
        self.hidden_states = hidden_states
        self.heads = nn.ModuleList(nn.Linear(hidden_size, num_classes) for _ in hidden_states)

    def forward(self, hidden_states: tuple[torch.Tensor, ...], labels_PBS: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy over the labelled tokens, summed over the probed states; a scalar.

        Args:
            hidden_states: The decoder's, each (B, S, H).
            labels_PBS: Class of each visual token at each probed state, int64; -100 = not labelled.
        """
        losses = [
            F.cross_entropy(head(hidden_states[state]).flatten(0, 1).float(), labels_BS.flatten(), ignore_index=IGNORED)
            for head, state, labels_BS in zip(self.heads, self.hidden_states, labels_PBS, strict=True)
        ]
        return torch.stack(losses).sum()
