"""Tables that put a routing profile into the routers: in each layer a bias for every modality, noise row and expert.

Shapes: L MoE layers, M modalities, P noise rows, R = M * P rows of a table, E experts, K experts a token.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import nn

from moevlm.routing.profiles import NUM_NOISE_ROWS, Ramp, RoutingProfile
from moevlm.routing.router import MoEVLMRouter
from moevlm.smoes.modality import MODALITIES
from moevlm.smoes.specialization import expert_load
from moevlm.steering.expected_routing import strength_for_rate
from moevlm.steering.replay import NUM_ROWS, RecordedRouting, load_routing

PAPER_RATES = {"paper-agnostic": 0.977, "paper-smoes": 0.150}  # vision tokens that cross devices, arXiv:2604.23996
NUM_CORRECTIONS = 4  # of log-odds: K draws without replacement miss the shares they start from by 5 to 8 %, these by 2
REPLAY_BIAS = 32.0  # of a recorded expert: far above damped logits, and e^-32 is still a float32


class RoutersShape(NamedTuple):
    """Sizes that a profile must fit."""

    num_layers: int
    num_experts: int
    top_k: int


def check_profile(profile: RoutingProfile, shape: RoutersShape) -> None:
    """Check that routers of this shape can be steered by a profile.

    Raises:
        ValueError: The paper's rate cannot be had with these experts, or a file is of another shape or unreadable.
    """
    if profile.name in PAPER_RATES:
        home_ramps(profile, shape)
    if profile.file is not None:
        _recorded(profile, shape)


def bias_tables(profile: RoutingProfile, shape: RoutersShape) -> list[torch.Tensor]:
    """Build each layer's bias.

    All but "replay" start from Gumbel noise: the K largest of log-weights plus Gumbel noise are K draws without
    replacement in proportion to the weights (Gumbel top-k trick, Kool et al. 2019, arXiv:1903.06059).

    Returns:
        Float32 on the CPU, each (R, E): text rows, then vision rows.

    Raises:
        ValueError: As `check_profile`.
    """
    return list(TABLES[profile.name](profile, shape))


def apply_profile(model: nn.Module, profile: RoutingProfile) -> None:
    """Install a routing profile in every MoE layer of a model; a dense model is left as it is.

    Apply it after the model has its device and dtype: `.to(bfloat16)` would round the noise.

    Args:
        model: A model of this package, or any module that holds routers.

    Raises:
        ValueError: The profile does not fit the model; see `check_profile`.
    """
    routers = [module for module in model.modules() if isinstance(module, MoEVLMRouter)]
    if not routers:
        return
    shape = RoutersShape(len(routers), routers[0].weight.shape[0], routers[0].top_k)
    tables = bias_tables(profile, shape) if profile.is_biased else [None] * len(routers)
    for router, table in zip(routers, tables, strict=True):
        router.bias_table_RE = None if table is None else table.to(router.weight.device)
    for module in model.modules():
        if hasattr(module, "routing_profile"):
            module.routing_profile = profile  # type: ignore[assignment]  # nn.Module declares tensors and modules only


def _home_tables(profile: RoutingProfile, shape: RoutersShape) -> Iterator[torch.Tensor]:
    """Favour each modality's home by its log-odds."""
    ramps = home_ramps(profile, shape)
    for layer in range(shape.num_layers):
        noise_PE, home_E = _noise_and_homes(profile.seed, layer, shape.num_experts)
        strengths = [ramp.at(layer, shape.num_layers) for ramp in ramps]
        yield torch.cat([noise_PE + strength * (home_E == index) for index, strength in enumerate(strengths)]).float()


def home_ramps(profile: RoutingProfile, shape: RoutersShape) -> tuple[Ramp, Ramp]:
    """Return the log-odds over the layers, of text and of vision; those that give the paper's rate are solved for.

    Raises:
        ValueError: No log-odds give that rate with these experts.
    """
    if profile.name not in PAPER_RATES:
        return profile.ramps
    try:
        strength = strength_for_rate(PAPER_RATES[profile.name], shape.num_experts, shape.top_k)
    except ValueError as error:
        raise ValueError(f"routing profile {profile.name}: {error}") from None
    return Ramp(strength, strength), Ramp(strength, strength)


def _trained_tables(profile: RoutingProfile, shape: RoutersShape) -> Iterator[torch.Tensor]:
    """Let the rows of a modality choose each expert as often as its recorded tokens did."""
    recorded = _recorded(profile, shape)
    tokens_M1 = recorded.modalities.bincount(minlength=len(MODALITIES))[:, None]
    for layer, load_ME in enumerate(recorded.load()):
        noise_PE, _ = _noise_and_homes(profile.seed, layer, shape.num_experts)
        shares_ME = (load_ME / tokens_M1).double()
        yield torch.cat([noise_PE + _log_weights(share_E, noise_PE, shape.top_k) for share_E in shares_ME]).float()


def _log_weights(share_E: torch.Tensor, noise_PE: torch.Tensor, top_k: int) -> torch.Tensor:
    """Return the log-weights with which the noise's rows choose expert e in the share `share_E[e]` of them."""
    num_rows, num_experts = noise_PE.shape
    least = 0.5 / num_rows  # half a row: an expert that none or all chose keeps finite odds
    log_weights_E = torch.log((share_E + least) / (1 - share_E + least))
    for _ in range(NUM_CORRECTIONS):
        found_E = expert_load((noise_PE + log_weights_E).topk(top_k).indices, num_experts) / num_rows
        log_weights_E = log_weights_E + torch.log((share_E + least) / (found_E + least))
    return log_weights_E


def _replay_tables(profile: RoutingProfile, shape: RoutersShape) -> Iterator[torch.Tensor]:
    """Lift the experts of one recorded token over all others in each row."""
    recorded = _recorded(profile, shape)
    token_R = _token_of_row(recorded, profile.seed)
    for ids_TK in recorded.ids_LTK:
        yield torch.zeros(len(token_R), shape.num_experts).scatter_(1, ids_TK[token_R], REPLAY_BIAS)


TABLES: dict[str, Callable[[RoutingProfile, RoutersShape], Iterator[torch.Tensor]]] = {
    **dict.fromkeys(("uniform", "specialized", *PAPER_RATES), _home_tables),
    "trained": _trained_tables,
    "replay": _replay_tables,
}


def _token_of_row(recorded: RecordedRouting, seed: int) -> torch.Tensor:
    """Choose for each row one of its recorded tokens, or any of the row's modality if none fell on it."""
    generator = torch.Generator().manual_seed(seed)
    order_T = torch.randperm(len(recorded.rows_T), generator=generator)
    by_modality = [order_T[recorded.modalities[order_T] == index].tolist() for index in range(len(MODALITIES))]
    spare = [tokens[row % len(tokens)] for tokens in by_modality for row in range(NUM_NOISE_ROWS)]
    own = dict(zip(recorded.rows_T[order_T].tolist(), order_T.tolist(), strict=True))
    return torch.tensor([own.get(row, spare[row]) for row in range(NUM_ROWS)])


def _recorded(profile: RoutingProfile, shape: RoutersShape) -> RecordedRouting:
    assert profile.file is not None, "profiles that read a file have one"
    recorded = load_routing(profile.file)
    num_layers, _, top_k = recorded.ids_LTK.shape
    found = RoutersShape(num_layers, recorded.num_experts, top_k)
    if found != shape:
        raise ValueError(
            f"the routing in {str(profile.file)!r} must be of {shape.num_layers} layers, {shape.num_experts} experts, "
            f"{shape.top_k} a token, got {found.num_layers}, {found.num_experts} and {found.top_k}; record this model's"
        )
    return recorded


def _noise_and_homes(seed: int, layer: int, num_experts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one layer's Gumbel noise (P, E), float64, and the modality whose home each expert is (E,), int64."""
    digits = hashlib.sha256(f"{seed}/{layer}".encode()).hexdigest()[:15]  # 60 bits: fits torch's signed 64-bit seed
    generator = torch.Generator().manual_seed(int(digits, 16))
    uniform_PE = torch.rand(NUM_NOISE_ROWS, num_experts, generator=generator, dtype=torch.float64)
    gumbel_PE = -torch.log(-torch.log(uniform_PE.clamp_min(torch.finfo(torch.float64).tiny)))
    return gumbel_PE, torch.randperm(num_experts, generator=generator) % len(MODALITIES)
