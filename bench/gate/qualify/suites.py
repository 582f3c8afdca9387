"""What is kept of measured suites: launches in numbers small enough to commit, rich enough to be judged again.

The gate needs one log ratio an arm. Rules that others use need blocks: each side keeps its mean and at most
BLOCKS_KEPT of its blocks, as thousandths above or below base's mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate.ab.changes import is_judged, launch_changes
from bench.gate.ab.launches import PairedLaunch

RECORD = Path("records/qualify.jsonl")  # of a project, where no other is named
SAME_MACHINE = ("device", "device_model", "device_count", "cpu_model", "cpu_count", "torch", "transformers")
DIGITS = 6  # of a log ratio, after the point: a millionth is far below any spread between launches
BLOCKS_KEPT = 24  # of a side in a launch, evenly chosen; ten launches then have 240
PER_MILLE = 1000


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What head is, beside base; unchanged code where nothing is said."""

    injected: Mapping[str, float] = field(default_factory=dict)  # arm of head -> factor of its time
    change: str = ""  # name of the revision that is head

    @property
    def is_unchanged(self) -> bool:
        """Tell whether head is base."""
        return not self.injected and not self.change

    def __str__(self) -> str:
        """Return the kind as tables write it: `moe +5 %`."""
        arms = ", ".join(f"{arm} {100 * (factor - 1):+g} %" for arm, factor in self.injected.items())
        return self.change or arms or "unchanged"


UNCHANGED = Kind()


class Sample(NamedTuple):
    """One arm of one scenario in one launch."""

    ratio: float  # log(head / base), above 0 where head is worse: what the gate judges
    base_mean: float = 0.0  # over all blocks; 0 of what is not judged
    head_mean: float = 0.0
    base_blocks: Sequence[int] = ()  # thousandths of base's mean, less 1000
    head_blocks: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One scenario in one launch."""

    end_s: float  # since the launch began
    arms: Mapping[str, Sample] = field(default_factory=dict)  # none where it met trouble
    verdict: str = ""  # of a trouble
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One launch of all scenarios of a suite, in the order of measurement."""

    number: int
    is_placebo: bool
    started: str  # ISO 8601
    seconds: float  # from start to exit
    load: float  # average over a minute, when it began
    scenarios: Mapping[str, Measured]

    def paired(self, scenario: str) -> PairedLaunch:
        """Return what the gate judges of a scenario, as if it had been measured in a single block."""
        blocks = {arm: ((1.0,), (math.exp(sample.ratio),)) for arm, sample in self.scenarios[scenario].arms.items()}
        return PairedLaunch(
            scenario=scenario, arms=blocks, is_placebo=self.is_placebo, number=self.number, sign=1.0, counted=False
        )


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Launches of base and one head."""

    number: int  # of the suite in its record; the seed of its orders
    kind: Kind
    base: str  # commit
    head: str
    setup_s: float  # to collect scenarios and lay out the sources
    launches: Sequence[Launch] = ()


@dataclass(frozen=True, kw_only=True)
class Qualification:
    """All suites of one machine over the same scenarios."""

    machine: Mapping[str, Any]
    scenarios: Sequence[str]
    arguments: Sequence[str]  # pytest's
    num_launches: int  # of a whole suite, placebos among them
    suites: Sequence[Suite] = ()

    @property
    def whole(self) -> list[Suite]:
        """Return the suites with all of their launches."""
        return [suite for suite in self.suites if len(suite.launches) >= self.num_launches]

    def of_kind(self, kind: Kind) -> list[Suite]:
        """Return the whole suites of one kind."""
        return [suite for suite in self.whole if suite.kind == kind]

    @property
    def kinds(self) -> list[Kind]:
        """Return the kinds of which a suite is whole, unchanged code first."""
        found = [suite.kind for suite in self.whole]
        distinct = [kind for place, kind in enumerate(found) if kind not in found[:place]]
        return sorted(distinct, key=lambda kind: not kind.is_unchanged)


def condense(launch: PairedLaunch, end_s: float) -> Measured:
    """Keep what verdicts and rules need of a timed scenario."""
    samples = {}
    for control, ratio in launch_changes(launch).items():
        base, head = launch.arms[control.arm]
        kept = _kept(base, head) if is_judged(control) else ()
        samples[control.arm] = Sample(round(ratio, DIGITS), *kept)
    return Measured(end_s=round(end_s, 2), arms=samples)


def _kept(base: Sequence[float], head: Sequence[float]) -> tuple[float, float, list[int], list[int]]:
    base_mean, head_mean = (float(f"{sum(side) / len(side):.6g}") for side in (base, head))
    return base_mean, head_mean, _in_mille(base, base_mean), _in_mille(head, base_mean)


def _in_mille(blocks: Sequence[float], unit: float) -> list[int]:
    return [round(PER_MILLE * (value / unit - 1)) for value in _evenly(blocks)]


def _evenly(values: Sequence[float]) -> list[float]:
    """Choose at most BLOCKS_KEPT."""
    step = max(1.0, len(values) / BLOCKS_KEPT)
    return [values[int(step * place)] for place in range(min(len(values), BLOCKS_KEPT))]
