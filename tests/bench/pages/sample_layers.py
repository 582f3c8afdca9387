"""A scenario of bench_layers made of plain numbers: a pass through two layers, one block a launch."""

from bench.harness.record import ArmSeries, Launch, Scenario

MOE = {  # seconds of a pass through two layers; one block
    "": 0.050, "/layers": 0.040, "/attention": 0.008, "/norms": 0.002, "/router": 0.004, "/experts": 0.020,
    "/dispatch": 0.004, "/gemms": 0.022, "/combine": 0.004, "/ends": 0.010,
}  # fmt: skip
DENSE = {"": 0.090, "/layers": 0.080, "/attention": 0.008, "/norms": 0.002, "/ffn": 0.070, "/ends": 0.010}
FACTS = {
    "depth": 2, "full_depth_moe": 16, "full_depth_dense": 16, "msi": 0.5, "distinct_experts": 40.0,
    "expected_distinct_experts": 50.0, "load_max_over_mean": 1.5, "crossing_in_order": 0.9, "crossing_bins": 0.3,
    "vision_crossing_in_order": 0.8, "vision_crossing_bins": 0.1,
}  # fmt: skip
COST = {"flops": 4e6, "bytes": 16e6}  # at 1 Gflop/s and 1 GB/s: bytes rule


def layers_scenario(
    *,
    routing: str = "specialized:2",
    batch_size: int = 8,
    seq_len: int = 640,
    facts: dict[str, float] = FACTS,
    dense: bool = True,
    slowdown: float = 1.0,
    cost: dict[str, float] = COST,
    num_launches: int = 1,
    uniform: dict[str, float] | None = None,
) -> Scenario:
    """Return the scenario; `uniform` holds the seconds of the parts that run under uniform routing beside it."""
    name = f"bench_layers[7b@2-mmmu-{routing.replace(':', '')}-b{batch_size}-s{seq_len}-decode]"
    arms = {f"moe{part}": seconds for part, seconds in MOE.items()}
    arms |= {f"dense{part}": seconds for part, seconds in DENSE.items()} if dense else {}
    arms |= {f"uniform/{part}": seconds for part, seconds in (uniform or {}).items()}
    arms["anchor"] = 0.001
    params = {"scale": "7b@2", "routing": routing, "batch_size": batch_size, "seq_len": seq_len, "phase": "decode"}
    series = {
        arm: ArmSeries(
            scenario=name, arm=arm, metric="latency_s", num_units=1, anchor="stream", rates={}, params=params,
            hashes={}, cost=cost, facts=facts,
            launches=tuple(Launch(id=f"l{n}", samples=((1 + n) * slowdown * seconds,), voided=0)
                           for n in range(num_launches)),
        )
        for arm, seconds in arms.items()
    }  # fmt: skip
    return Scenario(id=name, arms=series)


def devices_scenario() -> Scenario:
    """Return a prefill on two devices, six rounds: experts by bins take half the time of those in index order."""
    name = "bench_parallel[tiny-mmmu-specialized4-b2-s48-n2-modality-10gbit-prefill]"
    params = {"scale": "tiny", "routing": "specialized:4", "phase": "prefill"}
    sent = {"sent_bytes_dispatch": 2048.0, "sent_bytes_combine": 1024.0, "sent_bytes_share": 512.0}
    facts = {"load_max_over_mean": 1.5, "msi": 0.9, "cross_device_rate": 0.15, **sent}
    arms = {
        "moe": 1.0,
        "in_order": 2.0,
        "moe/dispatch": 0.25,
        "moe/combine": 0.5,
        "in_order/dispatch": 0.5,
        "anchor": 0.1,
    }
    series = {
        arm: ArmSeries(
            scenario=name, arm=arm, metric="ttft_s", num_units=1, anchor="matmul", rates={}, params=params, hashes={},
            cost=None, facts={**facts, "sent_bytes_dispatch": 4096.0} if arm == "in_order" else facts,
            launches=(Launch(id="l0", samples=(seconds,) * 6, voided=0),),
        )
        for arm, seconds in arms.items()
    }  # fmt: skip
    return Scenario(id=name, arms=series)
