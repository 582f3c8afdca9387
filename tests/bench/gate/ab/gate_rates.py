"""How often base against head errs, on simulated suites: 1,000 of each by `python -m tests.bench.gate.ab.gate_rates`.

A launch of a scenario is one number an arm: the noise lies between launches, where blocks cannot average it away.
"""

import logging
import math
import sys
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.verdicts import PLACEBO_EVERY, decide
from bench.gate.qualify.resample import two_stages
from bench.gate.verdict import Verdict

NUM_SCENARIOS = 200
FULL_SUITES = 1000
LAUNCH_SD = 0.034  # of a difference of base and head in one launch, as measured on a shared machine
ARMS = ("moe", "dense", "anchor")
NAMES = tuple(f"bench_x[{i}]" for i in range(NUM_SCENARIOS))
Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


def _disturbed(rng: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.normal(size=size) * np.where(rng.random(size) < 0.1, 3.0, 1.0) / math.sqrt(1.8)


def _partly_shared(rng: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Give half of the variance to the launch, where it shifts all scenarios and arms alike."""
    launch = rng.standard_t(3, (size[0], 1, 1))
    return (launch + rng.standard_t(3, size)) / math.sqrt(6)


NOISES: dict[str, Draw] = {  # of standard deviation 1; shape (launches, scenarios, arms)
    "heavy tails": lambda rng, size: rng.standard_t(3, size) / math.sqrt(3),
    "normal": lambda rng, size: rng.normal(size=size),
    "one launch in ten disturbed": _disturbed,
    "half of it shared by a launch": _partly_shared,
}


class Suite(NamedTuple):
    """What one simulated suite came to."""

    verdicts: dict[str, Verdict]
    where: dict[str, str]
    num_launches: int  # of scenarios, both stages, without placebos


def run_suite(
    rng: np.random.Generator,
    draw: Draw,
    *,
    names: Collection[str] = NAMES,
    slow: Mapping[str, float] | None = None,
    slow_names: Collection[str] = NAMES,
    slot_bias: float = 0.0,
    sd: float = LAUNCH_SD,
) -> Suite:
    """Measure and judge one suite.

    Args:
        rng: source of the noise.
        draw: its shape.
        names: of the scenarios.
        slow: arm -> factor of head's time.
        slow_names: in which scenarios.
        slot_bias: log factor of whatever runs in the second slot, placebos included.
        sd: of the log ratio of one launch.
    """

    def stage(num_launches: int, names: Collection[str]) -> list[PairedLaunch]:
        num_placebos = math.ceil(num_launches / (PLACEBO_EVERY - 1))
        noise = sd * draw(rng, (num_launches + num_placebos, len(names), len(ARMS))) + slot_bias
        change = np.log([(slow or {}).get(arm, 1.0) for arm in ARMS])
        noise[num_placebos:, [name in slow_names for name in names]] += change
        heads = np.exp(noise).tolist()
        return [
            PairedLaunch(
                scenario=name,
                arms={arm: ((1.0,), (heads[i][j][k],)) for k, arm in enumerate(ARMS)},
                is_placebo=i < num_placebos,
                sign=1.0,
                counted=False,
            )
            for i in range(len(heads))
            for j, name in enumerate(names)
        ]

    first, fresh = two_stages(stage, names)
    found = decide(first, fresh)
    return Suite(
        verdicts={one.scenario: one.verdict for one in found},
        where={one.scenario: one.where for one in found},
        num_launches=sum(not launch.is_placebo for launch in [*first, *fresh]),
    )


def share(suite: Suite, verdict: Verdict) -> float:
    """Return the share of a suite's scenarios that ended so."""
    return sum(found is verdict for found in suite.verdicts.values()) / len(suite.verdicts)


def describe(noise: str, num_suites: int) -> str:
    """Return one line of rates: of unchanged suites, and of a tenth as many with the MoE 5 % slower."""
    rng = np.random.default_rng(list(noise.encode()))
    unchanged = [run_suite(rng, NOISES[noise]) for _ in range(num_suites)]
    alarms = sum(share(suite, Verdict.REGRESSED) > 0 for suite in unchanged)
    low, high = scipy_stats.binomtest(alarms, num_suites).proportion_ci(method="exact")
    slower = [run_suite(rng, NOISES[noise], slow={"moe": 1.05}) for _ in range(num_suites // 10)]
    means = {verdict: np.mean([share(suite, verdict) for suite in unchanged]) for verdict in Verdict}
    found = np.mean([share(suite, Verdict.REGRESSED) for suite in slower])
    rightly = np.mean([sum(where == "MoE" for where in suite.where.values()) / NUM_SCENARIOS for suite in slower])
    unfit = np.mean([share(suite, Verdict.UNFIT) == 1 for suite in unchanged])
    launches = np.mean([suite.num_launches for suite in unchanged]) / NUM_SCENARIOS
    return (
        f"{noise}: any false alarm in {alarms} of {num_suites} suites [{100 * low:.1f}, {100 * high:.1f} %], "
        f"UNFIT suites {100 * unfit:.1f} %; unchanged scenarios OK {100 * means[Verdict.OK]:.2f} %, "
        f"IMPROVED {100 * means[Verdict.IMPROVED]:.3f} %, INCONCLUSIVE {100 * means[Verdict.INCONCLUSIVE]:.2f} %, "
        f"{launches:.1f} launches each; +5 % on MoE REGRESSED {100 * found:.2f} %, "
        f"put down to MoE {100 * rightly:.2f} %"
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for kind in NOISES:
        logging.info(describe(kind, int(sys.argv[1]) if len(sys.argv) > 1 else FULL_SUITES))
