"""Times of steps and prefills by length, measured, extrapolated or predicted, and what lies between two lengths."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.harness.wording import counted
from bench.pages.results.gains import Gain
from bench.pages.results.predicted import Predicted

BASES = ("measured", "extrapolated", "predicted")  # the surest first
PHASES = ("prefill", "decode")
FARTHEST = 2.0  # beyond the shortest or longest length that is known nothing is said


class Place(NamedTuple):
    """What a line of lengths is of."""

    machine: str
    scale: str
    phase: str
    routing: str
    against: str
    batch_size: int


class Timed(NamedTuple):
    """One step, or one prefill, of a batch."""

    length: int
    seconds: Mapping[str, float]  # by side
    low: float  # limits of the speed-up over its estimate
    high: float
    floor_share: Mapping[str, float]  # by side
    basis: str  # of BASES
    source: str  # what says so


Lines = Mapping[Place, Sequence[Timed]]  # by length, each once


def lines_of(gains: Sequence[Gain], predicted: Sequence[Predicted] = ()) -> Lines:
    """Return what is known; of a length that is known twice, the surest."""
    found: dict[Place, dict[int, Timed]] = {}
    known = [(_place(one), _measured(one)) for one in gains if one.phase in PHASES and one.length.isdecimal()]
    known += [(_place(one), _of_floors(one)) for one in predicted]
    for place, timed in sorted(known, key=lambda one: BASES.index(one[1].basis)):
        found.setdefault(place, {}).setdefault(timed.length, timed)
    return {place: [line[length] for length in sorted(line)] for place, line in found.items()}


def at(line: Sequence[Timed], length: float) -> Timed | None:
    """Return the times at a length: those known there, else by the power law through the two lengths next to it.

    Its limits are the wider of theirs. None where fewer than two lengths are known, or `length` lies more than FARTHEST
    times beyond them.
    """
    for timed in line:
        if timed.length == length:
            return timed
    if len(line) < 2 or not line[0].length / FARTHEST <= length <= line[-1].length * FARTHEST:
        return None
    after = min(max(bisect_right([timed.length for timed in line], length), 1), len(line) - 1)
    first, last = line[after - 1], line[after]
    share = math.log(length / first.length) / math.log(last.length / first.length)
    return Timed(
        length=round(length),
        seconds=_between(first.seconds, last.seconds, share),
        low=min(first.low, last.low),
        high=max(first.high, last.high),
        floor_share=_between(first.floor_share, last.floor_share, share) if first.floor_share else {},
        basis=max(first.basis, last.basis, key=BASES.index),
        source=first.source if first.source == last.source else f"{first.source}; {last.source}",
    )


def _between(first: Mapping[str, float], last: Mapping[str, float], share: float) -> dict[str, float]:
    return {side: first[side] ** (1 - share) * last[side] ** share for side in first if side in last}


def _place(one: Gain | Predicted) -> Place:
    return Place(one.machine, one.scale, one.phase, one.routing, one.against, one.batch_size)


def _measured(gain: Gain) -> Timed:
    return Timed(
        length=int(gain.length),
        seconds=gain.seconds,
        low=gain.speedup.low / gain.speedup.estimate,
        high=gain.speedup.high / gain.speedup.estimate,
        floor_share=gain.floor_share,
        basis="extrapolated" if gain.depths else "measured",
        source=_source(gain),
    )


def _source(gain: Gain) -> str:
    """Say which scenario, of how many launches, and what was built of the model, where it was not all."""
    distinct = [f"{gain.distinct_layers} layers distinct"] if gain.distinct_layers else []
    through = [f"through {', '.join(map(str, gain.depths))} layers"] if gain.depths else []
    return ", ".join([gain.scenario, counted(gain.num_launches, "launch"), *distinct, *through])


def _of_floors(one: Predicted) -> Timed:
    """Take the limits of a predicted cell from the measured ones that are predicted so; without any it has none."""
    reach = math.inf if one.error is None else 1 + one.error
    extrapolated = f" (extrapolated through {', '.join(map(str, one.depths))} layers)" if one.depths else ""
    return Timed(
        length=int(one.length),
        seconds=one.seconds,
        low=1 / reach,
        high=reach,
        floor_share=one.floor_share,
        basis="predicted",
        source=f"floors over the shares of {one.nearest}{extrapolated}{f'; {one.why}' if one.why else ''}",
    )
