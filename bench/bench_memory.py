"""Memory: the most bytes an arm holds while it answers a batch, its weights included.

Weights are counted for each arm as if it stood alone, although the twins share theirs here. Counted, not timed: there
is no noise.
"""

from bench.floors import depth_facts
from bench.harness.memory import peak_new_bytes
from bench.harness.metrics import PEAK_BYTES
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins
from moevlm import DecodeState, decode_steps, prefill

NUM_DECODE_STEPS = 2  # the peak is the prefill's, or the first steps'


def bench_memory(
    paired: Paired, twins: Twins, inputs: Inputs, routing_hash: str, batch_size: int, seq_len: int | str
) -> None:
    """Prefill and decode a few tokens, and keep the cache."""

    def answer(arm: str) -> DecodeState:
        state = prefill(twins[arm], inputs.tensors, max_new_tokens=NUM_DECODE_STEPS)
        return decode_steps(twins[arm], state, num_steps=NUM_DECODE_STEPS)

    def peak_bytes(arm: str) -> float:
        weights = sum(parameter.nbytes for parameter in twins[arm].parameters())
        return float(weights + peak_new_bytes(lambda: answer(arm), twins[arm].device))

    values = paired.observe(
        peak_bytes,
        arms=twins,
        metric=PEAK_BYTES,
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts=depth_facts(twins),
    )
    for arm, value in values.items():
        assert value > sum(parameter.nbytes for parameter in twins[arm].parameters())
