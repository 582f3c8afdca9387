"""From the launches of a run and of a baseline to a verdict: pure functions, no clock, no files.

Three controls are compared, because each sees what the others miss: MoE against dense (portable between machines of one
kind), each arm against the anchor (sees a slowdown of code that both models share), and, for what is counted rather
than timed, the value itself.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from bench.gate.stats import (
    Interval,
    block_log_ratios,
    centre_variance,
    hodges_lehmann_shift,
    pooled_variance,
    pseudo_median,
    shift_error,
    shrunken_sd,
)
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict, worst
from bench.harness.arms import ANCHOR, PRIMARY, TWIN, is_peer
from bench.harness.metrics import METRICS
from bench.harness.record import Scenario, differing_inputs

SMALLEST_EFFECT = math.log(1.02)  # a change below 2 % is not worth a report
SMALLEST_TOLERANCE = math.log(1.05)  # what a quiet machine is held to
TOLERANCE_ERRORS = 4.0  # tolerance in standard errors: one false alarm in 30,000 comparisons if launches were normal
SUSPECT_ERRORS = 2.0  # beyond this many standard errors a first launch is measured again before anything is said
# Launches of one run follow each other within minutes and share what neighbours do to caches and memory then: repeating
# them clears what one launch met, and averages nothing away of what the run met.
NUM_REPLICATES = 1
ONE_SIDED_95 = 1.645  # normal quantile of the non-inferiority limit
TWO_SIDED_95 = 1.960  # normal quantile of the interval shown
SHARED_SHARE = 0.5  # an arm that moved less than half as far as the one that moved most did not move with it
LARGEST_ERROR = math.log(2.0) / 2  # a launch whose own ratio is uncertain by a factor of two cannot judge anything


def controls_of(scenario: Scenario) -> list[Control]:
    """List the controls that a scenario's own arms allow: MoE over each other arm, then each arm over the anchor."""
    others = [arm for arm in scenario.arms if arm not in (PRIMARY, ANCHOR) and not is_peer(arm)]
    against = ANCHOR if ANCHOR in scenario.arms else None
    return [
        *(Control(arm=PRIMARY, against=other) for other in others),
        *(Control(arm=arm, against=against) for arm in (PRIMARY, *others)),
    ]


def launch_values(scenario: Scenario, control: Control) -> list[float]:
    """Return one number a launch: the pseudo-median over its blocks of the control's log ratio."""
    return [pseudo_median(values) for values in _block_values(scenario, control)]


def _block_values(scenario: Scenario, control: Control) -> list[list[float]]:
    """Return the control's log ratio of each block, by launch."""
    numerators = [launch.samples for launch in scenario.arms[control.arm].launches]
    if control.against is None:
        denominators: Sequence[Sequence[float]] = [[1.0] * len(samples) for samples in numerators]
    else:
        denominators = [launch.samples for launch in scenario.arms[control.against].launches]
    return [block_log_ratios(a, b) for a, b in zip(numerators, denominators, strict=True)]


def pooled_variances(scenarios: Iterable[Scenario]) -> dict[str, float]:
    """Pool the launch-to-launch variance of log ratios over scenarios, by `pool_key`."""
    groups: dict[str, list[list[float]]] = {}
    for scenario in scenarios:
        for control in controls_of(scenario):
            groups.setdefault(pool_key(scenario, control), []).append(launch_values(scenario, control))
    return {key: pooled_variance(values) for key, values in groups.items()}


def pool_key(scenario: Scenario, control: Control) -> str:
    """Name a control's pool: counted values do not spread as timed ones, nor ratios to an anchor as those to twins."""
    kind = "counted" if ANCHOR not in scenario.arms else "timed"
    return f"{kind}:{'anchor' if control.against in (ANCHOR, None) else 'arm'}"


def judge_control(
    new: Sequence[float],
    base: Sequence[float],
    *,
    control: Control,
    pooled: float,
    sign: float,
    confirmed: bool,
    noise: float = 0.0,
    unrest: float = 1.0,
) -> Change:
    """Judge one control.

    Args:
        new: launch values of this run; fresh launches only when `confirmed`: the first was picked for being slow.
        base: launch values of the baseline.
        control: what they are ratios of.
        pooled: variance pooled over the baseline's scenarios.
        sign: 1.0 where lower is better, -1.0 where higher is.
        confirmed: whether `new` may end as REGRESSED; a first launch only becomes a suspect.
        noise: variance of a new launch's value beyond what launches of the baseline had; see `excess_noise`.
        unrest: factor by which this run's launches spread more than the baseline's; see unrest.py.

    Returns:
        The change. REGRESSED: above the tolerance, which grows with the noise and unrest of now. OK: slower than the
        tolerance of the baseline's own conditions is excluded (one-sided 95 %): noise must neither accuse nor acquit.
    """
    usual = shift_error(shrunken_sd(base, pooled), NUM_REPLICATES, len(base))
    error = math.hypot(unrest * usual, math.sqrt(noise / len(new)))
    shift = sign * hodges_lehmann_shift(new, base)
    tolerance = max(SMALLEST_TOLERANCE, TOLERANCE_ERRORS * error)
    if shift > tolerance and confirmed:
        verdict = Verdict.REGRESSED
    elif shift < -tolerance:
        verdict = Verdict.IMPROVED
    elif shift + ONE_SIDED_95 * error < max(SMALLEST_TOLERANCE, TOLERANCE_ERRORS * usual):
        verdict = Verdict.OK
    else:
        verdict = Verdict.INCONCLUSIVE
    return Change(
        control=control,
        interval=Interval(shift, shift - TWO_SIDED_95 * error, shift + TWO_SIDED_95 * error),
        tolerance=tolerance,
        verdict=verdict,
        suspect=shift > max(SMALLEST_EFFECT, SUSPECT_ERRORS * usual),
    )


def excess_noise(new: Scenario, base: Scenario, control: Control) -> float:
    """Return how much less sure a launch of now is of its value than the baseline's launches were, as a variance.

    The baseline's spread between launches holds the noise that its own blocks had; a busier machine adds to it now.
    """
    now, then = (
        sum(map(centre_variance, values)) / len(values)
        for values in (_block_values(new, control), _block_values(base, control))
    )
    return max(0.0, now - then)


def is_unfit(scenario: Scenario) -> str:
    """Say why a measured scenario cannot be judged: throttled away or too noisy; empty if it can."""
    if ANCHOR not in scenario.arms:
        return ""  # counted values carry no noise
    last = scenario.arms[PRIMARY].launches[-1]
    if last.voided >= len(last.samples):
        return f"the device was throttled in {last.voided} blocks, half or more; let it cool, or lift its power cap"
    for control in controls_of(scenario):
        error = math.sqrt(centre_variance(_block_values(scenario, control)[-1]))
        if error > LARGEST_ERROR:
            return f"blocks leave {control} uncertain by a factor of {math.exp(TWO_SIDED_95 * error):.1f} either way"
    return ""


def judge_scenario(
    new: Scenario,
    base: Scenario,
    pooled: Mapping[str, float],
    *,
    confirmed: bool = False,
    same_fingerprint: bool = True,
    unrest: Mapping[str, float] = MappingProxyType({}),
) -> ScenarioVerdict:
    """Judge one scenario of a run against the baseline's.

    Args:
        new: launches of this run (fresh ones if `confirmed`).
        base: launches of the baseline.
        pooled: from `pooled_variances` of the baseline.
        confirmed: see `judge_control`.
        same_fingerprint: whether the machines are one and the same model; if not, ratios to the anchor are advisory.
        unrest: by kind of control, how much more this run spreads than the baseline's launches.
    """
    moe = new.arms[PRIMARY]
    seen = ScenarioVerdict(scenario=new.id, verdict=Verdict.INCONCLUSIVE, num_launches=len(moe.launches))
    if mismatch := hash_mismatch(new, base):
        return replace(seen, verdict=Verdict.NOT_COMPARABLE, why=mismatch)
    if unfit := is_unfit(new):
        return replace(seen, verdict=Verdict.UNFIT, why=unfit)
    changes = tuple(
        judge_control(
            launch_values(new, control),
            launch_values(base, control),
            control=control,
            pooled=pooled[pool_key(base, control)],
            sign=METRICS[moe.metric].sign,
            confirmed=confirmed,
            noise=excess_noise(new, base, control),
            unrest=unrest.get(control.kind, 1.0),
        )
        for control in controls_of(new)
        if control in controls_of(base)
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
    """Name the code that became slower: MoE alone, dense alone, or what both share; empty if nothing did."""
    changes = list(changes)
    far = SHARED_SHARE * max((c.interval.estimate for c in changes), default=0.0)
    slower = {
        str(c.control) for c in changes if c.verdict is Verdict.REGRESSED or (c.suspect and c.interval.estimate > far)
    }
    moe, dense = (any(c in slower for c in (f"{arm}/{ANCHOR}", arm)) for arm in (PRIMARY, TWIN))
    if moe and dense:
        return "shared code"
    if any(c.startswith(f"{PRIMARY}/") for c in slower):
        return "MoE"
    return "dense" if dense else ""
