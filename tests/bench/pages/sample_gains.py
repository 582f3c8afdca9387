"""Scenarios of the MoE beside other models, made of plain seconds, whole or in slices; and the gains they give."""

from bench.harness.record import ArmSeries, Launch, Scenario
from bench.pages.results.gains import Gain, gains_of
from tests.bench.sample_records import record_of

PEAKS = {"matmul_flop_per_s": 100.0, "copy_byte_per_s": 10.0}
BLOCKS = (0.99, 1.0, 1.0, 1.0, 1.0, 1.01)


def arm(name: str, seconds: float, scenario: str, **fields: object) -> ArmSeries:
    plain = {
        "metric": "tpot_s",
        "num_units": 1,
        "anchor": "dispatch",
        "rates": {"output_tok_per_s": 2.0},
        "params": {"scale": "7b", "workload": "mmmu", "batch_size": 1, "seq_len": 1024},
        "hashes": {},
        "cost": None,
        "facts": {},
    }
    launch = Launch(id="l", samples=tuple(seconds * factor for factor in BLOCKS), voided=0)
    return ArmSeries(scenario=scenario, arm=name, launches=(launch,), **{**plain, **fields})  # type: ignore[arg-type]


def scenario(
    moe_s: float,
    rival_s: float,
    *,
    benchmark: str = "bench_decode",
    scale: str = "7b",
    batch: int = 1,
    length: int = 1024,
    depth: int = 0,
    distinct: int = 0,
    rival: str = "dense",
    routing: str = "uniform",
    **fields: object,
) -> Scenario:
    """Return the MoE beside one rival; with a depth of 16 layers, or with distinct ones used in turn."""
    built = f"{scale}@{depth or ''}{f'of{distinct}' if distinct else ''}" if depth or distinct else scale
    params = {"scale": built, "workload": "mmmu", "routing": routing, "batch_size": batch, "seq_len": length}
    facts = {"depth": depth, "full_depth_moe": 16, f"full_depth_{rival}": 16} if depth else {}
    if distinct:
        facts = {"depth": depth or 16, "full_depth_moe": 16, f"full_depth_{rival}": 16, **recycled_facts(distinct)}
    named = "-".join([built, *([routing] if routing != "uniform" else []), f"b{batch}-s{length}"])
    name = f"{benchmark}[{named}{'' if rival == 'dense' else f'-{rival}'}]"
    seconds = {"moe": moe_s, rival: rival_s, "anchor": 1.0}
    arms = {one: arm(one, value, name, params=params, facts=facts, **fields) for one, value in seconds.items()}
    return Scenario(id=name, arms=arms)


def recycled_facts(distinct: int) -> dict[str, float]:
    """Return the facts of recycled layers: each a cache and a half."""
    return {"distinct_layers": distinct, "distinct_over_cache": 1.5 * distinct}


def sliced(offset: float, slopes: tuple[float, float]) -> list[Scenario]:
    """Return three depths on lines: offset + slope * depth of the MoE, and of its rival."""
    return [scenario(offset + slopes[0] * depth, offset + slopes[1] * depth, depth=depth) for depth in (1, 2, 4)]


def gains(*scenarios: Scenario) -> list[Gain]:
    return gains_of([record_of(*scenarios, peaks=PEAKS)]).gains
