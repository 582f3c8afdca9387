"""Tests of composed answers: sums that a reader can do, limits, percentiles, tiles, and the check by whole ones."""

import math

import pytest
from msgspec import structs

from bench.harness.record import Scenario
from bench.pages.results.cells import Request, Requests
from bench.pages.results.composed import CheckedAnswer, Composed, checked_answers, composed
from bench.pages.results.times import Lines, Place, Timed, lines_of
from tests.bench.pages.sample_cells import cost
from tests.bench.pages.sample_gains import PEAKS, gains, scenario
from tests.bench.pages.test_results_times import timed

PREFILL = Place("here", "7b", "prefill", "uniform", "dense", 2)
DECODE = PREFILL._replace(phase="decode")
LINES: Lines = {
    PREFILL: [timed(500, 1.0), timed(1000, 2.0)],
    DECODE: [Timed(length, {"moe": 0.1, "rival": 0.5}, 0.8, 1.25, {}, "predicted", "floors") for length in (500, 1000)],
}
TILE = {arm: {"flops": 5.0, "bytes": 0.0, "parts": [[5.0, 0.0]]} for arm in ("moe", "dense")}  # 0.05 s


def compose(*drawn: tuple[int, int, int], lines: Lines = LINES) -> list[Composed]:
    requests = Requests(scale="7b", workload="mmmu", drawn=tuple(Request(*one) for one in drawn), tile=TILE)
    return composed(lines, [requests], {"here": PEAKS})


def test_an_answer_is_its_first_token_and_a_step_for_every_further_one() -> None:
    """The MoE takes 1 s, and 2 s and ten steps of 0.1 s; its rival 4 s, and 8 s and ten of 0.5 s."""
    (one,) = compose((500, 1, 1), (1000, 1, 11))
    assert one.req_per_s == pytest.approx({"moe": 2 / 2.0, "rival": 2 / 8.5})
    assert one.e2e_p50_s == pytest.approx({"moe": 2.0, "rival": 8.5})
    assert one.e2e_p95_s == pytest.approx({"moe": 1 + 0.95 * 2, "rival": 4 + 0.95 * 9})
    assert one.ttft_p50_s == pytest.approx({"moe": 1.5, "rival": 6.0})
    assert (one.prompt_tokens, one.output_tokens, one.batch_size) == (750, 6, 2)
    assert (one.ttft, one.tpot, one.num_requests, one.num_beyond) == ("measured", "predicted", 2, 0)


def test_limits_are_those_of_both_parts_by_their_share_of_the_time() -> None:
    (one,) = compose((500, 1, 1), (1000, 1, 11))
    low, high = (12 * 0.9 + 5 * 0.8) / 4, (12 * 1.1 + 5 * 1.25) / 4
    assert one.speedup == pytest.approx((17 / 4, low, high))
    unknown = {**LINES, PREFILL: [timed(500, 1.0, high=math.inf), timed(1000, 2.0, high=math.inf)]}
    assert compose((500, 1, 1), lines=unknown)[0].speedup == (4.0, -math.inf, math.inf)


def test_a_step_is_taken_at_half_of_the_answer() -> None:
    """From 500 tokens on a step takes as many tenths as there are hundreds of tokens."""
    decode = [Timed(n, {"moe": n / 1000, "rival": n / 100}, 1.0, 1.0, {}, "measured", "") for n in (500, 1000)]
    (one,) = compose((500, 1, 401), lines={**LINES, DECODE: decode})
    assert one.e2e_p50_s["moe"] == pytest.approx(1.0 + 400 * 0.7)


def test_every_further_tile_takes_its_floor_over_the_share_that_the_prefill_reaches() -> None:
    (one,) = compose((500, 3, 1))
    assert one.e2e_p50_s == pytest.approx({"moe": 1.0 + 2 * 2 * 0.05 / 0.5, "rival": 4.0 + 2 * 2 * 0.05 / 0.5})


def test_requests_beyond_the_known_lengths_are_left_out_and_counted() -> None:
    (one,) = compose((500, 1, 1), (9000, 1, 1), (1000, 1, 4001))
    assert (one.num_requests, one.num_beyond) == (3, 2)
    assert one.req_per_s["moe"] == pytest.approx(2.0)
    assert compose((9000, 1, 1)) == []


def test_without_decode_steps_answers_of_one_token_alone_are_composed() -> None:
    (one,) = compose((500, 1, 1), (500, 1, 2), lines={PREFILL: LINES[PREFILL]})
    assert (one.num_requests, one.num_beyond) == (2, 1)


def whole(moe_s: float, dense_s: float, **facts: float) -> Scenario:
    """Return a measured answer of 11 tokens to a prompt of 1,000."""
    one = scenario(moe_s, dense_s, benchmark="bench_generate", rates={"req_per_s": 1, "total_tok_per_s": 1011})
    told = {"num_output_tokens": 11, **facts}
    return Scenario(id=one.id, arms={name: structs.replace(arm, facts=told) for name, arm in one.arms.items()})


def check(answer: Scenario) -> list[CheckedAnswer]:
    parts = [
        scenario(times[0] * length, times[1] * length, benchmark=benchmark, length=length, cost=cost(1e-4))
        for benchmark, times in (("bench_prefill", (0.002, 0.008)), ("bench_decode", (0.0001, 0.0005)))
        for length in (500, 2000)
    ]
    found = gains(*parts, answer)
    return checked_answers(found, lines_of(found))


def test_a_measured_answer_tells_what_its_composition_misses() -> None:
    """Composed: 2 s and ten steps at 1,005 tokens, 0.1005 s; 8 s and ten of 0.5025 s."""
    (one,) = check(whole(3.5, 13.0))
    assert one.error == pytest.approx({"moe": 3.005 / 3.5 - 1, "rival": 13.025 / 13.0 - 1})
    assert one.speedup_error == pytest.approx((13.025 / 3.005) / (13.0 / 3.5) - 1)
    assert one.basis == "measured"


def test_answers_of_several_tiles_or_of_untold_length_are_not_checked() -> None:
    assert check(whole(3.5, 13.0, num_tiles=5)) == []
    assert check(scenario(3.5, 13.0, benchmark="bench_generate")) == []
