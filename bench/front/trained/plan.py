"""What a training would cost and could tell apart, before it is begun: a row a task."""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.contrasts import graded_of
from bench.pages.twins.documents import Setting, read_settings
from bench.power import Plan, Spread, excluded, measured_spread, seen
from fixtures.training.recipes import RECIPES

# Where a record tells no points by picture. After charts, medium, in the twins' record: seeds that looked by step
# 1,200 have an sd of 1.7 points, a picture's score one of 10, and that of dense shares a quarter of its variance.
ASSUMED = Spread(seeds=0.02, pictures=0.10, within=0.4, between=0.25)  # within: a guess, which hardly matters
HOUR_S, POINTS = 3600.0, 100.0


def plan_rows(chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row a task, differences in points.

    Args:
        chosen: records, tasks, size, variants, recipe, seeds, pictures; spread_FIELD of each of `Spread`,
            None where the records are to tell it.

    Raises:
        ValueError: No record has a twin of a task, size or variant, so that hours are unknown; or a number is wrong.
    """
    return [_row(_setting(chosen.records, task, chosen.size), chosen) for task in chosen.tasks]


def _setting(records: Sequence[Path], task: str, size: str) -> Setting:
    (setting,) = read_settings(*records, task=task, size=size)
    return setting


def _row(setting: Setting, chosen: argparse.Namespace) -> dict[str, Any]:
    spread, source = spread_of(setting, {name: getattr(chosen, f"spread_{name}") for name in asdict(ASSUMED)})
    plan = Plan(spread=spread, num_seeds=chosen.seeds, num_pictures=chosen.pictures)
    num_pairs = math.comb(len(chosen.variants), 2)
    hours = {variant: _hours(setting, variant, chosen.recipe) for variant in chosen.variants}
    return {
        "setting": setting.name,
        "variants": len(hours),
        "seeds": chosen.seeds,
        "pictures": chosen.pictures,
        "spread": source,
        "sd of seeds": POINTS * spread.seeds,
        "sd of pictures": POINTS * spread.pictures,
        "correlation within": spread.within,
        "correlation between": spread.between,
        "seen": POINTS * seen(plan),
        f"seen among {num_pairs}": POINTS * seen(plan, comparisons=num_pairs),
        "excluded": POINTS * excluded(plan),
        "minutes a run": 60 * fmean(hours.values()),
        "hours": chosen.seeds * sum(hours.values()),
    }


def spread_of(setting: Setting, given: Mapping[str, float | None]) -> tuple[Spread, str]:
    """Return how far accuracies lie apart, and where that is from: what is given, else what the record tells.

    Args:
        given: Fields of `Spread`; None where the record is to tell.
    """
    graded = [found for twins in setting.variants.values() if (found := graded_of(twins))]
    measured = measured_spread(graded)
    told = {name: value for name, value in given.items() if value is not None}
    source = "given" if len(told) == len(given) else "measured" if measured else "assumed"
    return replace(measured or ASSUMED, **told), source


def _hours(setting: Setting, variant: str, recipe: str) -> float:
    """Return the hours of one run, by the processor seconds a step of the record's twins."""
    twins: Sequence[Mapping[str, Any]] = setting.variants.get(variant, ())
    if not twins:
        known = ", ".join(setting.variants)
        raise ValueError(f"--variants must be in the record on {setting.name}: {known}, got {variant}; choose of them")
    a_step = fmean(twin["cpu_s"] / twin["steps"] for twin in twins)
    return a_step * RECIPES[recipe].schedule().num_steps / HOUR_S
