"""Answers composed from what is timed apart: time to first token, and time per output token for every token after it.

end to end = TTFT(prompt) + (output tokens - 1) x TPOT(prompt + half of them): vLLM's definition of TPOT. Each request
is answered in a batch of its like. What the composition misses, answers that were measured whole tell.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.gate.stats import Interval
from bench.harness.arms import PRIMARY
from bench.harness.peaks import floor_s
from bench.pages.results.cells import Request, Requests
from bench.pages.results.gains import MOE, RIVAL, Gain
from bench.pages.results.times import BASES, Lines, Place, Timed, at

SIDES = (MOE, RIVAL)
WHOLE = "whole answers"  # the phase


class Answer(NamedTuple):
    """One request's answer in a batch of its like."""

    ttft_s: Mapping[str, float]  # by side
    decode_s: Mapping[str, float]  # of all steps
    low: float  # limits of the speed-up
    high: float
    bases: tuple[str, str]  # of TTFT and TPOT

    @property
    def e2e_s(self) -> dict[str, float]:
        """Return the seconds from the request to its last token, by side."""
        return {side: self.ttft_s[side] + self.decode_s[side] for side in SIDES}


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A workload's answers on one machine, over requests of drawn lengths."""

    machine: str
    scale: str
    workload: str
    routing: str
    against: str
    batch_size: int
    prompt_tokens: float  # median
    output_tokens: float  # median
    ttft: str  # of BASES, the least sure of any request
    tpot: str
    speedup: Interval  # of requests/s
    req_per_s: Mapping[str, float]  # by side
    ttft_p50_s: Mapping[str, float]
    ttft_p95_s: Mapping[str, float]
    e2e_p50_s: Mapping[str, float]
    e2e_p95_s: Mapping[str, float]
    num_requests: int
    num_beyond: int  # left out: their lengths lie beyond those that are known


@dataclass(frozen=True, kw_only=True)
class CheckedAnswer:
    """A measured whole answer beside its composition."""

    machine: str
    scenario: str
    against: str
    basis: str  # of BASES, the least sure of both
    measured_s: Mapping[str, float]  # by side
    error: Mapping[str, float]  # by side: composed over measured, less 1
    speedup_error: float  # the same of the speed-up


def composed(lines: Lines, requests: Sequence[Requests], peaks: Mapping[str, Mapping[str, float]]) -> list[Composed]:
    """Compose the answers of every workload at every batch that has a prefill and decode steps.

    Args:
        lines: Of all machines.
        requests: Of workloads at a scale.
        peaks: By machine; what a further tile takes is its floor over the share that the prefill reaches.
    """
    found = []
    for place in lines:
        if place.phase == "prefill":
            of_scale = [
                one for one in requests if one.scale == place.scale and {PRIMARY, place.against} <= one.tile.keys()
            ]
            found += [one for of_one in of_scale if (one := _composed(lines, place, of_one, peaks[place.machine]))]
    return found


def _composed(lines: Lines, place: Place, requests: Requests, peaks: Mapping[str, float]) -> Composed | None:
    tile_s = {
        side: (floor_s(requests.tile[arm], peaks) or math.nan) * place.batch_size
        for side, arm in ((MOE, PRIMARY), (RIVAL, place.against))
    }
    every = [answer(lines, place, one, tile_s) for one in requests.drawn]
    answers = [one for one in every if one]
    if not answers:
        return None
    ends = {side: [one.e2e_s[side] for one in answers] for side in SIDES}
    first = {side: [one.ttft_s[side] for one in answers] for side in SIDES}
    return Composed(
        machine=place.machine,
        scale=place.scale,
        workload=requests.workload,
        routing=place.routing,
        against=place.against,
        batch_size=place.batch_size,
        prompt_tokens=statistics.median(one.prompt_tokens for one in requests.drawn),
        output_tokens=statistics.median(one.output_tokens for one in requests.drawn),
        ttft=max((one.bases[0] for one in answers), key=BASES.index),
        tpot=max((one.bases[1] for one in answers), key=BASES.index),
        speedup=_speedup(answers),
        req_per_s={side: place.batch_size / statistics.fmean(ends[side]) for side in SIDES},
        ttft_p50_s=_percentile(first, 50),
        ttft_p95_s=_percentile(first, 95),
        e2e_p50_s=_percentile(ends, 50),
        e2e_p95_s=_percentile(ends, 95),
        num_requests=len(every),
        num_beyond=len(every) - len(answers),
    )


def answer(lines: Lines, place: Place, request: Request, tile_s: Mapping[str, float]) -> Answer | None:
    """Compose one answer; None where a length lies beyond those that are known.

    Args:
        place: Of the prefill.
        tile_s: By side, the floor of one more tile for each request of the batch.
    """
    steps = request.output_tokens - 1
    first = at(lines[place], request.prompt_tokens)
    later = at(lines.get(place._replace(phase="decode"), ()), request.prompt_tokens + steps / 2) if steps else None
    if first is None or (steps and later is None):
        return None
    extra = request.tiles - 1  # a known prefill has one a request
    if extra and not first.floor_share:
        return None
    ttft_s = {
        side: first.seconds[side] + (extra * tile_s[side] / first.floor_share[side] if extra else 0.0) for side in SIDES
    }
    decode_s = {side: steps * later.seconds[side] if later else 0.0 for side in SIDES}
    low, high = _limits(first, later, ttft_s, decode_s)
    return Answer(ttft_s, decode_s, low, high, (first.basis, (later or first).basis))


def _limits(
    first: Timed, later: Timed | None, ttft_s: Mapping[str, float], decode_s: Mapping[str, float]
) -> tuple[float, float]:
    """Return the least and the greatest speed-up: both parts at their limits, each by its share of the MoE's time."""
    whole = ttft_s[MOE] + decode_s[MOE]
    parts = [(ttft_s[RIVAL], first), *([(decode_s[RIVAL], later)] if later else [])]
    return sum(s * one.low for s, one in parts) / whole, sum(s * one.high for s, one in parts) / whole


def _speedup(answers: Sequence[Answer]) -> Interval:
    """Return how many times the requests/s the MoE answers: over all requests, each limit reached by all at once."""
    moe_s = [one.e2e_s[MOE] for one in answers]
    whole = sum(moe_s)
    low, high = (
        sum(s * limit for s, limit in zip(moe_s, limits, strict=True)) / whole
        for limits in ([one.low for one in answers], [one.high for one in answers])
    )
    estimate = sum(one.e2e_s[RIVAL] for one in answers) / whole
    return Interval(estimate, low, high) if math.isfinite(high) else Interval(estimate, -math.inf, math.inf)


def _percentile(values: Mapping[str, Sequence[float]], percent: float) -> dict[str, float]:
    return {side: float(np.percentile(values[side], percent)) for side in SIDES}


def checked_answers(gains: Sequence[Gain], lines: Lines) -> list[CheckedAnswer]:
    """Compose the answers that were measured whole, of one tile a request, from the times of prefills and steps."""
    return list(_checked(gains, lines))


def _checked(gains: Sequence[Gain], lines: Lines) -> Iterator[CheckedAnswer]:
    for gain in gains:
        place = Place(gain.machine, gain.scale, "prefill", gain.routing, gain.against, gain.batch_size)
        if gain.phase != WHOLE or gain.request is None or gain.request.tiles != 1 or place not in lines:
            continue
        if found := answer(lines, place, gain.request, {}):
            error = {side: found.e2e_s[side] / gain.seconds[side] - 1 for side in SIDES}
            bases = [*found.bases, "extrapolated" if gain.depths else "measured"]
            yield CheckedAnswer(
                machine=gain.machine,
                scenario=gain.scenario,
                against=gain.against,
                basis=max(bases, key=BASES.index),
                measured_s=gain.seconds,
                error=error,
                speedup_error=(1 + error[RIVAL]) / (1 + error[MOE]) - 1,
            )
