"""What launches have learned of the sides: what base runs from its own tree, and what no launch need try again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from bench.gate.ab.endings import BASE, HEAD, BaseFails
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.own_tree import WORKER, OwnTree
from bench.gate.ab.worker_process import Side, WorkerLost
from bench.gate.verdict import Verdict
from bench.harness.measuring import scenario_of
from bench.harness.wording import counted, listed

TOLD_AGAIN = 100  # first characters of a reason that stands in full elsewhere
NAMED = 3  # scenarios of a note


class Known:
    """One for all launches of a comparison."""

    def __init__(self, own: Callable[[], OwnTree]) -> None:
        """Begin with nothing; `own` tells of base's tree, and is asked once something fails on base."""
        self._own_tree = own
        self.failing: dict[str, str] = {}  # scenario -> why head's fails on base
        self.settled: dict[str, Trouble] = {}  # by scenario: it would end the same way in each launch
        self._told: dict[str, str] = {}  # reason -> scenario that it stands at in full

    def left(self, node_ids: Iterable[str], *, on_own: bool) -> list[str]:
        """Return those still to run: with head's scenarios on both sides, or with base on its own tree."""
        return [
            node_id
            for node_id in node_ids
            if (name := scenario_of(node_id)) not in self.settled and (name in self.failing) is on_own
        ]

    def again(self, node_ids: Iterable[str]) -> list[Trouble]:
        """Return what is settled of these."""
        return [self.settled[name] for name in map(scenario_of, node_ids) if name in self.settled]

    def on_own_tree(self, side: Side) -> Side:
        """Return a side of base that runs its own tree."""
        own = self._own_tree()
        return replace(side, folder=own.root, own=own)

    def sides_for(self, scenario: str, base: Side, head: Side) -> tuple[Side, Side]:
        """Return the sides that measure a scenario."""
        return (self.on_own_tree(base) if scenario in self.failing else base), head

    def without_own(self, node_ids: Iterable[str]) -> list[Trouble]:
        """Settle what fails on base with head's scenarios and that its own tree cannot run either."""
        names = [scenario_of(node_id) for node_id in self.left(node_ids, on_own=True)]
        return [self._of_base(name, *why) for name in names if (why := self._lacks(name))]

    def heard(self, result: PairedLaunch | Trouble | BaseFails, *, on_own: bool) -> list[PairedLaunch | Trouble]:
        """Return a result; where base fails with head's scenario, nothing: its own tree's is tried next."""
        if not isinstance(result, BaseFails):
            return [result]
        if not on_own:
            self.failing[result.scenario] = f"{'a wrong answer, ' if result.is_wrong else ''}{result.why}"
            return []
        if result.is_wrong:  # its time is that of another work
            why = f"base answers wrongly: {result.why}; nothing to compare with"
            return [self._settle(result.scenario, Verdict.NEW, why)]
        return [self._of_base(result.scenario, Verdict.NOT_COMPARABLE, f"base's own scenario fails: {result.why}")]

    def not_started(
        self, node_ids: Sequence[str], lost: Mapping[str, WorkerLost], *, on_own: bool, is_placebo: bool
    ) -> list[Trouble]:
        """Settle what a side that did not start was to run; base is then tried on its own tree. Head's goes first."""
        names = list(map(scenario_of, node_ids))
        if HEAD in lost and not is_placebo:
            return [self._settle(name, Verdict.FAILED, self._once(name, str(lost[HEAD]))) for name in names]
        base = lost.get(BASE) or lost[HEAD]
        if not on_own:
            self.failing |= dict.fromkeys(names, str(base))
            return []
        verdict = Verdict.FAILED if base.was_killed else Verdict.NOT_COMPARABLE
        why = f"base's own tree does not start: {base}"
        return [self._of_base(name, verdict, self._once(name, why)) for name in names]

    def notes(self) -> list[str]:
        """Say which scenarios base ran from its own tree, and why."""
        by_reason: dict[str, list[str]] = {}
        for name, why in self.failing.items():
            if name not in self.settled:
                by_reason.setdefault(why, []).append(name)
        return [
            f"base ran its own bench/ and fixtures/ for {some(names)}, for head's fail there: {why}"
            for why, names in by_reason.items()
        ]

    def _lacks(self, name: str) -> tuple[Verdict, str] | None:
        """Say why base's own tree cannot run a scenario; only what it is known not to have is NEW."""
        own = self._own_tree()
        if own.why:
            return Verdict.NOT_COMPARABLE, self._once(name, f"what base's own tree has is not known: {own.why}")
        if name not in own.node_ids:
            return Verdict.NEW, "base's own tree does not have it"
        if not own.has_worker:
            return Verdict.NOT_COMPARABLE, f"base's own tree has no worker, {WORKER.as_posix()}; take a later --base"
        return None

    def _of_base(self, name: str, verdict: Verdict, why: str) -> Trouble:
        failing = self._once(name, self.failing[name])
        return self._settle(name, verdict, f"{why}; head's scenario fails on it: {failing}")

    def _settle(self, name: str, verdict: Verdict, why: str) -> Trouble:
        self.settled[name] = Trouble(scenario=name, verdict=verdict, why=why)
        return self.settled[name]

    def _once(self, name: str, why: str) -> str:
        """Return a reason in full where it is first told, and else its beginning and where it stands."""
        first = self._told.setdefault(why, name)
        return why if name == first or len(why) <= TOLD_AGAIN else f"{why[:TOLD_AGAIN]}... (in full at {first})"


def some(names: Sequence[str]) -> str:
    """Name a few scenarios and count the rest.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more scenarios')
    """
    rest = [counted(len(names) - NAMED, "more scenario")] if len(names) > NAMED else []
    return listed([*names[:NAMED], *rest])
