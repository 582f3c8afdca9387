"""Depth arms in a record: the same model cut to its first layers, timed in the blocks of the built one."""

import re
from typing import NamedTuple

CUT = re.compile(r"(?P<arm>\w+)/at(?P<depth>\d+)")  # an arm that is no rival: fewer layers of the same model


class DepthArm(NamedTuple):
    """What an arm of fewer layers is beside the built one."""

    built: str  # the arm with all layers that were built
    depth: int


def depth_arm(built: str, depth: int) -> str:
    """Name the arm of a model that is cut to its first layers.

    >>> depth_arm("dense", 2), depth_of("dense/at2")
    ('dense/at2', DepthArm(built='dense', depth=2))
    """
    return f"{built}/at{depth}"


def depth_of(arm: str) -> DepthArm | None:
    """Read what `depth_arm` wrote; None of another arm.

    >>> depth_of("moe") or depth_of("dense/of4")
    """
    found = CUT.fullmatch(arm)
    return DepthArm(found["arm"], int(found["depth"])) if found else None
