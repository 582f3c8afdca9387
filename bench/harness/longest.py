"""Whether one block of a scenario would take longer than is allowed: by its arms' floors, and by a first call.

A cell that is given up so costs a campaign little, its record says why, and pages predict it.
"""

from collections.abc import Mapping

from bench.harness.peaks import Cost, floor_s

LONGEST_BLOCK_S = 600.0  # a handful of longer ones, in three launches, take hours a cell
LEAST_SHARE = 0.25  # of their floors' speed that arms reach: blocks whose floors are so brief need no first call
REFUSAL = (
    "too long: {by} a block takes {block_s:,.0f} s, {longest_s:,.0f} are allowed; pages predict it, or raise "
    "--longest-block"
)


def floors_s(costs: Mapping[str, Cost], num_units: int, peaks: Mapping[str, float]) -> float | None:
    """Return the least seconds of a block: each arm's floor, and the anchor's turn, as long as the shortest arm's.

    Args:
        costs: By arm, of one unit.
        num_units: Of a timed call.

    Returns:
        Seconds; None where the work of an arm, or a peak, is not known.
    """
    floors = [floor_s(cost, peaks) for cost in costs.values()]
    known = [floor for floor in floors if floor is not None]
    return num_units * (sum(known) + min(known)) if known and len(known) == len(floors) else None


def refusal(block_s: float | None, longest_s: float, by: str) -> str:
    """Say that a block is too long; empty where it is not, or nobody knows.

    >>> refusal(900.0, 600.0, "by its floors")
    'too long: by its floors a block takes 900 s, 600 are allowed; pages predict it, or raise --longest-block'
    >>> refusal(600.0, 600.0, ""), refusal(None, 600.0, "")
    ('', '')
    """
    if block_s is None or not block_s > longest_s:  # a number that is none tells nothing
        return ""
    return REFUSAL.format(by=by, block_s=block_s, longest_s=longest_s)
