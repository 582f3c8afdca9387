"""The page about accuracy against throughput: standings, pairs, and what each front leaves to choose, by tier."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.pages.drawing import Drawing
from bench.pages.grouping import grouped
from bench.pages.pareto.documents import Tier
from bench.pages.pareto.figures import front_figure
from bench.pages.pareto.front import Placed, Standing, place, steps
from bench.pages.pareto.pairs import Pair, judged_together, pairs
from bench.pages.pareto.points import AXES, TITLES, TRAINED
from bench.pages.provenance import Source
from bench.pages.write import Content

COLUMNS = (  # of a point, in its CSV table
    *("tier", "task", "split", "name", "kind", "num_parameters", "num_active_parameters", "num_samples", "accuracy"),
    *("blind", "unparsed_rate", "basis", "throughput", "source"),
)


class Choice(NamedTuple):
    """What a front leaves to choose."""

    best: Placed  # the most accurate
    fastest: Placed  # of those whose interval of accuracy reaches its

    @property
    def times(self) -> float:
        """Return how many times the requests/s of the best the fastest makes."""
        return self.fastest.rate.estimate / self.best.rate.estimate


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What there is to say of one tier, by request throughput."""

    tier: Tier
    placed: Sequence[Placed]  # task by task, the fastest first
    pairs: Sequence[Pair]
    matches: Sequence[Sequence[Pair]]  # those of two models together
    choices: Sequence[Choice]  # one of each front


def pareto_page(tiers: Mapping[str, Tier]) -> Content:
    """Return what the page holds of tiers by name."""
    found = {name: facts_of(tier) for name, tier in tiers.items()}
    figures = {
        f"{name}-{axis.replace('_', '-')}": Drawing(functools.partial(front_figure, tier, axis))
        for name, tier in tiers.items()
        for axis in AXES
    }
    origins = [origin for tier in tiers.values() for origin in tier.origins]
    sources = [Source(files=origin.paths, machine=origin.machine, peaks="") for origin in origins]
    facts = {"tiers": found, "titles": TITLES, "sources": sources}
    return Content("pareto/template.md", facts, rows(found.values()), figures)


def facts_of(tier: Tier) -> Facts:
    """Return what there is to say of a tier."""
    fastest_first = sorted(tier.points, key=lambda point: -point.throughput[AXES[0]].estimate)
    placed = [place([point for point in fastest_first if point.task == task], AXES[0]) for task in tier.tasks]
    found = judged_together([pair for task in tier.tasks for pair in pairs(tier.of(task), AXES[0])])
    return Facts(
        tier=tier,
        placed=[one for of_task in placed for one in of_task],
        pairs=found,
        matches=grouped(found, lambda pair: (pair.point.name, pair.against.name)),
        choices=[_choice(front[0], of_task) for of_task in placed for front in steps(of_task)],
    )


def _choice(best: Placed, of_task: Sequence[Placed]) -> Choice:
    fast = [one for one in of_task if one.point in best.ties[:1] and one.rate.estimate > best.rate.estimate]
    return Choice(best, next(iter(fast), best))


def rows(facts: Iterable[Facts]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows of the CSV tables, in which accuracies are shares."""
    tiers = list(facts)
    return {
        "models": [_model_row(one) for of_tier in tiers for one in of_tier.placed],
        "pairs": [_pair_row(pair) for of_tier in tiers for pair in of_tier.pairs],
    }


def _model_row(one: Placed) -> Mapping[str, Any]:
    return {
        **{name: getattr(one.point, name) for name in COLUMNS},
        "seed": {
            s: accuracy.estimate for s, accuracy in one.point.accuracy_by_seed.items() if one.point.tier == TRAINED
        },
        "seeds_unfinished": one.point.num_unfinished if one.point.transitions else "",
        "ranked_at_req_per_s": "" if one.standing is Standing.UNRANKED else one.rate.estimate,
        "standing": one.standing.value,
        "behind": one.rival.name if one.rival else "",
        "as_fast_and_overlapping": "; ".join(tie.name for tie in one.ties),
    }


def _pair_row(pair: Pair) -> Mapping[str, Any]:
    return {
        **{name: getattr(pair.point, name) for name in ("tier", "task", "name", "kind")},
        "against": pair.against.name,
        "difference": pair.difference,
        "num_seeds": pair.num_seeds if pair.point.tier == TRAINED else "",
        "times_req_per_s": pair.speedup,
        "outcome": pair.outcome,
        "p_of_all_together": "" if pair.p_value is None else pair.p_value,
        "excluded_beyond": "" if pair.excluded is None else pair.excluded,
        "of_finished": pair.finished.interval() if pair.finished else None,
        "of_finished_excluded_beyond": pair.finished.excluded if pair.finished else "",
    }
