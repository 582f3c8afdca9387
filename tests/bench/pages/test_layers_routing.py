"""Tests of what specialization changes: multiples of uniform routing, by hand."""

from bench.harness.record import Scenario
from bench.pages.layers.routing import most_specialized
from bench.pages.layers.times import read_layers
from tests.bench.pages.sample_layers import FACTS, layers_scenario
from tests.bench.sample_records import record_of

BESIDE = {"layers": 0.080}  # seconds under uniform routing, where the steered layer takes 0.040
HARD = {**FACTS, "msi": 1.0}


def steered(routing: str = "specialized:2", **fields: object) -> Scenario:
    return layers_scenario(routing=routing, dense=False, **fields)  # type: ignore[arg-type]


def uniform(*, slowdown: float) -> Scenario:
    return layers_scenario(routing="uniform", facts={**FACTS, "msi": 0.1}, slowdown=slowdown)


def found(*scenarios: Scenario) -> list[tuple[str, int, float | None]]:
    layers = most_specialized(read_layers([record_of(one) for one in scenarios]))
    ratios = [(layer, layer.over_uniform("layers")) for layer in layers]
    return [(layer.routing, layer.batch_size, ratio and ratio.estimate) for layer, ratio in ratios]


def test_a_layer_is_a_multiple_of_its_own_time_under_uniform_routing_in_the_same_blocks() -> None:
    """The uniform scenario of another launch, five times as slow, has no part in it."""
    assert found(steered(uniform=BESIDE), uniform(slowdown=5.0)) == [("specialized:2", 8, 0.5)]


def test_uniform_routing_of_another_launch_is_none_to_be_held_against() -> None:
    assert found(steered(), uniform(slowdown=2.0)) == []


def test_the_most_specialized_profile_of_each_length_counts_at_each_batch() -> None:
    assert found(
        steered(uniform=BESIDE),
        steered("specialized:16", facts=HARD, uniform=BESIDE),
        steered("specialized:16", facts=HARD, uniform={"layers": 0.040}, batch_size=1),
        steered(uniform={"layers": 0.020}, seq_len=1024),
    ) == [
        ("specialized:16", 1, 1.0),
        ("specialized:16", 8, 0.5),
        ("specialized:2", 8, 2.0),
    ]


def test_uniform_routing_alone_is_not_steered() -> None:
    assert found(uniform(slowdown=1.0)) == []
