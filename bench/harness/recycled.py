"""Recycled layers in a record: how many were distinct, and whether they are too large for a cache to hold them."""

import re
from collections.abc import Mapping
from typing import NamedTuple

DISTINCT_LAYERS = "distinct_layers"  # a fact: of recycled layers, those with large weights of their own
OVER_CACHE = "distinct_over_cache"  # a fact: what any step reads of them at least, in last-level caches
LEAST_OVER_CACHE = 4.0  # of N caches read in turn, a cache that resists scans keeps 1 / N at most

RECYCLED = re.compile(r"(?P<arm>\w+)/of(?P<number>\d+)")  # an arm that is no rival: the same model, recycled


class RecycledArm(NamedTuple):
    """What an arm of recycled layers is beside the whole model."""

    whole: str  # the arm of the whole model
    distinct_layers: int


def recycled_arm(whole: str, distinct_layers: int) -> str:
    """Name the arm of a model that recycles its layers beside the whole one.

    >>> recycled_arm("dense", 4), whole_of("dense/of4")
    ('dense/of4', RecycledArm(whole='dense', distinct_layers=4))
    """
    return f"{whole}/of{distinct_layers}"


def whole_of(arm: str) -> RecycledArm | None:
    """Read what `recycled_arm` wrote; None of another arm.

    >>> whole_of("moe") or whole_of("transformers/eager")
    """
    found = RECYCLED.fullmatch(arm)
    return RecycledArm(found["arm"], int(found["number"])) if found else None


def flaw(facts: Mapping[str, float]) -> str:
    """Say why the time of recycled layers is not that of distinct ones; empty where it is, and of layers of their own.

    >>> flaw({"distinct_layers": 1, "distinct_over_cache": 1.5})
    'its 1 distinct layers are 1.5 last-level caches, 4 at least must pass; raise --distinct-layers'
    >>> flaw({"distinct_layers": 2, "distinct_over_cache": 7.2}), flaw({})
    ('', '')
    """
    if DISTINCT_LAYERS not in facts:
        return ""
    over, number = facts.get(OVER_CACHE), int(facts[DISTINCT_LAYERS])
    if over is None:
        return f"how large the last-level cache is, which its {number} distinct layers must exceed, is not known"
    if over >= LEAST_OVER_CACHE:
        return ""
    least = f"{LEAST_OVER_CACHE:g} at least must pass"
    return f"its {number} distinct layers are {over:.1f} last-level caches, {least}; raise --distinct-layers"
