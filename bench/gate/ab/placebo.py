"""Placebo launches: base in both slots. If unchanged code seems to have changed, the machine favours one slot."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from bench.gate.ab.changes import BASE, Series, series_of
from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.tolerances import Limits
from bench.gate.stats import percent, pseudo_median
from bench.gate.verdict import Change, Verdict

BAND_ERROR = 0.001  # chance that a stage of an even machine is called uneven
HARMLESS = math.log(1.01)  # a bias of 1 % is half the smallest effect: it cannot make a regression on its own


class Shift(NamedTuple):
    """How far the placebo moved, and how far it may."""

    estimate: float
    band: float


def placebo_shift(launches: Sequence[PairedLaunch]) -> Shift:
    """Compare the placebo launches of one stage with the spread of its real ones, both in the order of measurement.

    A launch's shift is the median over all scenarios and arms of their log ratios, a real launch's after each has lost
    its own centre, so that changed code does not count. What a slot is favoured by shifts all scenarios of a launch,
    whereas noise of a single one leaves the median in place.

    Returns:
        The centre of the placebo launches' shifts; the band is what the spread of the real launches' shifts makes of a
        mean of as many (Student's t), at least HARMLESS, and infinite with fewer than two real launches or no placebo.
    """
    timed = [launch for launch in launches if not launch.counted]
    placebo = _shifts(series_of(launch for launch in timed if launch.is_placebo), centred=False)
    real = _shifts(series_of(launch for launch in timed if not launch.is_placebo), centred=True)
    if not placebo or len(real) < 2:
        return Shift(0.0, math.inf)
    error = float(np.std(real, ddof=1)) / math.sqrt(len(placebo))
    errors = float(scipy_stats.t.isf(BAND_ERROR / 2, len(real) - 1))
    return Shift(pseudo_median(placebo), max(HARMLESS, errors * error))


def _shifts(series: Mapping[str, Series], *, centred: bool) -> list[float]:
    """Return each launch's median over scenarios and arms; the n-th of a scenario is taken to be the n-th of all."""
    by_launch: dict[int, list[float]] = {}
    for one in series.values():
        for control, values in one.values.items():
            if control.against != BASE:
                continue
            centre = pseudo_median(values) if centred else 0.0
            for number, value in enumerate(values):
                by_launch.setdefault(number, []).append(value - centre)
    return [float(np.median(values)) for values in by_launch.values()]


def uneven(*stages: Sequence[PairedLaunch]) -> Shift | None:
    """Return the farthest shift of a stage whose placebo moved beyond its band; None where none did."""
    beyond = [shift for shift in map(placebo_shift, stages) if abs(shift.estimate) > shift.band]
    return max(beyond, key=lambda shift: abs(shift.estimate), default=None)


def stands(change: Change, shift: float, limit: Limits) -> bool:
    """Tell whether a verdict holds once the shift, what the machine did to head's side, is taken off.

    What is INCONCLUSIVE claims nothing.
    """
    estimate, low, high = (value - shift for value in change.interval)
    match change.verdict:
        case Verdict.REGRESSED:
            return low > 0 and estimate > limit.smallest_effect
        case Verdict.IMPROVED:
            return high < -limit.smallest_effect
        case Verdict.OK:
            return shift > 0 or high < limit.tolerance
    return True


def reason(shift: Shift) -> str:
    """Say what the placebo showed, and what to do."""
    return (
        f"base against itself moved by {percent(shift.estimate):+.1f} %, beyond {percent(shift.band):.1f} %, and the "
        "verdict does not hold without that: the machine favours one side; let it rest, give both equal cores"
    )
