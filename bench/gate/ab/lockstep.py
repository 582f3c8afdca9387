"""One launch of both sides: two workers that take turns, block by block, through the same scenarios.

Neither sets up, warms up or measures while the other does anything timed. A worker that is lost costs its scenario;
both are then started again for the rest.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.gate.ab.alike import compare_ready
from bench.gate.ab.channel import Block, Ended, Finish, Go, Ready, RunBlock, Warm, WarmUp
from bench.gate.ab.endings import BASE, HEAD, BaseFails, meaning, of_lost
from bench.gate.ab.known import Known
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.pair import DidNotStart, EndedEarly, Timeouts, Workers
from bench.gate.ab.worker_process import Project, Side, WorkerLost
from bench.gate.verdict import Verdict
from bench.harness.blocks import MIN_BLOCKS, balanced_orders, count_blocks
from bench.harness.measuring import scenario_of
from bench.harness.metrics import METRICS

MOST_FRUITLESS = 2  # starts in a row whose first scenario ended the worker: others would end so too
LEAST_KEPT = 0.5  # share of the blocks that must not have been throttled


@dataclass(frozen=True, kw_only=True)
class LaunchTerms:
    """On which terms one launch is run; a placebo has base's folder in both slots."""

    project: Project
    base: Side
    head: Side
    number: int  # from 0; the side that starts first alternates with it
    seed: int
    known: Known  # one for all launches
    budget_s: float  # clock time of one scenario's blocks, both sides together
    min_blocks: int = MIN_BLOCKS
    is_placebo: bool = False
    accepts_answers: bool = False  # that base and head answer differently; what differs is kept
    timeouts: Timeouts = field(default_factory=Timeouts)


def run_launch(terms: LaunchTerms, node_ids: Sequence[str]) -> Iterator[PairedLaunch | Trouble]:
    """Measure scenarios on both sides in lock-step, in the given order; those that base runs from its own tree last.

    Yields:
        One result a scenario, as soon as it is there. Closing the iterator, or any exception, kills both workers.
    """
    rng = random.Random(f"{terms.seed}:{terms.number}")
    yield from terms.known.again(node_ids)
    yield from _run(terms, terms.known.left(node_ids, on_own=False), rng, on_own=False)
    yield from terms.known.without_own(node_ids)
    yield from _run(terms, terms.known.left(node_ids, on_own=True), rng, on_own=True)


def _run(
    terms: LaunchTerms, node_ids: Sequence[str], rng: random.Random, *, on_own: bool
) -> Iterator[PairedLaunch | Trouble]:
    """Run scenarios with the project's bench/ and fixtures/ on both sides, or with base on its own tree."""
    known, remaining, fruitless = terms.known, list(node_ids), 0
    while remaining:
        scenario, is_first = "", True
        try:
            with Workers(_sides(terms, on_own), terms.project, terms.timeouts, remaining) as workers:
                lacking = _begin(workers, terms, remaining)
                for one in lacking.values():
                    yield from known.heard(one, on_own=on_own)
                remaining = [node_id for node_id in remaining if node_id not in lacking]
                while remaining:
                    scenario = scenario_of(remaining.pop(0))
                    yield from known.heard(_measure(workers, terms, scenario, rng), on_own=on_own)
                    is_first = False
        except DidNotStart as error:
            yield from known.not_started(remaining, error.lost, on_own=on_own, is_placebo=terms.is_placebo)
            return
        except WorkerLost as lost:
            if scenario:
                yield from known.heard(of_lost(scenario, lost, is_placebo=terms.is_placebo), on_own=on_own)
            fruitless = fruitless + 1 if is_first and lost.has_refused else 0
            if not scenario or fruitless == MOST_FRUITLESS:
                yield from known.not_started(remaining, {lost.side: lost}, on_own=on_own, is_placebo=terms.is_placebo)
                return


def _sides(terms: LaunchTerms, on_own: bool) -> list[Side]:
    """Return both sides, the one to start first before the other."""
    has_base = (terms.base, terms.head) if terms.is_placebo else (terms.base,)
    sides = [terms.known.on_own_tree(s) if on_own and s in has_base else s for s in (terms.base, terms.head)]
    return sides if terms.number % 2 == 0 else sides[::-1]


def _begin(workers: Workers, terms: LaunchTerms, node_ids: Sequence[str]) -> dict[str, Trouble | BaseFails]:
    """Have both run what both have collected; return, by node id, what one of them lacks."""
    found = workers.collected()
    why = "it does not collect the scenario; run pytest --collect-only there to see why"
    missing = {
        node_id: meaning(
            scenario_of(node_id),
            {name: Ended(outcome="failed", why=why) for name in lacking},
            is_placebo=terms.is_placebo,
        )
        for node_id in node_ids
        if (lacking := [name for name in (BASE, HEAD) if node_id not in found[name]])
    }
    workers.choose([node_id for node_id in node_ids if node_id not in missing])
    return missing


def _measure(
    workers: Workers, terms: LaunchTerms, scenario: str, rng: random.Random
) -> PairedLaunch | Trouble | BaseFails:
    """Run the next scenario on both sides.

    Raises:
        WorkerLost: if a worker dies or hangs.
    """
    try:
        ready = workers.set_up(Go(seed=_seed(terms, scenario)))
        if why := _other_work(ready):
            workers.abandon()
            return Trouble(scenario=scenario, verdict=Verdict.NOT_COMPARABLE, why=why)
        is_accepted = terms.accepts_answers
        unlike = compare_ready(scenario, ready[BASE], ready[HEAD], is_placebo=terms.is_placebo, is_accepted=is_accepted)
        if unlike and not (is_accepted and unlike.verdict is Verdict.CHANGED):
            workers.abandon()
            return unlike
        arms = [arm for arm in ready[HEAD].arms if arm in ready[BASE].arms]
        blocks = _counted(ready) or _timed(workers, terms, arms, rng)
    except EndedEarly as early:
        return meaning(scenario, early.ended, is_placebo=terms.is_placebo)
    ended = workers.in_turn(Finish(), Ended)
    if broken := {name: end for name, end in ended.items() if end.outcome != "passed"}:
        return meaning(scenario, broken, is_placebo=terms.is_placebo)
    result = _result(terms, scenario, ready[HEAD], arms, blocks)
    return replace(result, changed=unlike.why) if unlike and isinstance(result, PairedLaunch) else result


def _seed(terms: LaunchTerms, scenario: str) -> int:
    """Return what a scenario's samples are drawn by: other ones in each launch, the same on both sides."""
    return random.Random(f"{terms.seed}:{terms.number}:{scenario}").getrandbits(32)


def _other_work(ready: Mapping[str, Ready]) -> str:
    """Say in what base and head do not do the same; nothing where they do."""
    base, head = ready[BASE], ready[HEAD]
    if (base.metric, base.counts is None) != (head.metric, head.counts is None):
        return f"base and head do not measure the same: {base.metric} and {head.metric}"
    return "" if set(base.arms) & set(head.arms) else "base and head have no arm in common"


def _counted(ready: Mapping[str, Ready]) -> list[Mapping[str, Block]]:
    """Return what was counted as one block; nothing for a timed scenario."""
    block = {
        name: Block(seconds=side.counts, throttled=False) for name, side in ready.items() if side.counts is not None
    }
    return [block] if len(block) == len(ready) else []


def _timed(workers: Workers, terms: LaunchTerms, arms: Sequence[str], rng: random.Random) -> list[Mapping[str, Block]]:
    """Warm up, then alternate, on the same cores; the sides' order is as balanced as the arms'."""
    workers.share_cores(terms.number)
    warm = workers.in_turn(WarmUp(), Warm).values()
    num_blocks = count_blocks(terms.budget_s, sum(side.block_s for side in warm), terms.min_blocks)
    timeout_s = max(terms.timeouts.block_s, terms.timeouts.block_factor * max(side.block_s for side in warm))
    anchor_calls, is_brief = max(side.anchor_calls for side in warm), all(side.is_brief for side in warm)
    orders = balanced_orders(arms, num_blocks, rng)
    turns = balanced_orders((BASE, HEAD), num_blocks, rng)
    asked = (RunBlock(order=order, anchor_calls=anchor_calls, is_brief=is_brief) for order in orders)
    return [
        workers.in_turn(one, Block, timeout_s=timeout_s, turns=turn) for one, turn in zip(asked, turns, strict=True)
    ]


def _result(
    terms: LaunchTerms, scenario: str, ready: Ready, arms: Sequence[str], blocks: Sequence[Mapping[str, Block]]
) -> PairedLaunch | Trouble:
    """Keep the blocks in which neither side was throttled."""
    kept = [block for block in blocks if not any(side.throttled for side in block.values())]
    if len(kept) < LEAST_KEPT * len(blocks):
        why = f"the device was throttled in {len(blocks) - len(kept)} of {len(blocks)} blocks; let it cool"
        return Trouble(scenario=scenario, verdict=Verdict.UNFIT, why=why)
    return PairedLaunch(
        scenario=scenario,
        arms={
            arm: ([block[BASE].seconds[arm] for block in kept], [block[HEAD].seconds[arm] for block in kept])
            for arm in arms
        },
        is_placebo=terms.is_placebo,
        sign=METRICS[ready.metric].sign,
        counted=ready.counts is not None,
        metric=ready.metric,
        params=ready.params,
    )
