"""Scenarios of records by the whole model that they tell of: how each was built, with the launches of all records."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from bench.gate.stats import block_log_ratios
from bench.harness.arms import ANCHOR, PRIMARY, is_peer
from bench.harness.record import Record, Scenario, differing_inputs
from bench.harness.recycled import DISTINCT_LAYERS, flaw
from bench.pages.depth_lines import LINE, line_flaw, straightened
from bench.pages.extrapolate import whole_id

DRAWN, READ = "bench_drawn_decode[", "bench_decode["  # the same step from a cache that was drawn, not read
PHASES = {"bench_decode": "decode", "bench_prefill": "prefill", "bench_generate": "whole answers"}

Seen = tuple[Scenario, Record]  # a scenario, and the run that measured it


class Built(NamedTuple):
    """What a scenario had of the model."""

    depth: int  # layers; 0 for all
    distinct_layers: int  # whose large weights all used in turn; 0 where each had its own
    is_drawn: bool  # the context
    line: tuple[int, ...] = ()  # the depths of one block through which it was drawn; empty of what was timed


class Family(NamedTuple):
    """What is known of one whole model beside one other arm, on one kind of machine."""

    name: str  # the scenario's id, without what was built
    against: str
    built: Mapping[Built, Seen]

    @property
    def phase(self) -> str:
        """Name the phase, one of PHASES."""
        return PHASES[_benchmark(self.name)]

    @property
    def chosen(self) -> list[Built]:
        """Choose what tells most: the whole model, the most distinct of recycled layers, a line of one block, slices.

        Of contexts that were drawn and read the one with more launches counts, of as many that which was read.
        """
        known = [one for one in self.built if not self.flaw_of(one)]
        whole = [one for one in known if not one.depth]
        if found := [one for one in whole if not one.line] or whole:
            return [max(found, key=self._worth)]
        own = [one for one in known if not one.distinct_layers]  # a recycled slice tells nothing of the whole
        return sorted(one for one in own if not one.is_drawn)

    def _worth(self, built: Built) -> tuple[float, int, bool]:
        return built.distinct_layers or math.inf, len(self.built[built][0].launch_ids), not built.is_drawn

    def flaw_of(self, built: Built) -> str:
        """Say why a time is not that of distinct layers; empty where it is."""
        facts = self.built[built][0].arms[PRIMARY].facts
        return flaw(facts) or line_flaw(facts)

    @property
    def launches(self) -> list[list[float]]:
        """Return log(rival / MoE) of each block of each launch; none of slices."""
        if len(self.chosen) != 1 or self.chosen[0].depth:
            return []
        arms = self.built[self.chosen[0]][0].arms
        pairs = zip(arms[self.against].launches, arms[PRIMARY].launches, strict=True)
        return [block_log_ratios(rival.samples, moe.samples) for rival, moe in pairs]


def families_of(records: Iterable[Record]) -> list[Family]:
    """Group the scenarios of records of one kind of machine; peers, counted ones and those of no phase are left out."""
    found: dict[tuple[str, str], dict[Built, Seen]] = {}
    for scenario, run in (
        (straightened(one) or one, record) for record in records for one in record.scenarios.values()
    ):
        for arm in _rivals(scenario):
            family = found.setdefault((whole_id(scenario.id).replace(DRAWN, READ), arm), {})
            built = _built(scenario)
            family[built] = _together(family.get(built), (scenario, run))
    return [Family(name, against, built) for (name, against), built in found.items()]


def _rivals(scenario: Scenario) -> Sequence[str]:
    if _benchmark(scenario.id.replace(DRAWN, READ)) not in PHASES or ANCHOR not in scenario.arms:
        return ()
    return [arm for arm in scenario.arms if arm not in (PRIMARY, ANCHOR) and not is_peer(arm)]


def _benchmark(scenario_id: str) -> str:
    return scenario_id.partition("[")[0]


def _built(scenario: Scenario) -> Built:
    facts = scenario.arms[PRIMARY].facts
    depth = int(facts.get("depth", 0))
    is_whole = depth == facts.get(f"full_depth_{PRIMARY}")
    line = tuple(int(facts[end]) for end in LINE if end in facts)
    return Built(0 if is_whole else depth, int(facts.get(DISTINCT_LAYERS, 0)), scenario.id.startswith(DRAWN), line)


def _together(earlier: Seen | None, later: Seen) -> Seen:
    """Put the launches of two records together; where they are not of the same work, the later one counts."""
    if earlier is None or not _is_same_work(earlier, later):
        return later
    before, after = earlier[0].arms, later[0].arms
    arms = {
        arm: structs.replace(series, launches=before[arm].launches + series.launches) for arm, series in after.items()
    }
    return Scenario(id=later[0].id, arms=arms), later[1]


def _is_same_work(earlier: Seen, later: Seen) -> bool:
    (one, first), (other, second) = earlier, later
    return (
        set(one.arms) == set(other.arms)
        and not set(one.launch_ids) & set(other.launch_ids)
        and not differing_inputs(one.arms[PRIMARY].hashes, other.arms[PRIMARY].hashes)
        and one.arms[PRIMARY].path == other.arms[PRIMARY].path
        and (first.ran_on, first.timing) == (second.ran_on, second.timing)
    )
