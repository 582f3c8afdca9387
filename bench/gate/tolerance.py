"""How far a scenario may move before it is called slower: by the spread of the baseline's launches, and by now's."""

import math
from collections.abc import Iterable, Sequence

from bench.gate.controls import block_values, controls_of, is_counted, launch_values
from bench.gate.stats import centre_variance, pooled_variance, shift_error, shrunken_sd
from bench.gate.verdict import Control
from bench.harness.arms import ANCHOR
from bench.harness.record import Scenario

SMALLEST_EFFECT = math.log(1.02)  # a change below 2 % is not worth a report
SMALLEST_TOLERANCE = math.log(1.05)  # what a quiet machine is held to
TOLERANCE_ERRORS = 4.0  # tolerance in standard errors: one false alarm in 30,000 comparisons if launches were normal
# Launches of one run follow each other within minutes and share what neighbours do to caches and memory then: repeating
# them clears what one launch met, and averages nothing away of what the run met.
NUM_REPLICATES = 1


def tolerance_of(error: float) -> float:
    """Return the tolerance of a control whose change has this standard error, as a log ratio."""
    return max(SMALLEST_TOLERANCE, TOLERANCE_ERRORS * error)


def usual_error(base: Sequence[float], pooled: float) -> float:
    """Return the standard error that a change has under the conditions of the baseline's own launches."""
    return shift_error(shrunken_sd(base, pooled), NUM_REPLICATES, len(base))


def pooled_variances(scenarios: Iterable[Scenario]) -> dict[str, float]:
    """Pool the launch-to-launch variance of log ratios over scenarios, by `pool_key`."""
    groups: dict[str, list[list[float]]] = {}
    for scenario in scenarios:
        for control in controls_of(scenario):
            groups.setdefault(pool_key(scenario, control), []).append(launch_values(scenario, control))
    return {key: pooled_variance(values) for key, values in groups.items()}


def pool_key(scenario: Scenario, control: Control) -> str:
    """Name a control's pool: counted values do not spread as timed ones, nor ratios to an anchor as those to twins."""
    kind = "counted" if is_counted(scenario) else "timed"
    return f"{kind}:{'anchor' if control.against in (ANCHOR, None) else 'arm'}"


def excess_noise(new: Scenario, base: Scenario, control: Control) -> float:
    """Return how much less sure a launch of now is of its value than the baseline's launches were, as a variance.

    The baseline's spread between launches holds the noise that its own blocks had; a busier machine adds to it now.
    """
    now, then = (
        sum(map(centre_variance, values)) / len(values)
        for values in (block_values(new, control), block_values(base, control))
    )
    return max(0.0, now - then)
