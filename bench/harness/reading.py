"""What an option says, read: times and slowdowns, the same after `pytest` and after `python -m bench`."""

import argparse
import re
from collections.abc import Mapping

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}  # seconds
DURATION = re.compile(r"(?P<number>\d*\.?\d+)(?P<unit>[smh]?)")
LARGEST_SLOWDOWN = 100  # a slip of the finger beyond it: a run would not end


def seconds(text: str) -> float:
    """Read a duration.

    Raises:
        argparse.ArgumentTypeError: if it is not a number above 0 with one of UNITS.

    >>> seconds("90s"), seconds("20m"), seconds("1.5h"), seconds("90")
    (90.0, 1200.0, 5400.0, 90.0)
    """
    found = DURATION.fullmatch(text)
    value = float(found["number"]) * UNITS[found["unit"]] if found else 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"a time must be above 0, in s, m or h, like 90s or 20m, got {text!r}")
    return value


def reason(text: str) -> str:
    """Read why something is accepted.

    Raises:
        argparse.ArgumentTypeError: if it says nothing.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError(f"a reason must say why, for reviewers, got {text!r}")
    return text.strip()


def slowdowns(text: str) -> dict[str, float]:
    """Read what --inject takes.

    Raises:
        argparse.ArgumentTypeError: if it is not ARM=FACTOR,... with factors from 1 to LARGEST_SLOWDOWN.

    >>> slowdowns("moe=1.3,dense=1.1")
    {'moe': 1.3, 'dense': 1.1}
    """
    found: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        arm, _, factor = part.partition("=")
        try:
            found[arm] = float(factor)
        except ValueError:
            found[arm] = 0.0
        if not arm or not 1 <= found[arm] <= LARGEST_SLOWDOWN:
            raise argparse.ArgumentTypeError(
                f"must be ARM=FACTOR,... with factors from 1 to {LARGEST_SLOWDOWN}, got {part!r}; "
                "moe=1.3 makes the MoE 30 % slower"
            )
    return found


def inject_option(slowed: Mapping[str, float]) -> list[str]:
    """Return what `slowdowns` reads, as an argument of a fresh pytest; none if nothing is slowed.

    >>> inject_option({"moe": 1.3, "dense": 1.1})
    ['--inject=moe=1.3,dense=1.1']
    """
    text = ",".join(f"{arm}={factor}" for arm, factor in slowed.items())
    return [f"--inject={text}"] if text else []
