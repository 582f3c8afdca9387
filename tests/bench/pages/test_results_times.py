"""Tests of times by length: the surest counts, between two lengths a power law, beyond them nothing."""

import math

import pytest

from bench.pages.results.predicted import predictions
from bench.pages.results.times import Place, Timed, at, lines_of
from tests.bench.pages.sample_cells import cell, known
from tests.bench.pages.sample_gains import gains, scenario, sliced


def timed(length: int, moe_s: float, **fields: object) -> Timed:
    plain = {"low": 0.9, "high": 1.1, "floor_share": {"moe": 0.5, "rival": 0.5}, "basis": "measured", "source": "a"}
    return Timed(length, {"moe": moe_s, "rival": 4 * moe_s}, **{**plain, **fields})  # type: ignore[arg-type]


LINE = [timed(length, 3.0 * length**1.5) for length in (500, 1000, 4000)]


@pytest.mark.parametrize("length", [250, 500, 700, 1000, 2345, 4000, 8000])
def test_what_follows_a_power_law_is_met_within_twice_the_lengths_that_are_known(length: int) -> None:
    found = at(LINE, length)
    assert found
    assert found.seconds == pytest.approx({"moe": 3.0 * length**1.5, "rival": 12.0 * length**1.5})


@pytest.mark.parametrize(("line", "length"), [(LINE, 249), (LINE, 8001), (LINE[:1], 700), ((), 500)])
def test_beyond_twice_the_lengths_or_of_a_single_one_nothing_is_said(line: list[Timed], length: int) -> None:
    assert at(line, length) is None
    assert at(LINE[:1], 500) is LINE[0]


def test_between_two_the_wider_limits_and_the_less_sure_basis_count() -> None:
    line = [timed(500, 1.0, low=0.8), timed(1000, 2.0, high=1.4, basis="predicted", source="b")]
    found = at(line, 600)
    assert found
    assert found[2:4] == (0.8, 1.4)
    assert (found.basis, found.source) == ("predicted", "a; b")


def test_of_a_length_known_twice_the_surest_counts() -> None:
    measured = known((1, 1024, (2.0, 5.0)), (8, 1024, (1.25, 8.0)))
    predicted = predictions(measured, {"float32": [cell(1, 2048), cell(1, 640)]})
    extrapolated = gains(*sliced(1.0, (0.5, 2.0)))
    (machine,) = {gain.machine for gain in measured}
    line = lines_of([*extrapolated, *measured], predicted)[Place(machine, "7b", "decode", "uniform", "dense", 1)]
    assert [(one.length, one.basis) for one in line] == [(640, "predicted"), (1024, "measured"), (2048, "predicted")]
    (alone,) = lines_of(extrapolated).values()
    assert [one.basis for one in alone] == ["extrapolated"]


def test_a_predicted_length_has_the_greatest_error_of_measured_ones_as_its_limits() -> None:
    measured = known((1, 1024, (2.0, 5.0)), (8, 1024, (1.25, 8.0)))
    (_, one), *_ = [
        line
        for place, line in lines_of(
            measured, predictions(measured, {"float32": [cell(1, 1024), cell(8, 1024), cell(8, 2048)]})
        ).items()
        if place.batch_size == 8
    ]
    assert (one.low, one.high) == pytest.approx((1 / 2.56, 2.56))  # 2.5 predicted as 6.4
    assert one.source == "floors over the shares of 8 x 1024"
    unchecked = lines_of(measured, predictions(measured, {"float32": [cell(8, 2048)]}))
    assert {one.high for line in unchecked.values() for one in line if one.basis == "predicted"} == {math.inf}


def test_whole_answers_and_natural_lengths_are_on_no_line() -> None:
    assert lines_of(gains(scenario(1.0, 2.0, benchmark="bench_generate"))) == {}


def test_a_measured_time_says_of_how_many_launches_and_of_what_was_built() -> None:
    sources = [
        line[0].source
        for one in ([scenario(1.0, 2.0, distinct=4)], sliced(1.0, (0.5, 2.0)))
        for line in lines_of(gains(*one)).values()
    ]
    assert sources == [
        "bench_decode[7b-b1-s1024], 1 launch, 4 layers distinct",
        "bench_decode[7b-b1-s1024], 1 launch, through 1, 2, 4 layers",
    ]
