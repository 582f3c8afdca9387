"""Scenarios of bench_experts and decode_peers made of plain numbers: seconds by arm, a floor of a millisecond."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from bench.harness.record import Launch, Scenario
from tests.bench.sample_records import scenario

COST = {"flops": 1e5, "bytes": 1e6}  # at 1 Gflop/s and 1 GB/s: a millisecond, for bytes rule
Seconds = Mapping[str, float | Sequence[float]]


def experts(
    seconds: Seconds,
    *more: Seconds,
    scale: str = "7b@2",
    tokens: int = 1,
    backend: str = "moevlm",
    cost: Mapping[str, float] | None = COST,
) -> Scenario:
    """Return a scenario of bench_experts; each argument holds the seconds by arm of one launch."""
    return scenario(
        *({**launch, "anchor": launch["moe"]} for launch in (seconds, *more)),
        name=f"bench_experts[{scale}-{backend}-uniform-t{tokens}]",
        metric="latency_s",
        num_units=2,
        params={"scale": scale, "backend": backend, "routing": "uniform", "num_tokens": tokens},
        cost=cost,
    )


def decode(seconds: Seconds, *, batch: int = 1, cost: Mapping[str, float] | None = COST) -> Scenario:
    """Return a scenario of decode_peers."""
    axes = {"scale": "proxy", "workload": "mmmu", "routing": "uniform", "batch_size": batch, "seq_len": 256}
    return scenario(
        {**seconds, "anchor": seconds["moe"]},
        name=f"bench_decode_peers[proxy-mmmu-uniform-b{batch}-s256]",
        num_units=32,
        params=axes,
        cost=cost,
    )


def void(measured: Scenario) -> Scenario:
    """Return a scenario with no sample left, for its device was throttled."""
    launch = Launch(id="l", samples=(), voided=3)
    arms = {name: structs.replace(arm, launches=(launch,)) for name, arm in measured.arms.items()}
    return Scenario(id=measured.id, arms=arms)
