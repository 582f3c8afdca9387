"""What each kind of MoE is compared with in accuracy: question 2's first half."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.pages.pareto.pairs import DENSE, Pair

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


def rival(pair: Pair) -> str:
    """Name what the MoE of a pair is compared with: the first of AGAINST that holds, or nothing."""
    return next((name for name, holds in AGAINST.items() if holds(pair)), "")


def _is_dense(pair: Pair) -> bool:
    return pair.against.kind == DENSE


def _equal_total(pair: Pair) -> bool:
    return _is_dense(pair) and _within(ALIKE_TOTAL, pair.point.num_parameters, pair.against.num_parameters)


def _equal_active(pair: Pair) -> bool:
    return _is_dense(pair) and _within(ALIKE_ACTIVE, pair.point.num_active_parameters, pair.against.num_parameters)


def _within(factor: float, one: float, other: float) -> bool:
    return abs(math.log(one / other)) < math.log(factor)


def _plain(pair: Pair) -> bool:
    """Say whether a pair tells what specialization does: the same MoE without it."""
    return pair.against.kind == "moe" and pair.point.kind != "moe"


AGAINST: Mapping[str, Callable[[Pair], bool]] = {
    "dense, about equal total parameters": _equal_total,
    "dense, about equal active parameters": _equal_active,
    "dense, other sizes": _is_dense,
    "plain MoEs": _plain,
}
