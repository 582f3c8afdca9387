"""How far a scenario may move before it is called slower: by the spread of the baseline's launches, and by now's."""

import functools
import math
from collections.abc import Collection, Sequence
from statistics import fmean
from typing import NamedTuple

import scipy

from bench.gate.controls import controls_of, is_counted
from bench.gate.readings import launch_values, read_all, reading_of
from bench.gate.stats import PRIOR_LAUNCHES, shift_error, typical_variance
from bench.gate.verdict import Control
from bench.harness.arms import ANCHOR
from bench.harness.record import Scenario

SMALLEST_EFFECT = math.log(1.02)  # a change below 2 % is not worth a report
SMALLEST_TOLERANCE = math.log(1.05)  # what a quiet machine is held to
FALSE_ALARMS = 0.05  # of runs of unchanged code, over all that is judged
OF_SCENARIOS, OF_GROUPS, OF_SUITE = 0.6, 0.2, 0.2  # how that is shared out
# Share of a launch's variance that all launches of a run have in common. Between three sessions of a day, hours apart,
# a ratio of two arms moved by 0, 0.01 and 0.2 of it, one to the anchor by all of it or more: a run counts once there.
RUN_SHARE = {"arm": 0.15, "anchor": 1.0}


class Bar(NamedTuple):
    """How much it takes to accuse."""

    errors: float  # standard errors
    tolerance: float = SMALLEST_TOLERANCE  # the least tolerance, as a log ratio
    effect: float = SMALLEST_EFFECT  # the least change that raises suspicion, as a log ratio

    def tolerance_of(self, error: float) -> float:
        """Return the tolerance of a control whose change has this standard error, as a log ratio."""
        return max(self.tolerance, self.errors * error)


@functools.cache  # each scenario of a run asks for the same
def errors_of(share: float, num_judged: int, num_launches: int) -> float:
    """Return how many standard errors make a false alarm as rare as it must be.

    Args:
        share: of FALSE_ALARMS, for all of this kind.
        num_judged: scenarios or groups among which it is shared out. Their several controls and looks are paid for by
            the first launch, which must have raised the suspicion that fresh ones confirm.
        num_launches: of the baseline, by which the spread is known.

    Source: Student's t with the degrees of freedom of a moderated variance; Smyth 2004, section 3. Bonferroni.
    """
    return float(scipy.stats.t.isf(FALSE_ALARMS * share / num_judged, num_launches - 1 + PRIOR_LAUNCHES))


def usual_error(sd: float, control: Control, num_new: int, num_base: float) -> float:
    """Return the standard error that a change has under the conditions of the baseline's own launches."""
    return shift_error(sd, num_new, num_base, RUN_SHARE[control.kind])


def typical_variances(scenarios: Collection[Scenario]) -> dict[str, float]:
    """Return the launch-to-launch variance of log ratios in a typical scenario, by `pool_key`."""
    read_all(scenarios)
    groups: dict[str, list[Sequence[float]]] = {}
    for scenario in scenarios:
        for control in controls_of(scenario):
            groups.setdefault(pool_key(scenario, control), []).append(launch_values(scenario, control))
    return {key: typical_variance(values) for key, values in groups.items()}


def pool_key(scenario: Scenario, control: Control) -> str:
    """Name a control's pool: counted values do not spread as timed ones, nor ratios to an anchor as those to twins."""
    kind = "counted" if is_counted(scenario) else "timed"
    return f"{kind}:{'anchor' if control.against in (ANCHOR, None) else 'arm'}"


def excess_noise(new: Scenario, base: Scenario, control: Control) -> float:
    """Return how much less sure a launch of now is of its value than the baseline's launches were, as a variance.

    The baseline's spread between launches holds the noise that its own blocks had; a busier machine adds to it now.
    """
    now, then = (fmean(reading_of(scenario, control).variances) for scenario in (new, base))
    return max(0.0, now - then)
