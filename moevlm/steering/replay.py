"""Recorded routing: the experts that a model chose on real inputs, kept in a file for the profiles trained and replay.

Shapes: L MoE layers, T recorded tokens, K experts a token, E experts, B samples, S prompt positions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from moevlm.routing.profiles import NUM_NOISE_ROWS, bias_rows
from moevlm.smoes.modality import MODALITIES
from moevlm.smoes.specialization import recorded_routing

if TYPE_CHECKING:
    from moevlm.model.vision_language import MoEVLMForConditionalGeneration

NUM_ROWS = len(MODALITIES) * NUM_NOISE_ROWS  # of a table: text rows, then vision rows


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedRouting:
    """Which experts each token chose in each layer.

    Args:
        ids_LTK: Expert ids, int64.
        rows_T: Each token's row of a bias table (`bias_rows`), int64: it tells modality, sample and position.
        num_experts: E.

    Raises:
        ValueError: Shapes do not fit each other, an id or a row is out of range, or a modality has no token.
    """

    ids_LTK: torch.Tensor
    rows_T: torch.Tensor
    num_experts: int

    def __post_init__(self) -> None:
        shapes = tuple(self.ids_LTK.shape), tuple(self.rows_T.shape)
        if len(shapes[0]) != 3 or shapes[1] != shapes[0][1:2]:
            raise ValueError(
                f"recorded ids and rows must be (L, T, K) and (T,), got {shapes[0]} and {shapes[1]}; record them again"
            )
        limits = {"expert ids": (self.ids_LTK, self.num_experts), "rows": (self.rows_T, NUM_ROWS)}
        for name, (values, limit) in limits.items():
            if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < limit:
                found = f"{int(values.min())} to {int(values.max())}"
                raise ValueError(f"recorded {name} must be in [0, {limit}), got {found}; record them again")
        missing = set(range(len(MODALITIES))) - set(self.modalities.tolist())
        if missing:
            names = ", ".join(MODALITIES[modality] for modality in sorted(missing))
            raise ValueError(
                f"recorded tokens must be of {' and '.join(MODALITIES)}, got none of {names}; add a prompt"
            )

    @property
    def modalities(self) -> torch.Tensor:
        """Return each token's index in MODALITIES, int64, (T,)."""
        return self.rows_T // NUM_NOISE_ROWS

    def load(self) -> torch.Tensor:
        """Count the tokens of each modality at each expert, int64, (L, M, E): what the specialization index takes."""
        chosen_LTE = torch.zeros(*self.ids_LTK.shape[:2], self.num_experts, dtype=torch.int64)
        chosen_LTE.scatter_(-1, self.ids_LTK, 1)
        by_modality = [chosen_LTE[:, self.modalities == modality].sum(dim=1) for modality in range(len(MODALITIES))]
        return torch.stack(by_modality, dim=1)


def record_routing(
    model: "MoEVLMForConditionalGeneration", inputs: Mapping[str, torch.Tensor], *, num_steps: int = 0
) -> RecordedRouting:
    """Record a prefill and the decode steps after it; padding is left out.

    Args:
        model: An MoE in eval mode.
        inputs: The forward's tensors; see `moevlm.generation.prefill`.

    Raises:
        ValueError: The inputs do not fit the model, or have no image or nothing else.
    """
    from moevlm.generation import decode_steps, prefill

    if not model.config.text_config.num_experts:
        raise ValueError("recording routing needs an MoE, got a dense model (num_experts=0); record the MoE")
    with recorded_routing(model) as calls:
        state = prefill(model, inputs, max_new_tokens=max(1, num_steps))
        if num_steps:
            decode_steps(model, state, num_steps=num_steps)
    num_layers = model.config.text_config.num_hidden_layers
    passes = [torch.stack(calls[start : start + num_layers]) for start in range(0, len(calls), num_layers)]
    tokens_BS = inputs["input_ids"]
    real_BS = inputs.get("attention_mask", torch.ones_like(tokens_BS)).bool()
    position_BS = (real_BS.long().cumsum(-1) - 1).clamp_min(0)
    rows_T = bias_rows(position_BS, tokens_BS == model.config.image_token_id)
    step_rows = [bias_rows(position_BS[:, -1:] + step) for step in range(1, num_steps + 1)]
    kept = [passes[0][:, real_BS.flatten()], *passes[1:]]
    return RecordedRouting(
        ids_LTK=torch.cat(kept, dim=1).cpu(),
        rows_T=torch.cat([rows_T[real_BS.flatten()], *step_rows]).cpu(),
        num_experts=model.config.text_config.num_experts,
    )


def save_routing(path: Path, recorded: RecordedRouting) -> None:
    """Write a recording as safetensors, for `--routing trained:FILE` and `--routing replay:FILE`."""
    tensors = {"ids_LTK": recorded.ids_LTK.to(torch.int16), "rows_T": recorded.rows_T.to(torch.int16)}
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        path,
        metadata={"num_experts": str(recorded.num_experts)},
    )


def load_routing(path: Path) -> RecordedRouting:
    """Read what `save_routing` wrote.

    Raises:
        ValueError: The file is damaged, of another kind, or holds what no model can have chosen.
    """
    try:
        with safe_open(path, framework="pt") as file:
            num_experts = int((file.metadata() or {})["num_experts"])
            ids_LTK, rows_T = (_whole(file.get_tensor(name), name) for name in ("ids_LTK", "rows_T"))
    except (SafetensorError, KeyError, OSError, ValueError) as error:
        raise ValueError(
            f"a routing file must be what save_routing wrote, got {str(path)!r} ({error}); record it again"
        ) from error
    try:
        return RecordedRouting(ids_LTK=ids_LTK, rows_T=rows_T, num_experts=num_experts)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _whole(tensor: torch.Tensor, name: str) -> torch.Tensor:
    if tensor.dtype != torch.int16:
        raise ValueError(f"{name} must be torch.int16, got {tensor.dtype}")
    return tensor.long()
