"""From the launches of a run and of a baseline to a verdict: pure functions, no clock, no files."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from bench.gate.controls import controls_of, is_counted
from bench.gate.readings import launch_values, reading_of
from bench.gate.shares import is_share
from bench.gate.stats import Interval, hodges_lehmann_shift, shrunken_sd
from bench.gate.tolerance import Bar, excess_noise, pool_key, usual_error
from bench.gate.verdict import TOLERANCE_CAP, Change, Control, ScenarioVerdict, Verdict, worst
from bench.harness.arms import ANCHOR, PRIMARY, is_moe
from bench.harness.metrics import METRICS
from bench.harness.record import Scenario, differing_inputs

SUSPECT_ERRORS = 1.5  # beyond this many standard errors a first launch is measured again before anything is said
ONE_SIDED_95 = 1.645  # normal quantile of the non-inferiority limit
TWO_SIDED_95 = 1.960  # normal quantile of the interval shown
SHARED_SHARE = 0.5  # an arm that moved less than half as far as the one that moved most did not move with it
NEIGHBOUR = 0.2  # of a slower arm's log ratio that its neighbour in each block may be slower by, of unchanged code
LARGEST_ERROR = math.log(2.0) / 2  # a launch whose own ratio is uncertain by a factor of two cannot judge anything


def judge_control(
    new: Sequence[float],
    base: Sequence[float],
    *,
    control: Control,
    sd: float,
    bar: Bar,
    sign: float,
    confirmed: bool,
    noise: float = 0.0,
    unrest: float = 1.0,
    share: float | None = None,
) -> Change:
    """Judge one control.

    Args:
        new: launch values of this run; fresh launches only when `confirmed`: the first was picked for being slow.
        base: launch values of the baseline.
        control: what they are ratios of.
        sd: standard deviation of a launch under the baseline's conditions.
        bar: how much it takes to accuse.
        sign: 1.0 where lower is better, -1.0 where higher is.
        confirmed: whether `new` may end as REGRESSED; a first launch only becomes a suspect.
        noise: variance of a new launch's value beyond what launches of the baseline had; see `excess_noise`.
        unrest: factor by which this run's launches spread more than the baseline's; see unrest.py.
        share: of the baseline, where the values are shares.

    Returns:
        The change. REGRESSED: above the tolerance, which grows with the noise and unrest of now, and not by a disturbed
        launch alone. OK: slower than the tolerance is excluded (one-sided 95 %), and of a ratio of two arms slower than
        the cap, however noisy it is.
    """
    usual = usual_error(sd, control, len(new), len(base))
    own = usual_error(sd, control, len(new), math.inf)  # of this run alone: the baseline knows no unrest of now
    error = math.sqrt(usual**2 + (unrest**2 - 1) * own**2 + noise / len(new))
    shift = sign * hodges_lehmann_shift(new, base)
    tolerance = bar.tolerance_of(error)
    excluded = tolerance if control.against == ANCHOR else min(tolerance, TOLERANCE_CAP)
    if shift > tolerance and confirmed and _agree(new, base, sign, tolerance):
        verdict = Verdict.REGRESSED
    elif shift < -tolerance:
        verdict = Verdict.IMPROVED
    elif shift + ONE_SIDED_95 * error < excluded:
        verdict, tolerance = Verdict.OK, excluded
    else:
        verdict = Verdict.INCONCLUSIVE
    return Change(
        control=control,
        interval=Interval(shift, shift - TWO_SIDED_95 * error, shift + TWO_SIDED_95 * error),
        tolerance=tolerance,
        verdict=verdict,
        suspect=shift > max(bar.effect, SUSPECT_ERRORS * usual),
        share=share,
    )


def _agree(new: Sequence[float], base: Sequence[float], sign: float, tolerance: float) -> bool:
    """Tell whether all launches, one in four excepted, show half of the tolerance or more: one alone cannot accuse."""
    centre = statistics.median(base)
    shifts = [sign * (value - centre) for value in new]
    return sum(shift > tolerance / 2 for shift in shifts) >= len(shifts) - len(shifts) // 4


def _share(base: Scenario, control: Control) -> float | None:
    """Return the share that an arm had in the baseline, the median over its launches; nothing of other metrics."""
    if not is_share(base.arms[control.arm].metric):
        return None
    return math.exp(statistics.median(launch_values(base, control)))


def is_unfit(scenario: Scenario) -> str:
    """Say why a measured scenario cannot be judged: throttled away or too noisy; empty if it can."""
    if is_counted(scenario):
        return ""
    last = scenario.arms[PRIMARY].launches[-1]
    if last.voided >= len(last.samples):
        return f"the device was throttled in {last.voided} blocks, half or more; let it cool, or lift its power cap"
    for control in controls_of(scenario):
        error = math.sqrt(reading_of(scenario, control).variances[-1])
        if error > LARGEST_ERROR:
            return f"blocks leave {control} uncertain by a factor of {math.exp(TWO_SIDED_95 * error):.1f} either way"
    return ""


def judge_scenario(
    new: Scenario,
    base: Scenario,
    typical: Mapping[str, float],
    *,
    bar: Bar,
    confirmed: bool = False,
    same_fingerprint: bool = True,
    unrest: Mapping[str, float] = MappingProxyType({}),
) -> ScenarioVerdict:
    """Judge one scenario of a run against the baseline's.

    Args:
        new: launches of this run (fresh ones if `confirmed`).
        base: launches of the baseline.
        typical: from `typical_variances` of the baseline.
        bar: see `judge_control`.
        confirmed: see `judge_control`; what is counted needs no second launch.
        same_fingerprint: whether the machines are one and the same model; if not, ratios to the anchor are advisory.
        unrest: by kind of control, how much more this run spreads than the baseline's launches.
    """
    moe = new.arms[PRIMARY]
    seen = ScenarioVerdict(scenario=new.id, verdict=Verdict.INCONCLUSIVE, num_launches=len(moe.launches))
    if mismatch := hash_mismatch(new, base):
        return replace(seen, verdict=Verdict.NOT_COMPARABLE, why=mismatch)
    if unfit := is_unfit(new):
        return replace(seen, verdict=Verdict.UNFIT, why=unfit)
    then = {control: launch_values(base, control) for control in controls_of(base)}
    changes = tuple(
        judge_control(
            launch_values(new, control),
            then[control],
            control=control,
            sd=shrunken_sd(then[control], typical[pool_key(base, control)]),
            bar=bar,
            sign=METRICS[moe.metric].sign,
            confirmed=confirmed or is_counted(new),
            noise=excess_noise(new, base, control),
            unrest=unrest.get(control.kind, 1.0),
            share=_share(base, control),
        )
        for control in controls_of(new)
        if control in then
    )
    counted = [c for c in changes if same_fingerprint or c.control.against != ANCHOR]
    if not counted:
        why = "no ratio that both have may be judged: ratios to the anchor are another machine's"
        return replace(seen, changes=changes, why=why)
    verdict = worst(change.verdict for change in counted)
    return replace(seen, changes=changes, verdict=verdict, where=attribute(changes))


def hash_mismatch(new: Scenario, base: Scenario) -> str:
    """Say which inputs differ between run and baseline; empty if none does."""
    differing = differing_inputs(new.arms[PRIMARY].hashes, base.arms[PRIMARY].hashes)
    remedy = "promote a new baseline if that was meant"
    return f"another {' and '.join(differing)} hash than the baseline's; {remedy}" if differing else ""


def attribute(changes: Iterable[Change]) -> str:
    """Name the code that became slower: MoE alone, dense alone, or what both share; empty if nothing did.

    An arm is slower by itself (against the anchor, or counted); the MoE is also where it is so against another arm.
    A suspect is slower if it lies beyond SHARED_SHARE of what moved most; a REGRESSED one unless its neighbour made it.
    """
    changes = list(changes)
    most = max((c.interval.estimate for c in changes), default=0.0)
    slower = [c.control for c in changes if _is_slower(c, most)]
    alone = {is_moe(control.arm) for control in slower if control.against in (ANCHOR, None)}
    if len(alone) == 2:
        return "shared code"
    return "MoE" if any(is_moe(control.arm) for control in slower) else "dense" if slower else ""


def is_of_neighbour(shift: float, most: float) -> bool:
    """Say whether an arm may owe its log ratio to its neighbour in each block, the arm that moved most.

    Beside one that takes four times as long it finds cold caches, and is a fifth slower itself.
    """
    return shift <= NEIGHBOUR * most


def _is_slower(change: Change, most: float) -> bool:
    if change.verdict is Verdict.REGRESSED:
        return not is_of_neighbour(change.interval.estimate, most)
    return change.suspect and change.interval.estimate > SHARED_SHARE * most
