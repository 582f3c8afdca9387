"""Suites drawn from recorded launches of unchanged code: other sizes of slowdown, and more suites than were measured.

A drawn suite has measured launches, none twice, whole: what a launch did to all its scenarios at once stays together.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.verdicts import is_placebo
from bench.gate.qualify.suites import UNCHANGED, Qualification

WholeLaunch = Mapping[str, Mapping[str, float]]  # scenario -> arm -> log(head / base)


def pool(qualification: Qualification) -> list[WholeLaunch]:
    """Return the launches of unchanged code that measured everything; placebos too, for both sides are the same."""
    launches = [launch for suite in qualification.of_kind(UNCHANGED) for launch in suite.launches]
    return [
        {name: {arm: sample.ratio for arm, sample in one.arms.items()} for name, one in launch.scenarios.items()}
        for launch in launches
        if all(one.arms for one in launch.scenarios.values())
    ]


def pool_of_first_schema(path: Path) -> list[WholeLaunch]:
    """Return the same of a record of schema 1, which holds ratios alone: its first stages measured everything."""
    document = json.loads(path.read_text(encoding="utf-8"))
    num_scenarios, launches = len(document["scenarios"]), []
    for suite in document["suites"]:
        flat = suite["stage_1"] if not suite["injected"] else []
        parts = (flat[start : start + num_scenarios] for start in range(0, len(flat), num_scenarios))
        launches += [{one["scenario"]: one["arms"] for one in part} for part in parts]
    return [launch for launch in launches if len(launch) == num_scenarios]


def draw_suite(
    launches: Sequence[WholeLaunch], num_launches: int, injected: Mapping[str, float], rng: np.random.Generator
) -> list[PairedLaunch]:
    """Draw a suite, head's arms slowed by factors in all but its placebos.

    Raises:
        ValueError: if the pool holds fewer launches than a suite.
    """
    if len(launches) < num_launches:
        raise ValueError(f"a drawn suite takes {num_launches} launches, got a pool of {len(launches)}; measure more")
    chosen = [launches[index] for index in rng.permutation(len(launches))[:num_launches]]
    return [
        _paired(number, name, arms, {} if is_placebo(number) else injected)
        for number, launch in enumerate(chosen)
        for name, arms in launch.items()
    ]


def _paired(number: int, name: str, arms: Mapping[str, float], factors: Mapping[str, float]) -> PairedLaunch:
    return PairedLaunch(
        scenario=name,
        arms={arm: ((1.0,), (math.exp(ratio) * factors.get(arm, 1.0),)) for arm, ratio in arms.items()},
        is_placebo=is_placebo(number),
        number=number,
        sign=1.0,
        counted=False,
    )
