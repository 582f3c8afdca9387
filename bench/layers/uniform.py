"""The same layers under uniform routing: what runs beside steered ones, so that the difference is of one measurement.

Whatever else moves between two launches, a scenario of another profile has this arm in each of its own blocks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.layers.parts import again, whole_layers
from bench.layers.passes import Pass
from moevlm import RoutingProfile, apply_profile

if TYPE_CHECKING:
    from moevlm import MoEVLM

UNIFORM = "uniform"
COMPARED: dict[str, Callable[[Pass], Callable[[], Any]]] = {  # parts; what routing does not touch is left out
    "layers": whole_layers,
    "experts": lambda taken: partial(again, taken, "experts"),
}


def uniform_twin(model: MoEVLM) -> MoEVLM:
    """Return a model of the same tensors, not copies of them, whose routers choose uniformly.

    Args:
        model: An MoE that a profile steers; the noise is the profile's.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin: MoEVLM = copy.deepcopy(model, shared)
    seed = model.model.language_model.routing_profile.seed
    apply_profile(twin, RoutingProfile(name=UNIFORM, seed=seed))
    return twin


def uniform_parts(taken: Pass) -> tuple[Pass, dict[str, Callable[[], Any]]]:
    """Take the same pass under uniform routing apart."""
    beside = taken.of(uniform_twin(taken.model))
    return beside, {name: part(beside) for name, part in COMPARED.items()}
