"""Memory: the bytes that an arm keeps between calls, and the most that it holds while it answers a batch.

Counted, not timed: there is no noise. Each arm is built, and called for the first time, in a process of its own that
nothing has run in before, so a copy of its weights is its own wherever it is kept and whenever it is made. A CPU's
feed-forward goes by the rule there, unless the environment asks for another way: by measurement, two runs may choose
two ways that are as fast, but do not hold as much.
"""

import os
from collections.abc import Callable, Mapping

import pytest
import torch

import moevlm
from bench.floors import depth_facts
from bench.harness.apart import Apart
from bench.harness.memory import BUILT, CALLED, Alive, count_alive
from bench.harness.metrics import KEPT_BYTES, PEAK_BYTES
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.scales import LoneArms
from moevlm.kernels.cpu.choosing import RULE, VARIABLE

NUM_DECODE_STEPS = 2  # the peak is the prefill's, or the first steps'


@pytest.fixture(scope="session")
def counted() -> dict[str, dict[str, Alive]]:
    """Keep, by the sizes of a scenario, what was counted of its arms: two scenarios ask for it."""
    return {}


@pytest.fixture
def alive(
    request: pytest.FixtureRequest,
    counted: dict[str, dict[str, Alive]],
    apart: Apart,
    lone_arms: LoneArms,
    inputs: Inputs,
) -> Mapping[str, Alive]:
    """Return what is alive of each arm."""
    sizes = request.node.callspec.id
    if sizes not in counted:
        counted[sizes] = {
            arm: apart.run(alive_of, build, inputs.tensors, inputs.tensors["input_ids"].device)
            for arm, build in lone_arms.items()
        }
    return counted[sizes]


def alive_of(build: Callable[[], Twins], tensors: Mapping[str, torch.Tensor], device: torch.device) -> Alive:
    """Build one arm, prefill and decode a few tokens with it, and keep the cache; the inputs are not counted.

    It is for a process of its own, whose environment it changes.
    """
    os.environ.setdefault(VARIABLE, RULE)

    def answer(twins: Twins) -> moevlm.DecodeState:
        (model,) = twins.values()
        state = moevlm.prefill(model, tensors, max_new_tokens=NUM_DECODE_STEPS)
        return moevlm.decode_steps(model, state, num_steps=NUM_DECODE_STEPS)

    return count_alive(build, answer, device)


def bench_memory(
    paired: Paired,
    alive: Mapping[str, Alive],
    lone_arms: LoneArms,
    inputs: Inputs,
    routing_hash: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Count what is alive at most while a batch is answered for the first time, weights and cache included."""
    values = paired.observe(
        lambda arm: float(alive[arm].peak),
        arms=alive,
        metric=PEAK_BYTES,
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts=depth_facts(lone_arms),
    )
    for arm, value in values.items():
        assert value > alive[arm].kept > 0


def bench_kept_memory(
    paired: Paired,
    alive: Mapping[str, Alive],
    lone_arms: LoneArms,
    inputs: Inputs,
    routing_hash: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Count what stays alive: after the build or after the first answer, whichever is more; both stand beside."""
    built = {BUILT.format(arm=arm): float(counted.built) for arm, counted in alive.items()}
    called = {CALLED.format(arm=arm): float(counted.called) for arm, counted in alive.items()}
    values = paired.observe(
        lambda arm: float(alive[arm].kept),
        arms=alive,
        metric=KEPT_BYTES,
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={**depth_facts(lone_arms), **built, **called},
    )
    assert all(value > 0 for value in values.values())
