"""Which scenarios a launch measures, and how many of them a budget can bring to a decision: pure functions."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bench.gate.ab.boundary import boundary
from bench.gate.ab.evidence import CONTRAST_PRIOR, PRIOR
from bench.gate.ab.noise import MEASURED, Noise, Prior
from bench.gate.ab.tolerances import DEFAULT_LIMITS, Limits
from bench.gate.ab.verdicts import is_placebo
from bench.gate.groups import group_of_id

MOST_LAUNCHES = 60  # real and placebo; what stays open then is not this machine's to decide
TURN = 3  # one launch in so many takes up what is decided as long as its group is not


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds that launches take, as those so far tell."""

    start_s: float = 30.0  # of two workers, with their end; a guess until a launch has been timed
    scenario_s: Mapping[str, float] = field(default_factory=dict)  # both sides together, of those measured

    def launch_s(self, scenarios: Collection[str]) -> float:
        """Return what a launch of these scenarios would take."""
        return self.start_s + sum(self.scenario_s.get(name, 0.0) for name in scenarios)

    def after(self, marks: Mapping[str, float], total_s: float) -> "Pace":
        """Learn from a launch, by the seconds from its start to each scenario's end, and to its own.

        The first scenario's own seconds cannot be told from the start: it counts as the median of the others.

        >>> Pace().after({"a": 7.0, "b": 8.5, "c": 10.0}, 12.0)
        Pace(start_s=7.5, scenario_s={'a': 1.5, 'b': 1.5, 'c': 1.5})
        """
        if not marks:
            return self
        names, ends = list(marks), list(marks.values())
        taken = {name: end - before for name, end, before in zip(names[1:], ends[1:], ends, strict=False)}
        ordered = sorted(taken.values())
        first_s = ordered[len(ordered) // 2] if ordered else self.scenario_s.get(names[0], 0.0)
        taken = {names[0]: first_s, **taken}
        return Pace(start_s=max(0.0, total_s - sum(taken.values())), scenario_s={**self.scenario_s, **taken})


def covering_order(scenarios: Sequence[str]) -> list[str]:
    """Order scenarios so that any first few cover most: each benchmark's first size, its last, then those between.

    >>> covering_order(["bench_a[t-1]", "bench_a[t-2]", "bench_a[t-3]", "bench_b[t-1]"])
    ['bench_a[t-1]', 'bench_b[t-1]', 'bench_a[t-3]', 'bench_a[t-2]']
    """
    members: dict[str, list[str]] = {}
    for name in scenarios:
        members.setdefault(group_of_id(name), []).append(name)
    ranked = {
        name: (rank, place) for names in members.values() for place, (rank, name) in enumerate(_ends_first(names))
    }
    return sorted(scenarios, key=lambda name: ranked[name][0])


def _ends_first(names: Sequence[str]) -> list[tuple[int, str]]:
    """Rank names: the first, the last, then what lies between."""
    ends = [names[0], *([names[-1]] if len(names) > 1 else [])]
    return list(enumerate([*ends, *names[1:-1]]))


def launches_to_decide(limit: Limits = DEFAULT_LIMITS, noise: Noise | Prior = MEASURED) -> int:
    """Return how many launches, placebos among them, an unchanged scenario should take until it is OK.

    The first at which the one-sided limit of an estimate of 0 lies below the tolerance by one error of the estimate.
    """
    spread, state = (noise.spread, noise.state) if isinstance(noise, Prior) else (noise.spread, noise.state_sd)
    widening = noise.widening if isinstance(noise, Noise) else 1.0
    for number in range(2, MOST_LAUNCHES):
        placebos = sum(map(is_placebo, range(number)))
        real = number - placebos
        own = float(boundary(real, 0.05, PRIOR)) * spread * widening
        shared = float(boundary(real * placebos / number, 0.05, CONTRAST_PRIOR)) * state
        if math.hypot(own, shared) + spread / math.sqrt(real) < limit.tolerance and not is_placebo(number - 1):
            return number
    return MOST_LAUNCHES


def launches_holding(num_real: int, number: int) -> int:
    """Return how many launches, the first of this number, hold so many real ones.

    >>> launches_holding(3, 0), launches_holding(3, 2)
    (4, 3)
    """
    count = 0
    while num_real > 0:
        num_real -= not is_placebo(number + count)
        count += 1
    return count


def affordable(candidates: Sequence[str], pace: Pace, left_s: float, num_launches: int) -> list[str]:
    """Return as many of the first candidates as so many launches can measure in the time left."""
    for count in range(len(candidates), 0, -1):
        if num_launches * pace.launch_s(candidates[:count]) <= left_s:
            return list(candidates[:count])
    return []


def measured_in(number: int, chosen: Sequence[str], open_scenarios: Collection[str]) -> list[str]:
    """Choose what a launch measures: what is open, and in one launch of TURN what an open group has decided."""
    if number % TURN != TURN - 1:
        return [name for name in chosen if name in open_scenarios]
    groups = {group_of_id(name) for name in chosen if name in open_scenarios}
    return [name for name in chosen if group_of_id(name) in groups]
