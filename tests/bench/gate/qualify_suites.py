"""Suites made up for the tests of `qualify`: launches of given spread, judged by nobody but the test that uses them."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bench.gate.ab.launches import PairedLaunch
from bench.gate.qualify.suites import LaunchRatios, Qualification, Suite

NAMES = tuple(f"bench_x[{i}]" for i in range(12))
MACHINE = {
    "device": "cpu",
    "device_model": "a cpu",
    "device_count": 2,
    "cpu_model": "a cpu",
    "cpu_count": 2,
    "torch": "2.13.0",
    "transformers": "5.23.0",
}


def launch(scenario: str = "a", *, is_placebo: bool = False, counted: bool = False, **arms: float) -> PairedLaunch:
    """Return a launch of two blocks in which head's arms take a factor of base's time."""
    return PairedLaunch(
        scenario=scenario,
        arms={arm: ((1.0, 2.0), (factor, 2 * factor)) for arm, factor in arms.items()},
        is_placebo=is_placebo,
        sign=1.0,
        counted=counted,
    )


def ratios(rng: np.random.Generator, sd: float, factors: Mapping[str, float] | None = None) -> list[LaunchRatios]:
    """Return one whole launch of all scenarios."""
    return [
        LaunchRatios(
            scenario=name,
            is_placebo=False,
            arms={
                arm: float(sd * rng.normal()) + math.log((factors or {}).get(arm, 1.0))
                for arm in ("moe", "dense", "anchor")
            },
        )
        for name in NAMES
    ]


def suite(
    verdicts: Mapping[str, str],
    *,
    injected: Mapping[str, float] | None = None,
    where: Mapping[str, str] | None = None,
    flagged: Mapping[str, Sequence[str]] | None = None,
    stage_1: Sequence[LaunchRatios] = (),
) -> Suite:
    return Suite(
        injected=injected or {},
        commit="c0ffee",
        started="2026-01-01T00:00:00+00:00",
        seconds=60,
        load=[0.5, 2.5],
        verdicts=verdicts,
        where=where or {},
        flagged=flagged or {},
        stage_1=list(stage_1),
        stage_2=[],
    )


def qualification(*suites: Suite) -> Qualification:
    return Qualification(machine=MACHINE, scenarios=list(NAMES), arguments=["--scale", "tiny"], suites=list(suites))


def noisy_qualification(num_suites: int, sd: float) -> Qualification:
    """Return suites of six launches of unchanged code, all scenarios OK."""
    rng = np.random.default_rng(0)
    made = [
        suite(dict.fromkeys(NAMES, "OK"), stage_1=[one for _ in range(6) for one in ratios(rng, sd)])
        for _ in range(num_suites)
    ]
    return qualification(*made)
