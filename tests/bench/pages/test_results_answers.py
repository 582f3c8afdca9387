"""Tests of the answers' paragraphs: factors, counts and places that a reader can find again in the tables."""

from dataclasses import replace

from bench.pages.layers.times import read_layers
from bench.pages.results import answers
from tests.bench.pages.sample_layers import layers_scenario
from tests.bench.pages.test_results import gains, scenario, sliced
from tests.bench.sample_records import record_of


def test_a_scale_is_answered_with_its_least_and_greatest_factor_and_where_they_are() -> None:
    found = gains(
        scenario(1.0, 6.0),
        scenario(1.0, 1.5, batch=8),
        scenario(1.0, 3.0, batch=2),
        scenario(2.0, 7.0, name="bench_generate[7b-b1]"),
    )
    assert answers.throughput(found) == (
        "At **7b**, measured with all layers, the MoE is faster than a dense model of equal total parameters in 4 of 4 "
        "scenarios by the whole interval and slower in 0: it decodes 1.50 (1024 tokens, batch 8) to 6.00 (1024 tokens, "
        "batch 1) and answers whole requests 3.50 times as fast."
    )


def test_what_is_extrapolated_says_so() -> None:
    said = answers.throughput(gains(*sliced(1.0, (0.5, 2.0))))
    assert "At **7b**, extrapolated from a few layers of true width (error of the lines at most 0.0 %), the MoE" in said
    assert said.endswith("it decodes 3.67 times as fast.")


def test_machines_are_named_where_a_scale_was_measured_on_two() -> None:
    (one,), (two,) = gains(scenario(1.0, 6.0)), gains(scenario(1.0, 2.0))
    assert one.machine not in answers.throughput([one])
    said = answers.throughput([one, replace(two, machine="another")])
    assert "At **7b** on another, measured with all layers, the MoE is faster" in said


def test_nothing_measured_is_no_answer() -> None:
    assert answers.throughput([]) == answers.latency([]) == ""


def test_a_layers_answer_names_the_least_and_the_greatest_multiple() -> None:
    records = [
        record_of(
            layers_scenario(routing="specialized:16", batch_size=batch, uniform={"layers": layer_s, "experts": 1})
        )
        for batch, layer_s in ((1, 0.040), (16, 0.080))  # the pass under the profile takes 0.040 s
    ]
    assert answers.latency(read_layers(records)) == (
        "Under the most specialized routing that was imposed on random weights, a decoder layer takes in decode 0.50 "
        "(7b, 2 of 16 layers, 640 tokens, batch 16, [0.50, 0.50]) to 1.00 (7b, 2 of 16 layers, 640 tokens, batch 1, "
        "[1.00, 1.00]) times as long as under uniform routing, less for certain in 1 of 2 passes and more in 0."
    )
