"""What each kind of MoE is compared with in accuracy: question 2's first half."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.pages.pareto.pairs import DENSE, Pair
from bench.pages.pareto.points import Point

WHO = {"smoes": "SMoES", "moe": "plain MoEs", "ablation": "SMoES' ablations"}  # kind of a point -> who these are
ALIKE_TOTAL = 1.3  # total parameters of two models within this factor are about equal: families do not match closer
ALIKE_ACTIVE = 1.5  # a published 3.3 B active stand beside 4.4 and 4.7 B


class Fare(NamedTuple):
    """One kind of MoE against one kind of rival, over the tasks and sizes of a tier."""

    who: str
    against: str  # of AGAINST
    pairs: Sequence[Pair]


def fares(found: Sequence[Pair]) -> list[Fare]:
    """Return what was compared, by kind of MoE and of rival."""
    every = [
        Fare(who, against, [pair for pair in found if pair.point.kind == kind and rival(pair) == against])
        for kind, who in WHO.items()
        for against in AGAINST
    ]
    return [fare for fare in every if fare.pairs]


OUTCOMES = {"wins": "more_accurate", "loses": "less_accurate", "open": "not_told_apart", "one seed": "one_seed"}


def counted_fares(tier: str, found: Sequence[Fare]) -> list[Mapping[str, Any]]:
    """Return a row a comparison of kinds: how many pairs, their outcomes, and the ratios of their requests/s."""
    return [
        {
            "models": f"{tier} {fare.who}",
            "against": fare.against,
            "comparisons": len(fare.pairs),
            **{name: sum(pair.outcome == outcome for pair in fare.pairs) for outcome, name in OUTCOMES.items()},
            **_ratios([pair for pair in fare.pairs if pair.speedup]),
        }
        for fare in found
    ]


def _ratios(timed: Sequence[Pair]) -> Mapping[str, Any]:
    ratios = [pair.speedup.estimate for pair in timed if pair.speedup]
    if not ratios:
        return {}
    basis = " and ".join(sorted({pair.point.basis for pair in timed}))
    return {"times_req_per_s_least": min(ratios), "times_req_per_s_greatest": max(ratios), "basis": basis}


def rival(pair: Pair) -> str:
    """Name what the MoE of a pair is compared with: the first of AGAINST that holds, or nothing."""
    return next((name for name, holds in AGAINST.items() if holds(pair.point, pair.against)), "")


def _dense(other: Point, num_parameters: float, factor: float = math.inf) -> bool:
    """Say whether a model is dense and has so many parameters, within a factor."""
    return other.kind == DENSE and abs(math.log(num_parameters / other.num_parameters)) < math.log(factor)


AGAINST: Mapping[str, Callable[[Point, Point], bool]] = {  # the last: the same MoE without specialization
    "dense, about equal total parameters": lambda one, other: _dense(other, one.num_parameters, ALIKE_TOTAL),
    "dense, about equal active parameters": lambda one, other: _dense(other, one.num_active_parameters, ALIKE_ACTIVE),
    "dense, other sizes": lambda one, other: _dense(other, one.num_parameters),
    "plain MoEs": lambda one, other: other.kind == "moe" and one.kind != "moe",
}
