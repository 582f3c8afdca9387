"""What the lock-step hands to the verdicts: a scenario measured on both sides in one launch, or why it was not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.gate.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class PairedLaunch:
    """One scenario in one launch of both sides."""

    scenario: str
    arms: Mapping[str, tuple[Sequence[float], Sequence[float]]]  # arm -> (base, head), index = block; per unit
    is_placebo: bool  # base in both slots
    number: int = 0  # of the launch
    sign: float  # 1.0 where lower is better, -1.0 where higher is
    counted: bool  # a number such as bytes, not timed: one block, no noise
    metric: str = ""  # name of what the values are, for reports
    params: Mapping[str, str] = field(default_factory=dict)  # axis of the matrix -> value, for reports
    changed: str = ""  # in what head answers otherwise than base, where that is accepted


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A scenario that could not be compared in this launch."""

    scenario: str
    # NEW: base cannot run it or is wrong; WRONG: head is; FAILED; UNFIT: no memory, throttled; NOT_COMPARABLE: inputs,
    # libraries, kernels; CHANGED: head answers otherwise
    verdict: Verdict
    why: str
