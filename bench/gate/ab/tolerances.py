"""Tolerances of single scenarios, from one reviewed file: where 5 % is too strict or too lax, with the reason.

[[limit]]
scenarios = "^bench_experts"   # regular expression, searched in the scenario's id; the first limit that fits holds
tolerance_percent = 8          # OK means that slower than this is excluded
smallest_effect_percent = 3    # optional: a slowdown below it is not reported
reason = "a layer of half a millisecond spreads more"
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from bench.gate.reviewed_toml import Entry, Form
from bench.gate.tolerance import SMALLEST_EFFECT, SMALLEST_TOLERANCE
from bench.harness.forms import Positive

FILE_NAME = "tolerances.toml"  # beside the baselines
SMALLEST_PERCENT = math.expm1(SMALLEST_EFFECT) * 100


class LimitForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of the file."""

    scenarios: str
    tolerance_percent: Positive
    reason: str
    smallest_effect_percent: Positive = SMALLEST_PERCENT


FORM = Form(key="limit", entry=LimitForm, next_step=f"see {__name__} for the form")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is asked of one scenario, as log ratios."""

    tolerance: float = SMALLEST_TOLERANCE  # OK means that slower than this is excluded
    smallest_effect: float = SMALLEST_EFFECT  # a slowdown below it is not reported


DEFAULT_LIMITS = Limits()
NO_LIMITS: Mapping[str, Limits] = MappingProxyType({})  # of any scenario's own


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Limits of the scenarios that a pattern finds."""

    pattern: re.Pattern[str]
    limits: Limits


def read_rules(path: Path) -> list[Rule]:
    """Read the file; no rules if there is none.

    Raises:
        ValueError: the file is not TOML, or an entry lacks a field, has an unknown one, or a value out of range.
    """
    return [_rule(entry) for entry in FORM.read(path)] if path.exists() else []


def limits_of(scenarios: Iterable[str], rules: Iterable[Rule]) -> dict[str, Limits]:
    """Return the limits of those scenarios that a rule finds; the first that does holds."""
    rules = list(rules)
    fitting = {name: next((r.limits for r in rules if r.pattern.search(name)), None) for name in scenarios}
    return {name: limits for name, limits in fitting.items() if limits}


def limit_of(scenario: str, limits: Mapping[str, Limits]) -> Limits:
    """Return a scenario's own limits, or the default."""
    return limits.get(scenario, DEFAULT_LIMITS)


def _rule(found: Entry[LimitForm]) -> Rule:
    entry, where = found
    smallest, tolerance = entry.smallest_effect_percent, entry.tolerance_percent
    if smallest > tolerance:
        raise ValueError(
            f"{where}: tolerance_percent must be at least smallest_effect_percent, "
            f"got {tolerance:g} and {smallest:g}; raise the tolerance or lower the effect"
        )
    if not entry.reason.strip():
        raise ValueError(f"{where}: reason must say why, got {entry.reason!r}; reviewers read it")
    try:
        pattern = re.compile(entry.scenarios)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{where}: scenarios must be a regular expression, got {entry.scenarios!r} ({error})"
        ) from error
    return Rule(
        pattern=pattern,
        limits=Limits(tolerance=math.log1p(tolerance / 100), smallest_effect=math.log1p(smallest / 100)),
    )
