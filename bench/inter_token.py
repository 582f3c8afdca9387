"""Inter-token latency (ITL): each single gap between two output tokens, where TPOT is the mean over a few.

How gaps spread takes many of them: `--min-blocks 200`, and `python -m bench report RECORD` shows p50, p95 and p99. So
`pytest bench` leaves this file out (it is not named bench_*): run it by its name.
"""

import torch

from bench.checks.passes import checks_of
from bench.decoding import Decoding
from bench.floors import costs_of, depth_facts, mean_distinct_experts
from bench.harness.metrics import METRICS
from bench.harness.paired import Paired
from fixtures.inputs import Inputs
from fixtures.models import Twins
from fixtures.oracle.keeper import Oracle


def bench_inter_token(
    paired: Paired,
    twins: Twins,
    inputs: Inputs,
    routing_hash: str,
    oracle: Oracle,
    decode_anchor: str,
    batch_size: int,
    seq_len: int | str,
) -> None:
    """Decode one token; every gap follows the same cache length, so that gaps differ by nothing but time."""
    decode = Decoding(twins, inputs, num_steps=1)
    distinct = mean_distinct_experts(twins["moe"], lambda: decode.plainly("moe"))
    final = paired.measure(
        decode,
        arms=twins,
        check=decode.check(checks_of(oracle, twins, inputs)),
        metric=METRICS["itl_s"],
        anchor=decode_anchor,
        rates={"output_tok_per_s": batch_size},
        costs=costs_of(twins, "decode", batch_size=batch_size, seq_len=inputs.mean_prompt_tokens, distinct=distinct),
        hashes={"workload": inputs.hash, "routing": routing_hash},
        facts={"distinct_experts": distinct, **depth_facts(twins)},
        paths=decode.paths,
    )
    for state in final.values():
        assert state.tokens_BN.shape == (batch_size, 1)
        assert torch.isfinite(state.logits_BV).all()
