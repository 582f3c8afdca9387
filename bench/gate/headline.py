"""What happened to each arm, in a sentence that a reviewer would say: `MoE decode 6 % slower, prefill unchanged`."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.gate.groups import SUITE
from bench.gate.judging import is_of_neighbour
from bench.gate.stats import Interval, percent
from bench.gate.verdict import SEVERITY, TOLERANCE_CAP, Change, ScenarioVerdict, Verdict
from bench.harness.arms import PRIMARY, TWIN
from bench.harness.wording import listed, span

ARMS = {PRIMARY: "MoE", TWIN: "dense"}  # as the sentence calls them
MOVED = {Verdict.REGRESSED: "slower", Verdict.IMPROVED: "faster"}
SAID = {**MOVED, Verdict.OK: "unchanged"}
UNDECIDED = "undecided"


class Told(NamedTuple):
    """What is said of one arm in one group."""

    group: str  # as groups.py names it, or the suite
    arm: str  # as the sentence calls it
    interval: Interval  # log ratio; above 0 is slower
    verdict: Verdict

    @property
    def benchmark(self) -> str:
        """Return the group without its scale."""
        return self.group.partition(" at ")[0]

    @property
    def word(self) -> str:
        """Say in a word what happened; an unchanged that could hide what the cap forbids is undecided."""
        hides = self.verdict is Verdict.OK and not self.interval.high <= TOLERANCE_CAP
        return UNDECIDED if hides else SAID.get(self.verdict, UNDECIDED)


def headline(told: Iterable[Told]) -> str:
    """Say what happened to each arm, in the order in which arms come; empty if nothing was judged.

    >>> slower, same = Interval(0.06, 0.04, 0.08), Interval(0.0, -0.01, 0.01)
    >>> decode = Told("decode at tiny", "MoE", slower, Verdict.REGRESSED)
    >>> prefill = Told("prefill at tiny", "MoE", same, Verdict.OK)
    >>> headline([decode, prefill, Told("suite", "dense", same, Verdict.OK)])
    'MoE decode 6 % slower, prefill unchanged, dense unchanged'

    What is the same of all arms is said once:

    >>> headline([decode, decode._replace(arm="dense", interval=Interval(0.08, 0.06, 0.1))])
    'MoE and dense 6 to 8 % slower'
    """
    by_arm: dict[str, list[Told]] = {}
    for one in told:
        by_arm.setdefault(one.arm, []).append(one)
    if len({tuple((one.group, one.word) for one in found) for found in by_arm.values()}) == 1:
        return f"{listed(by_arm)} {_of_arm([one for found in by_arm.values() for one in found])}"
    said = [f"{arm} {_of_arm(found)}" for arm, found in by_arm.items()]
    return ("; " if any("," in one for one in said[1:]) else ", ").join(said)


def tell(groups: Iterable[ScenarioVerdict], scenarios: Sequence[ScenarioVerdict] = ()) -> list[Told]:
    """Return what verdicts on groups say of each arm: by its most severe ratio, against the twin before the anchor.

    One scenario alone makes no group, and speaks for itself.
    """
    judged = list(groups) or (scenarios if len(scenarios) == 1 else [])
    told = []
    for arm, name in ARMS.items():
        for group in judged:
            if found := [change for change in group.changes if change.control.arm == arm]:
                worst = max(found, key=lambda change: SEVERITY[change.verdict])
                told.append(Told(group.scenario, name, worst.interval, _blamed(worst, group.changes)))
    return told


def _blamed(change: Change, group: Iterable[Change]) -> Verdict:
    """Return the change's verdict, undecided where the arm may be no more than the neighbour of the slower one."""
    most = max(one.interval.estimate for one in group)
    is_cooled = change.verdict is Verdict.REGRESSED and is_of_neighbour(change.interval.estimate, most)
    return Verdict.INCONCLUSIVE if is_cooled else change.verdict


def _of_arm(told: Sequence[Told]) -> str:
    """Say what happened to one arm: all at once where all is alike, else by benchmark, what moved first."""
    whole = [one for one in told if one.group == SUITE]
    parts = [one for one in told if one.group != SUITE]
    words = {one.word for one in told}
    if not parts or len(words) == 1:
        return _moved(whole or parts)
    overall = [f"{_moved(whole)} overall"] if any(one.verdict in MOVED for one in whole) else []
    by_word: dict[str, list[str]] = {}
    for what, found in _alike(parts):
        by_word.setdefault(_moved(found), []).append(what)
    ranked = sorted(by_word, key=lambda said: (said == SAID[Verdict.OK], said == UNDECIDED))
    return ", ".join([*overall, *(f"{listed(by_word[said])} {said}" for said in ranked)])


def _alike(parts: Sequence[Told]) -> list[tuple[str, list[Told]]]:
    """Join the scales of a benchmark of which the same is said."""
    words: dict[str, set[str]] = {}
    for one in parts:
        words.setdefault(one.benchmark, set()).add(one.word)
    joined: dict[str, list[Told]] = {}
    for one in parts:
        joined.setdefault(one.benchmark if len(words[one.benchmark]) == 1 else one.group, []).append(one)
    return list(joined.items())


def _moved(told: Sequence[Told]) -> str:
    """Say in percent how far something moved, from the least to the greatest where several did."""
    word = told[0].word
    if word not in MOVED.values():
        return word
    sizes = [abs(percent(one.interval.estimate)) for one in told]
    return f"{span(sizes, '.0f')} % {word}"
