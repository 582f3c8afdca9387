"""Whether every arm goes its fastest way: what it goes beside each alternative, over the scenarios of bench/ways.py."""

from collections.abc import Sequence

from tabulate import tabulate

from bench.pages.engine import ratio
from bench.pages.peers.pairs import Pair

ALLOWED = 1.03  # a choice may be so much slower than another way: as far as a machine tells ways apart
HEADERS = ("scenario", "dtype", "arm", "another way", "its time / the chosen way's", "")
UNFAIR = "UNFAIR"


def is_unfair(pair: Pair) -> bool:
    """Tell whether another way is faster by more than is allowed, whatever in the 95 % interval is true."""
    return pair.theirs_over_ours.high < 1 / ALLOWED


def fairness_table(pairs: Sequence[Pair]) -> str:
    """Return the markdown table, a row a scenario, arm and alternative."""
    rows = [
        (p.scenario, p.dtype, p.model, p.peer, ratio(p.theirs_over_ours), UNFAIR if is_unfair(p) else "") for p in pairs
    ]
    return tabulate(rows, headers=HEADERS, tablefmt="github", disable_numparse=True)
