"""Tests of the answers' facts: gains by scale, phase and rival, which prompts tell of the batch, and layers."""

from dataclasses import replace

import pytest

from bench.pages.results.page import by_rival, layers, rows
from tests.bench.pages.sample_gains import gains, scenario
from tests.bench.pages.sample_layers import layers_scenario
from tests.bench.sample_records import record_of


def test_a_row_is_a_phase_of_a_scale_smallest_names_first() -> None:
    found = gains(
        scenario(1.0, 2.0, scale="34b"),
        scenario(1.0, 2.0, benchmark="bench_generate"),
        scenario(1.0, 2.0, batch=8),
        scenario(1.0, 6.0),
    )
    said = [(row.scale, row.phase, [gain.batch_size for gain in row.trend]) for row in rows(found)]
    assert said == [("7b", "decode", [1, 8]), ("7b", "whole answers", [1]), ("34b", "decode", [1])]


def test_rivals_stand_in_the_order_of_the_arms_each_from_its_least_speed_up_on() -> None:
    named = (("other", 2.0, 1), ("dense_active", 3.0, 1), ("dense", 6.0, 1), ("dense", 4.0, 8))
    found = gains(*(scenario(1.0, rival_s, rival=rival, batch=batch) for rival, rival_s, batch in named))
    estimates = {name: [gain.speedup.estimate for gain in of_one] for name, of_one in by_rival(found).items()}
    assert estimates == {
        "dense": pytest.approx([4.0, 6.0]),
        "dense_active": pytest.approx([3.0]),
        "other": pytest.approx([2.0]),
    }
    assert list(estimates) == ["dense", "dense_active", "other"]


def test_the_trend_is_of_the_prompts_that_start_at_one_request_have_most_batches_and_are_long() -> None:
    def trend(*places: tuple[int, int]) -> list[tuple[str, int]]:
        (row,) = rows(gains(*(scenario(1.0, 2.0, length=length, batch=batch) for length, batch in places)))
        return [(gain.length, gain.batch_size) for gain in row.trend]

    assert trend((640, 2), (640, 8), (1024, 1)) == [("1024", 1)]
    assert trend((640, 1), (640, 8), (1024, 1)) == [("640", 1), ("640", 8)]
    assert trend((640, 1), (1024, 1)) == [("1024", 1)]


def test_a_machine_is_named_where_a_scale_was_measured_on_two() -> None:
    (one,), (two,), (other,) = (gains(scenario(1.0, 2.0, scale=scale)) for scale in ("7b", "7b", "34b"))
    found = rows([one, replace(two, machine="another"), other])
    assert [row.machine for row in found] == ["Acme Core 6-1-2, float32, 1 thread", "another", ""]


def test_layers_are_of_the_most_specialized_routing_fastest_first() -> None:
    """A pass under a profile takes 0.040 s, under uniform routing as given."""
    passes = [("specialized:2", 1, 0.020, 0.5), ("specialized:16", 1, 0.040, 0.9), ("specialized:16", 16, 0.080, 0.9)]
    sample = layers_scenario().arms["moe"].facts
    records = [
        record_of(
            layers_scenario(
                routing=routing,
                batch_size=batch,
                uniform={"layers": uniform_s, "experts": 1.0},
                facts={**sample, "msi": msi},
            )
        )
        for routing, batch, uniform_s, msi in passes
    ]
    ((where, found),) = layers(records).items()
    assert where[0] == "decode"
    assert [(ratio.estimate, layer.batch_size) for ratio, layer in found] == [(0.5, 16), (1.0, 1)]


def test_layers_that_ran_under_uniform_routing_alone_say_nothing() -> None:
    assert layers([record_of(layers_scenario(routing="uniform"))]) == {}
