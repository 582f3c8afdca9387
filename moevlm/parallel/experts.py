"""Experts of one layer spread over devices: tokens go to them, partial sums come back; and a whole model so changed.

Shapes: T tokens, H hidden size, K experts a token, E experts, N devices, L MoE layers, R rows that arrived.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedModel

from moevlm.model.batch_part import PARTS, BatchPart
from moevlm.model.feedforward import MoEVLMExperts, MoEVLMSparseMLP
from moevlm.parallel.all_to_all import Group
from moevlm.parallel.dispatch import COPIES, own_pairs, pack, plan_dispatch, sum_by_row, unpack


class Homes:
    """Which of the current pass's tokens are at home here; None = all. The text model's hook writes, experts read."""

    own_T: torch.Tensor | None = None


class ParallelExperts(nn.Module):
    """Hold one device's experts of a layer and reach the others; takes the place of `MoEVLMExperts`.

    Args:
        experts: All experts of the layer; only this device's are kept.
        device_of_expert_E: Device of each expert, int64.
        copies: A key of COPIES.
        homes: Which tokens are this device's own.
        partner: Device that runs the same samples; None = no other does.
    """

    device_of_expert_E: torch.Tensor
    local_of_expert_E: torch.Tensor

    def __init__(
        self,
        experts: MoEVLMExperts,
        device_of_expert_E: torch.Tensor,
        group: Group,
        *,
        layer: int,
        top_k: int,
        copies: str,
        homes: Homes,
        partner: int | None,
    ) -> None:
        super().__init__()
        self.num_experts, self.top_k = experts.num_experts, top_k
        self.group, self.layer, self.homes, self.partner = group, layer, homes, partner
        self.choose_copies = COPIES[copies]
        device_of_expert_E = device_of_expert_E.to(experts.down.device)
        own_experts = (device_of_expert_E == group.device).nonzero().flatten()
        local_of_expert_E = torch.full_like(device_of_expert_E, -1)
        local_of_expert_E[own_experts] = torch.arange(len(own_experts), device=own_experts.device)
        self.register_buffer("device_of_expert_E", device_of_expert_E, persistent=False)
        self.register_buffer("local_of_expert_E", local_of_expert_E, persistent=False)
        self.local = _keep_experts(experts, own_experts)

    def forward(self, hidden_TH: torch.Tensor, ids_TK: torch.Tensor, weights_TK: torch.Tensor) -> torch.Tensor:
        """Sum the chosen experts of each token, wherever they are; all devices call this together.

        Args:
            hidden_TH: Hidden states of the samples that this device runs.
            ids_TK: Expert ids of the whole layer, int64.
        """
        own_T = self.homes.own_T
        if self.partner is None or own_T is None:
            return self._transform_own(hidden_TH, ids_TK, weights_TK)
        own_OH = self._transform_own(hidden_TH[own_T], ids_TK[own_T], weights_TK[own_T])
        return self._share(own_OH, own_T, self.partner)

    def _transform_own(self, hidden_TH: torch.Tensor, ids_TK: torch.Tensor, weights_TK: torch.Tensor) -> torch.Tensor:
        """Sum the chosen experts of tokens that are at home here, none too; all devices call this together."""
        choices = self.choose_copies(ids_TK, weights_TK)
        dispatch = plan_dispatch(choices, self.device_of_expert_E, self.group.num_devices)
        come_N = self.group.exchange_counts(dispatch.rows_N, layer=self.layer)
        go_N = [int(count) for count in dispatch.rows_N.tolist()]
        packed_RW = pack(hidden_TH[dispatch.token_R], dispatch.ids_RC, dispatch.weights_RC)
        arrived_RW = self.group.exchange(packed_RW, go_N, come_N, layer=self.layer, leg="dispatch")
        sums_RH = self._compute(arrived_RW, dispatch.ids_RC.shape[1], hidden_TH.dtype)
        back_RH = self.group.exchange(sums_RH, come_N, go_N, layer=self.layer, leg="combine")
        return sum_by_row(back_RH, dispatch.token_R, len(hidden_TH))

    def _compute(self, arrived_RW: torch.Tensor, num_choices: int, dtype: torch.dtype) -> torch.Tensor:
        """Sum this device's experts of each row that arrived, (R, H)."""
        rows = unpack(arrived_RW, num_choices, dtype)
        pairs = own_pairs(rows, self.local_of_expert_E)
        if self.group.traffic is not None:
            self.group.traffic.pairs.append(len(pairs.row_P))
        if not len(pairs.row_P):  # backends need not take 0 tokens
            return torch.zeros_like(rows.hidden_RH)
        values_PH = self.local(rows.hidden_RH[pairs.row_P], pairs.ids_P1, pairs.weights_P1)
        return sum_by_row(values_PH, pairs.row_P, len(rows.hidden_RH))

    def _share(self, own_OH: torch.Tensor, own_T: torch.Tensor, partner: int) -> torch.Tensor:
        """Trade outputs with the device that runs the same samples and owns their other tokens, (T, H)."""
        go_N, come_N = [0] * self.group.num_devices, [0] * self.group.num_devices
        go_N[partner], come_N[partner] = len(own_OH), len(own_T) - len(own_OH)
        output_TH = own_OH.new_empty(len(own_T), own_OH.shape[1])
        output_TH[own_T] = own_OH
        output_TH[~own_T] = self.group.exchange(own_OH, go_N, come_N, layer=self.layer, leg="share")
        return output_TH


def _keep_experts(experts: MoEVLMExperts, own_experts: torch.Tensor) -> MoEVLMExperts:
    """Let the other experts' weights go, in place."""
    for name in ("gate_up_proj", "down"):
        setattr(experts, name, nn.Parameter(getattr(experts, name).detach()[own_experts], requires_grad=False))
    experts.num_experts = len(own_experts)
    return experts


def parallelize(
    model: PreTrainedModel,
    group: Group,
    placement: Sequence[torch.Tensor],
    *,
    home: str = "sequence",
    copies: str = "device",
) -> BatchPart:
    """Spread the experts of a model over a group, in place, for inference: parameters no longer take gradients.

    Every device calls this with the same weights and runs its own part of the batch; the rest of the model is on each.

    Args:
        model: A model of this package with experts, all of them.
        group: The devices.
        placement: For each MoE layer the device of each expert, int64, (E,), as `moevlm.smoes.placement` makes it.
        home: Which tokens are a device's own: a key of `moevlm.model.batch_part.PARTS`.
        copies: What travels: a key of `moevlm.parallel.dispatch.COPIES`.

    Returns:
        What this device does of a batch.

    Raises:
        ValueError: The model has no experts, a name is unknown, or the placement does not fit model and group.
    """
    for name, value, known in (("home", home, set(PARTS)), ("copies", copies, set(COPIES))):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(sorted(known))}, got {value!r}; choose one of them")
    layers = [module for module in model.modules() if isinstance(module, MoEVLMSparseMLP)]
    _check_placement(placement, layers, group.num_devices)
    part, homes = PARTS[home](group.device, group.num_devices), Homes()
    for index, (layer, device_of_expert_E) in enumerate(zip(layers, placement, strict=True)):
        spread = ParallelExperts(
            layer.experts,
            device_of_expert_E,
            group,
            layer=index,
            top_k=layer.gate.top_k,
            copies=copies,
            homes=homes,
            partner=part.partner,
        )
        layer.experts = spread  # type: ignore[assignment]  # it is called as the whole layer's experts are
    model.requires_grad_(False)
    _watch_homes(model, part, homes)
    return part


def _check_placement(placement: Sequence[torch.Tensor], layers: list[MoEVLMSparseMLP], num_devices: int) -> None:
    if not layers:
        raise ValueError("expert parallelism needs an MoE, got a model without experts; spread the MoE")
    if len(placement) != len(layers):
        raise ValueError(f"placement must be of {len(layers)} MoE layers, got {len(placement)}; place each layer")
    for index, (layer, device_of_expert_E) in enumerate(zip(layers, placement, strict=True)):
        if isinstance(layer.experts, ParallelExperts):
            raise ValueError("a model can be spread once, got one that is; load it anew")
        num_experts = layer.experts.num_experts
        found = device_of_expert_E.bincount(minlength=num_devices).tolist()
        if len(device_of_expert_E) != num_experts or found != [num_experts // num_devices] * num_devices:
            raise ValueError(
                f"placement must put num_experts={num_experts} evenly on {num_devices} devices, got {found} experts a "
                f"device in MoE layer {index}; make it with place_in_order or place_by_bins for {num_devices} devices"
            )


def _watch_homes(model: PreTrainedModel, part: BatchPart, homes: Homes) -> None:
    """Number the samples as the whole batch does and, by modality, note before each pass which tokens are own."""
    text_model = getattr(getattr(model, "model", model), "language_model", model)
    text_model.batch_part = part

    def note(_module: nn.Module, _arguments: object, inputs: dict[str, Any]) -> None:
        tokens = inputs["input_ids"] if inputs.get("input_ids") is not None else inputs["inputs_embeds"]
        is_vision_BS = inputs.get("vision_mask_BS")
        if is_vision_BS is None:
            is_vision_BS = torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        homes.own_T = part.own_tokens(is_vision_BS.flatten())

    if part.partner is not None:
        text_model.register_forward_pre_hook(note, with_kwargs=True)


def serve(model: PreTrainedModel) -> None:
    """Let this device's experts work for the others in one pass: for a device that has no sample of its own.

    Args:
        model: What `parallelize` changed; call this as often as the other devices run the model.

    Raises:
        ValueError: The model was not spread.
    """
    layers = [module for module in model.modules() if isinstance(module, ParallelExperts)]
    if not layers:
        raise ValueError("a model must be spread to serve others, got one that is not; call parallelize first")
    for experts in layers:
        weight = cast(torch.Tensor, experts.local.gate_up_proj)
        experts.homes.own_T = weight.new_empty(0, dtype=torch.bool)
        ids_TK = weight.new_empty(0, experts.top_k, dtype=torch.int64)
        experts(weight.new_empty(0, weight.shape[2]), ids_TK, weight.new_empty(0, experts.top_k))
