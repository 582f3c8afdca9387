"""One launch of both sides: two workers that take turns, block by block, through the same scenarios.

Neither sets up, warms up or measures while the other does anything timed. A worker that is lost costs its scenario;
both are then started again for the rest.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.gate.ab.alike import compare_ready
from bench.gate.ab.channel import Block, Ended, Finish, Go, Ready, RunBlock, Warm, WarmUp
from bench.gate.ab.launches import PairedLaunch, Trouble
from bench.gate.ab.pair import EndedEarly, Timeouts, Workers
from bench.gate.ab.worker_process import Project, Side, WorkerLost
from bench.gate.verdict import SEVERITY, Verdict
from bench.harness.agreement import WrongAnswer
from bench.harness.blocks import MIN_BLOCKS, balanced_orders, count_blocks
from bench.harness.measuring import scenario_of
from bench.harness.metrics import METRICS

BASE, HEAD = "base", "head"
WRONG = WrongAnswer.__name__  # an answer that did not agree with the oracle's
OUT_OF_MEMORY = ("OutOfMemoryError", "MemoryError")  # torch's and Python's: never taken for a scenario that base lacks
NOTHING_MEASURED = "it ended without measuring; a scenario must call paired.measure or paired.observe once"
LEAST_KEPT = 0.5  # share of the blocks that must not have been throttled


@dataclass(frozen=True, kw_only=True)
class LaunchTerms:
    """On which terms one launch is run; a placebo has base's folder in both slots."""

    project: Project
    base: Side
    head: Side
    number: int  # from 0; the side that starts first alternates with it
    seed: int
    budget_s: float  # clock time of one scenario's blocks, both sides together
    min_blocks: int = MIN_BLOCKS
    is_placebo: bool = False
    accepts_answers: bool = False  # that base and head answer differently; what differs is kept
    timeouts: Timeouts = field(default_factory=Timeouts)


def run_launch(terms: LaunchTerms, node_ids: Sequence[str]) -> Iterator[PairedLaunch | Trouble]:
    """Measure scenarios on both sides in lock-step, in the given order.

    Yields:
        One result a scenario, as soon as it is there. Closing the iterator, or any exception, kills both workers.
    """
    rng = random.Random(f"{terms.seed}:{terms.number}")
    sides = (terms.base, terms.head) if terms.number % 2 == 0 else (terms.head, terms.base)
    remaining = list(node_ids)
    while remaining:
        scenario = ""
        try:
            with Workers(sides, terms.project, terms.timeouts, files_of(remaining)) as workers:
                missing = _begin(workers, terms, remaining)
                yield from missing.values()
                remaining = [node_id for node_id in remaining if node_id not in missing]
                while remaining:
                    scenario = scenario_of(remaining.pop(0))
                    yield _measure(workers, terms, scenario, rng)
        except WorkerLost as lost:
            if not scenario:
                yield from (_not_started(node_id, lost, terms) for node_id in remaining)
                return
            yield Trouble(scenario=scenario, verdict=Verdict.FAILED, why=str(lost))


def _begin(workers: Workers, terms: LaunchTerms, node_ids: Sequence[str]) -> dict[str, Trouble]:
    """Have both run what both have collected; return, by node id, what one of them lacks."""
    found = workers.collected()
    why = "it does not collect the scenario; run pytest --collect-only there to see why"
    missing = {
        node_id: _worst(scenario_of(node_id), {name: Ended(outcome="failed", why=why) for name in lacking}, terms)
        for node_id in node_ids
        if (lacking := [name for name in (BASE, HEAD) if node_id not in found[name]])
    }
    workers.choose([node_id for node_id in node_ids if node_id not in missing])
    return missing


def _measure(workers: Workers, terms: LaunchTerms, scenario: str, rng: random.Random) -> PairedLaunch | Trouble:
    """Run the next scenario on both sides.

    Raises:
        WorkerLost: if a worker dies or hangs.
    """
    try:
        ready = workers.in_turn(Go(seed=_seed(terms, scenario)), Ready)
        is_accepted = terms.accepts_answers
        unlike = compare_ready(scenario, ready[BASE], ready[HEAD], is_placebo=terms.is_placebo, is_accepted=is_accepted)
        if unlike and not (is_accepted and unlike.verdict is Verdict.CHANGED):
            workers.abandon()
            return unlike
        arms = [arm for arm in ready[HEAD].arms if arm in ready[BASE].arms]
        blocks = _counted(ready) or _timed(workers, terms, arms, rng)
    except EndedEarly as early:
        return _worst(scenario, early.ended, terms)
    ended = workers.in_turn(Finish(), Ended)
    if broken := {name: end for name, end in ended.items() if end.outcome != "passed"}:
        return _worst(scenario, broken, terms)
    result = _result(terms, scenario, ready[HEAD], arms, blocks)
    return replace(result, changed=unlike.why) if unlike and isinstance(result, PairedLaunch) else result


def _seed(terms: LaunchTerms, scenario: str) -> int:
    """Return what a scenario's samples are drawn by: other ones in each launch, the same on both sides."""
    return random.Random(f"{terms.seed}:{terms.number}:{scenario}").getrandbits(32)


def _counted(ready: Mapping[str, Ready]) -> list[Mapping[str, Block]]:
    """Return what was counted as one block; nothing for a timed scenario."""
    block = {
        name: Block(seconds=side.counts, throttled=False) for name, side in ready.items() if side.counts is not None
    }
    return [block] if len(block) == len(ready) else []


def _timed(workers: Workers, terms: LaunchTerms, arms: Sequence[str], rng: random.Random) -> list[Mapping[str, Block]]:
    """Warm up, then alternate; the sides' order is as balanced as the arms'."""
    warm = workers.in_turn(WarmUp(), Warm).values()
    num_blocks = count_blocks(terms.budget_s, sum(side.block_s for side in warm), terms.min_blocks)
    timeout_s = max(terms.timeouts.block_s, terms.timeouts.block_factor * max(side.block_s for side in warm))
    anchor_calls = max(side.anchor_calls for side in warm)
    orders = balanced_orders(arms, num_blocks, rng)
    turns = balanced_orders((BASE, HEAD), num_blocks, rng)
    return [
        workers.in_turn(RunBlock(order=order, anchor_calls=anchor_calls), Block, timeout_s=timeout_s, turns=turn)
        for order, turn in zip(orders, turns, strict=True)
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


def files_of(node_ids: Sequence[str]) -> list[str]:
    """Return the files that hold the scenarios, each once.

    >>> files_of(["a.py::x", "b.py::y", "a.py::z"])
    ['a.py', 'b.py']
    """
    return list(dict.fromkeys(node_id.partition("::")[0] for node_id in node_ids))


def _not_started(node_id: str, lost: WorkerLost, terms: LaunchTerms) -> Trouble:
    """Say why nothing was run. A base that refuses to start lacks the package, or what scenarios import of it."""
    refused = lost.code is not None and lost.code > 0
    verdict = Verdict.FAILED if _is_heads(lost.side, terms) or not refused else Verdict.NEW
    return Trouble(scenario=scenario_of(node_id), verdict=verdict, why=str(lost))


def _worst(scenario: str, ended: Mapping[str, Ended], terms: LaunchTerms) -> Trouble:
    """Return the more severe of the sides' endings; of a wrong head it says whether base is wrong too."""
    troubles = [_of_end(scenario, name, end, is_heads=_is_heads(name, terms)) for name, end in ended.items()]
    worst = max(troubles, key=lambda trouble: SEVERITY[trouble.verdict])
    if worst.verdict is Verdict.WRONG and BASE in ended and ended[BASE].error == WRONG:
        return replace(worst, why=f"{worst.why}; base answers wrongly too: {ended[BASE].why}")
    return worst


def _of_end(scenario: str, name: str, end: Ended, *, is_heads: bool) -> Trouble:
    """Say what a side's ending means: what base cannot run is new, and so is what it answers wrongly."""
    verdict, why = Verdict.FAILED if is_heads else Verdict.NEW, f"{name}: {end.why or NOTHING_MEASURED}"
    if end.outcome == "skipped":
        verdict = Verdict.UNFIT  # two copies do not fit the device
    elif end.error == WRONG and is_heads:
        verdict = Verdict.WRONG
    elif end.error in OUT_OF_MEMORY:
        verdict = Verdict.FAILED
    if end.error == WRONG and not is_heads:
        why = f"base answers wrongly: {end.why}; nothing to compare with"
    return Trouble(scenario=scenario, verdict=verdict, why=why)


def _is_heads(name: str, terms: LaunchTerms) -> bool:
    """Tell whether a side runs head's package: a placebo has base's in both slots."""
    return name == HEAD and not terms.is_placebo
