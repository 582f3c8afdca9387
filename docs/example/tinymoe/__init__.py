"""A mixture-of-experts layer, and a dense one over the same weights.

Shapes: T tokens, H hidden size, E experts, F features of an expert, K experts a token.
"""

import torch
from torch import nn
from torch.nn import functional as F


class TinyMoE(nn.Module):
    """Each token goes to its K most probable experts; their outputs are weighted by these probabilities."""

    def __init__(self, hidden_size: int = 256, num_features: int = 256, num_experts: int = 8, top_k: int = 2) -> None:
        super().__init__()
        self.top_k = top_k
        self.router_EH = nn.Parameter(torch.randn(num_experts, hidden_size))
        self.up_EFH = nn.Parameter(torch.randn(num_experts, num_features, hidden_size) / hidden_size**0.5)
        self.down_EHF = nn.Parameter(torch.randn(num_experts, hidden_size, num_features) / num_features**0.5)

    def forward(self, x_TH: torch.Tensor) -> torch.Tensor:
        """Return the weighted sum of each token's experts."""
        weights_TK, experts_TK = F.linear(x_TH, self.router_EH).softmax(-1).topk(self.top_k)
        out_TH = torch.zeros_like(x_TH)
        for expert in experts_TK.unique().tolist():
            tokens, places = (experts_TK == expert).nonzero(as_tuple=True)
            out_TH.index_add_(0, tokens, weights_TK[tokens, places, None] * self.expert(expert, x_TH[tokens]))
        return out_TH

    def expert(self, expert: int, x_TH: torch.Tensor) -> torch.Tensor:
        """Return one expert's output for some tokens."""
        return F.linear(F.silu(F.linear(x_TH, self.up_EFH[expert])), self.down_EHF[expert])


class Dense(nn.Module):
    """One feed-forward with the weights of all experts side by side: as many parameters, all of them active."""

    def __init__(self, moe: TinyMoE) -> None:
        super().__init__()
        self.up_FH = nn.Parameter(moe.up_EFH.detach().flatten(0, 1))
        self.down_HF = nn.Parameter(moe.down_EHF.detach().transpose(0, 1).flatten(1).contiguous())

    def forward(self, x_TH: torch.Tensor) -> torch.Tensor:
        """Return the sum of all experts' outputs."""
        return F.linear(F.silu(F.linear(x_TH, self.up_FH)), self.down_HF)
