"""Expert parallelism in figures: where experts and tokens live, and how many tokens must leave their device.

Shapes: B samples, S positions, T = B * S tokens, K experts a token, E experts, N devices.
"""

from collections.abc import Callable

import torch

from moevlm.smoes.binning import assign_bins, text_bias


def place_in_order(num_experts: int, num_devices: int) -> torch.Tensor:
    """Place experts in runs of equal length, in index order.

    Returns:
        Device of each expert, int64, (E,).

    Raises:
        ValueError: N does not divide E.

    >>> place_in_order(4, 2).tolist()
    [0, 0, 1, 1]
    """
    return torch.arange(num_experts) // experts_a_device(num_experts, num_devices)


def place_by_bins(load_ME: torch.Tensor, num_devices: int) -> torch.Tensor:
    """Place experts by whom they serve: device 0 gets those that lean most to vision, as many on each device.

    Args:
        load_ME: Tokens routed to each expert of one layer, by modality: a trained layer's running load
            (`moevlm.smoes.binning.ExpertBins`), or a recording's (`moevlm.steering.replay.RecordedRouting.load`).

    Returns:
        Device of each expert, int64, (E,).

    Raises:
        ValueError: N does not divide E.

    >>> place_by_bins(torch.tensor([[9.0, 1.0, 9.0, 1.0], [1.0, 9.0, 1.0, 9.0]]), 2).tolist()
    [1, 0, 1, 0]
    """
    experts_a_device(load_ME.shape[1], num_devices)  # names devices, where bins would be asked for
    return assign_bins(text_bias(load_ME.double()), num_devices)


def experts_a_device(num_experts: int, num_devices: int) -> int:
    """Return E / N.

    Raises:
        ValueError: N does not divide E.
    """
    if num_devices < 1 or num_experts % num_devices:
        divisors = ", ".join(str(number) for number in range(1, num_experts + 1) if num_experts % number == 0)
        raise ValueError(
            f"the number of devices must divide num_experts={num_experts}, got {num_devices}; use one of {divisors}"
        )
    return num_experts // num_devices


def home_by_sequence(is_vision_BS: torch.Tensor, num_devices: int) -> torch.Tensor:
    """Give each token a home as data parallelism does: sample i lives on device i mod N.

    >>> home_by_sequence(torch.zeros(3, 2, dtype=torch.bool), 2).tolist()
    [0, 0, 1, 1, 0, 0]
    """
    sample_B1 = torch.arange(len(is_vision_BS), device=is_vision_BS.device)[:, None]
    return (sample_B1 % num_devices).expand_as(is_vision_BS).flatten()


def home_by_modality(is_vision_BS: torch.Tensor, num_devices: int) -> torch.Tensor:
    """Give each token a home by modality: vision on the first half of the devices, text on the second.

    Within the half, sample i lives on device i mod (N / 2). Experts placed by their bins have the same order, as bin 0
    leans most to vision.

    Raises:
        ValueError: N is odd.

    >>> home_by_modality(torch.tensor([[True, False], [True, False]]), 4).tolist()
    [0, 2, 1, 3]
    """
    half = devices_a_modality(num_devices)
    return (home_by_sequence(is_vision_BS, half).view_as(is_vision_BS) + half * ~is_vision_BS).flatten()


def devices_a_modality(num_devices: int) -> int:
    """Return N / 2.

    Raises:
        ValueError: N is odd.
    """
    half, odd = divmod(num_devices, 2)
    if odd or half < 1:
        raise ValueError(f"a home by modality needs an even number of devices, got {num_devices}; add or drop one")
    return half


HOME_RULES: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "sequence": home_by_sequence,
    "modality": home_by_modality,
}


def cross_device_rate(
    expert_ids_TK: torch.Tensor, device_of_expert_E: torch.Tensor, home_of_token_T: torch.Tensor
) -> float:
    """Return the share of tokens with at least one chosen expert on a device other than their own.

    Args:
        expert_ids_TK: Expert ids of one layer, int64.
        device_of_expert_E: Device of each expert, int64; the bin of an expert where bins are the placement.
        home_of_token_T: Device of each token, int64; one of HOME_RULES gives it.

    Raises:
        ValueError: There is no token, or not one home for each.

    >>> cross_device_rate(torch.tensor([[0, 1], [1, 2]]), torch.tensor([0, 0, 1]), torch.tensor([0, 0]))
    0.5
    """
    if home_of_token_T.shape != expert_ids_TK.shape[:1] or not len(home_of_token_T):
        raise ValueError(
            f"each token, at least 1, must have one home, got homes {tuple(home_of_token_T.shape)} and expert ids "
            f"{tuple(expert_ids_TK.shape)}; pass (T,) and (T, K)"
        )
    is_remote_TK = device_of_expert_E[expert_ids_TK] != home_of_token_T[:, None]
    return float(is_remote_TK.any(dim=1).double().mean())
