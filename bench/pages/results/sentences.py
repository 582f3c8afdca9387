"""Sentences that answer question 1: computed from the gains, so that none outlives its numbers."""

from collections.abc import Iterable, Sequence

from bench.pages.results.gains import Gain
from bench.pages.results.tables import PHASES

WORTH = 1.1  # less is no gain that a user would notice


def trends(gains: Iterable[Gain]) -> list[str]:
    """Say for each machine, scale, phase, rival, workload, routing and length how the speed-up moves with the batch.

    Args:
        gains: of prefill and decode; others are left to their table.
    """
    groups: dict[tuple[str, ...], list[Gain]] = {}
    for gain in gains:
        if gain.benchmark in PHASES:
            key = (gain.machine, gain.scale, gain.benchmark, gain.against, workload(gain), gain.routing, gain.length)
            groups.setdefault(key, []).append(gain)
    return [_trend(sorted(group, key=lambda gain: gain.batch_size)) for group in groups.values()]


def workload(gain: Gain) -> str:
    """Return the workload's name."""
    return str(gain.params.get("workload", ""))


def _trend(gains: Sequence[Gain]) -> str:
    """Say where a group starts and where it is worst, and at which batches the MoE gains next to nothing."""
    first, worst = gains[0], min(gains, key=lambda gain: gain.speedup.estimate)
    what = f"**{first.scale}, {PHASES[first.benchmark]}**, {first.length} tokens, {first.routing} routing"
    said = [f"{what}, against {first.against}: {_at(first)}"]
    if worst is not first:
        said.append(f"least {_at(worst)}")
    idle = [str(gain.batch_size) for gain in gains if gain.speedup.estimate < WORTH]
    if len(gains) == 1:
        said.append("measured at this batch alone")
    elif idle:
        said.append(f"below {WORTH:g} at batch {', '.join(idle)}")
    else:
        said.append(f"above {WORTH:g} at all of {', '.join(str(gain.batch_size) for gain in gains)}")
    if first.depths:
        layers = ", ".join(map(str, first.depths))
        said.append(f"extrapolated from {layers} layers, the line's error at most {_percent(gains)}")
    return f"{'; '.join(said)}."


def _percent(gains: Sequence[Gain]) -> str:
    return f"{100 * max(gain.check_error for gain in gains):.1f} %"


def _at(gain: Gain) -> str:
    floor = f", where the ratio of the floors is {gain.predicted:.2f}" if gain.predicted else ""
    return f"{gain.factor()} as fast at batch {gain.batch_size}{floor}"
