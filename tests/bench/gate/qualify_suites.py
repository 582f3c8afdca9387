"""Suites made up for the tests of `qualify`: launches of given spread and length, judged by nobody but the tests."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.verdicts import is_placebo
from bench.gate.qualify.suites import UNCHANGED, Kind, Launch, Measured, Qualification, Sample, Suite

NAMES = tuple(f"bench_{kind}[tiny-{i}]" for kind in ("x", "y") for i in range(6))
ARMS = ("moe", "dense", "anchor")
START_S, SCENARIO_S = 10.0, 1.0
MACHINE = {
    "device": "cpu",
    "device_model": "a cpu",
    "device_count": 2,
    "cpu_model": "a cpu",
    "cpu_count": 2,
    "torch": "2.13.0",
    "transformers": "5.23.0",
}


def paired(scenario: str = "a", *, placebo: bool = False, counted: bool = False, **arms: float) -> PairedLaunch:
    """Return a launch of two blocks in which head's arms take a factor of base's time."""
    return PairedLaunch(
        scenario=scenario,
        arms={arm: ((1.0, 2.0), (factor, 2 * factor)) for arm, factor in arms.items()},
        is_placebo=placebo,
        sign=1.0,
        counted=counted,
    )


def sample(base: Sequence[float], head: Sequence[float], ratio: float = 0.0) -> Sample:
    """Return one arm whose blocks have whole thousandths of a mean of 1."""
    return Sample(ratio, 1.0, float(np.mean(head)), *([round(1000 * (v - 1)) for v in side] for side in (base, head)))


def launch(number: int, ratios: Mapping[str, Mapping[str, float]], **others: Measured) -> Launch:
    """Return a launch of given log ratios (scenario -> arm -> ratio), START_S and then SCENARIO_S each long."""
    scenarios = {
        name: Measured(
            end_s=START_S + SCENARIO_S * place,
            arms={
                arm: Sample(ratio) if arm == "anchor" else Sample(ratio, 1.0, round(math.exp(ratio), 6), [0], [0])
                for arm, ratio in arms.items()
            },
        )
        for place, (name, arms) in enumerate(ratios.items(), start=1)
    }
    return Launch(
        number=number,
        is_placebo=is_placebo(number),
        started="2026-01-01T00:00:00+00:00",
        seconds=START_S + SCENARIO_S * len(scenarios),
        load=0.5 + number,
        scenarios={**scenarios, **others},
    )


def suite(launches: Sequence[Launch], kind: Kind = UNCHANGED, number: int = 0) -> Suite:
    return Suite(number=number, kind=kind, base="c0ffee", head="c0ffee", setup_s=5.0, launches=list(launches))


def qualification(*suites: Suite, num_launches: int = 20) -> Qualification:
    return Qualification(
        machine=MACHINE,
        scenarios=list(NAMES),
        arguments=["--scale", "tiny"],
        num_launches=num_launches,
        suites=list(suites),
    )


def noisy_suite(
    rng: np.random.Generator,
    *,
    sd: float = 0.02,
    state: float = 0.0,
    kind: Kind = UNCHANGED,
    number: int = 0,
    num_launches: int = 20,
    slower: Mapping[str, float] | None = None,
) -> Suite:
    """Return a suite whose launches spread: each scenario and arm alone, and all alike; arms of head take factors."""
    launches = []
    for launch_number in range(num_launches):
        shared = state * rng.normal()
        factors = {} if is_placebo(launch_number) else (slower or kind.injected)
        ratios = {
            name: {arm: float(sd * rng.normal() + shared) + math.log(factors.get(arm, 1.0)) for arm in ARMS}
            for name in NAMES
        }
        launches.append(launch(launch_number, ratios))
    return suite(launches, kind, number)
