"""What routing did in a scenario, in figures that stand beside its times.

Specialization and what would cross devices are of the prompt, which has both modalities; distinct experts and load are
of the pass that is timed. Devices are the paper's two, with tokens at home by modality.

Shapes: B samples, S positions, T tokens, K experts a token, E experts, M modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import torch

from bench.layers.passes import Pass
from moevlm.routing.profiles import RoutingProfile
from moevlm.smoes.losses import modality_load
from moevlm.smoes.modality import as_modalities, hard_scores
from moevlm.smoes.placement import cross_device_rate, home_by_modality, place_by_bins, place_in_order
from moevlm.smoes.specialization import distinct_experts, expert_load, max_over_mean_load, modality_specialization_index
from moevlm.steering.expected_routing import specialized_distinct_experts, strength_for_rate
from moevlm.steering.tables import PAPER_RATES

if TYPE_CHECKING:
    from moevlm.config import MoEVLMTextConfig

NUM_DEVICES = 2  # as in arXiv:2604.23996
FOLLOWING_WEIGHTS = ("weights", "trained", "replay")  # profiles without a closed form


def routing_facts(taken: Pass, inputs: Mapping[str, torch.Tensor], profile: RoutingProfile) -> dict[str, float]:
    """Return the figures of one MoE's pass, means over its layers."""
    text = taken.model.config.text_config
    tokens_BS = inputs["input_ids"]
    is_vision_BS = tokens_BS == taken.model.config.image_token_id
    is_token_T = inputs.get("attention_mask", torch.ones_like(tokens_BS)).bool().flatten()
    scores_TM = as_modalities(hard_scores(is_vision_BS.flatten()))
    load_LME = torch.stack(
        [modality_load(scores_TM, ids_TK, text.num_experts, is_token_T) for ids_TK in taken.prompt_ids]
    )
    loads = [expert_load(ids_TK, text.num_experts) for ids_TK in taken.step_ids]
    num_vision = int(is_vision_BS.sum()) if taken.phase == "prefill" else 0  # a decode step has text alone
    num_tokens = (len(taken.step_ids[0]) - num_vision, num_vision)
    return {
        "msi": modality_specialization_index(load_LME),
        "distinct_experts": fmean(map(distinct_experts, taken.step_ids)),
        "load_max_over_mean": fmean(map(max_over_mean_load, loads)),
        **_expected_distinct(profile, text, num_tokens),
        **_crossing(taken.prompt_ids, load_LME, is_vision_BS, is_token_T),
    }


def _expected_distinct(
    profile: RoutingProfile, text: MoEVLMTextConfig, num_tokens: tuple[int, int]
) -> dict[str, float]:
    """Return the closed form of distinct experts where the profile has one."""
    if profile.name in FOLLOWING_WEIGHTS:
        return {}
    num_layers, shape = text.num_hidden_layers, (text.num_experts, text.num_experts_per_tok)
    strengths = [tuple(ramp.at(layer, num_layers) for ramp in profile.ramps) for layer in range(num_layers)]
    if profile.name in PAPER_RATES:
        strengths = [(strength_for_rate(PAPER_RATES[profile.name], *shape),) * 2]
    found = fmean(specialized_distinct_experts((own, other), *shape, num_tokens) for own, other in strengths)
    return {"expected_distinct_experts": found}


def _crossing(
    ids_by_layer: Sequence[torch.Tensor], load_LME: torch.Tensor, is_vision_BS: torch.Tensor, is_token_T: torch.Tensor
) -> dict[str, float]:
    """Return the share of tokens that would leave their device, of all and of vision, by placement.

    Between two devices a token is sent once or not at all, so the share is also the traffic a token.
    """
    home_T = home_by_modality(is_vision_BS, NUM_DEVICES).cpu()
    kept = {"": is_token_T.cpu(), "vision_": is_vision_BS.flatten().cpu()}
    in_order_E = place_in_order(load_LME.shape[-1], NUM_DEVICES)
    placements = {
        "in_order": [in_order_E] * len(load_LME),
        "bins": [place_by_bins(load_ME.cpu(), NUM_DEVICES) for load_ME in load_LME],
    }
    return {
        f"{whose}crossing_{name}": fmean(
            cross_device_rate(ids_TK.cpu()[kept_T], device_E, home_T[kept_T])
            for ids_TK, device_E in zip(ids_by_layer, devices, strict=True)
        )
        for name, devices in placements.items()
        for whose, kept_T in kept.items()
    }
