"""The page about trained twins: a row for each number of a variant, over its seeds."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from bench.contrasts import Contrast, holm
from bench.gate.stats import Interval, mean_interval
from bench.pages.provenance import Source
from bench.pages.twins.documents import COEF, Setting, Twin
from bench.pages.twins.figures import twin_figures, with_most_twins
from bench.pages.twins.learning import learned
from bench.pages.twins.power import PLANNED_PICTURES, PLANNED_SEEDS, power_of
from bench.pages.twins.relations import relations
from bench.pages.write import Content

REFERENCE = "plain"  # the MoE that the variants of SMoES are compared with
LEVEL = 0.05  # of all comparisons of a page together
MSI, LOAD = "MSI", "load"
LIMITS = {MSI: 1.0, LOAD: math.inf}  # what has an interval here, and how far it can go; accuracy's is on its own page
SPLITS, STYLE = ("accuracy, all", "accuracy, main split", "accuracy, hard split"), "accuracy, style "


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number of a variant of a setting, over its seeds."""

    task: str
    size: str
    variant: str
    measure: str
    seeds: int
    mean: float
    low: float | None  # Student's 95 % limits, where LIMITS has the measure
    high: float | None
    least: float
    greatest: float
    without_sight: float | None  # the accuracy of guessing from the question alone
    of_seed: Mapping[int, float]
    minus_plain: Interval | None  # of MSI, seed by seed: same data in the same order; one in common gives no bounds
    p_value: float | None  # of no difference to plain; of a page, over all of its settings and variants together

    @property
    def outcome(self) -> str:
        """Say whether its MSI is told apart from plain's: more, less or open."""
        if self.minus_plain is None or self.p_value is None or self.p_value >= LEVEL:
            return "open"
        return "more" if self.minus_plain.estimate > 0 else "less"


def twins_page(documents: Sequence[Path], settings: Sequence[Setting]) -> Content:
    """Return what the page holds.

    Args:
        documents: that the settings were read from.
        settings: at least one.
    """
    rows = judged_together([row for setting in settings for row in values(setting)])
    reach = [name for name in dict.fromkeys(row.measure for row in rows) if name in SPLITS or name.startswith(STYLE)]
    figured = with_most_twins(settings)
    origins = [Source(files=(document,), machine="", peaks="") for document in documents]
    steps = [row for setting in settings for row in learned(setting, REFERENCE)]
    related = [relation for setting in settings for relation in relations(setting)]
    powers = [power for setting in settings if (power := power_of(setting))]
    facts = {
        "settings": settings,
        "rows": rows,
        "reach": reach,
        "figured": figured.name,
        "learned": steps,
        "powers": powers,
        "planned": (PLANNED_SEEDS, PLANNED_PICTURES),
        "relations": related,
        "sources": origins,
    }
    tables: dict[str, Sequence[Any]] = {"values": rows, "learned": steps, "power": powers, "relations": related}
    return Content("twins/template.md", facts, tables, twin_figures(figured))


def judged_together(rows: Sequence[Value]) -> list[Value]:
    """Return rows with p values that hold over all that have one (Holm)."""
    held = iter(holm([row.p_value for row in rows if row.p_value is not None]))
    return [row if row.p_value is None else replace(row, p_value=next(held)) for row in rows]


def values(setting: Setting) -> Iterator[Value]:
    """Yield a row for each number that twins of a variant have."""
    plain = _by_seed(setting.variants.get(REFERENCE, ())).get(MSI, {})
    guesses = {f"accuracy, {name}": guess["estimate"] for name, guess in setting.twins[0]["blind"].items()}
    for variant, twins in setting.variants.items():
        for measure, of_seed in _by_seed(twins).items():
            found = [*of_seed.values()]
            mean = mean_interval(found)
            is_compared = measure == MSI and variant != REFERENCE
            differences = [number - plain[seed] for seed, number in of_seed.items() if is_compared and seed in plain]
            yield Value(
                task=setting.task,
                size=setting.size,
                variant=variant,
                measure=measure,
                seeds=len(found),
                mean=mean.estimate,
                low=max(mean.low, 0.0) if measure in LIMITS else None,
                high=min(mean.high, LIMITS[measure]) if measure in LIMITS else None,
                least=min(found),
                greatest=max(found),
                without_sight=guesses.get(measure),
                of_seed=of_seed,
                minus_plain=mean_interval(differences) if differences else None,
                p_value=_p_value(differences) if len(differences) > 1 else None,
            )


def _p_value(differences: Sequence[float]) -> float:
    """Return the two-sided p of Student's test that their mean is 0."""
    error = float(np.std(differences, ddof=1)) / math.sqrt(len(differences))
    return Contrast(difference=fmean(differences), error=error, freedom=len(differences) - 1.0).p_value


def _by_seed(twins: Iterable[Twin]) -> dict[str, dict[int, float]]:
    """Return each measure by seed, of the twins that have it."""
    found: dict[str, dict[int, float]] = {}
    for twin in twins:
        for measure, number in numbers(twin).items():
            found.setdefault(measure, {})[twin["seed"]] = number
    return found


def numbers(twin: Twin) -> dict[str, float]:
    """Return a twin's numbers by measure; of the routing the mean over layers where none is named."""
    found = {"parameters": twin["num_parameters"], "active parameters": twin["num_active_parameters"]}
    found |= {"processor time, s": twin["cpu_s"], **({"weight of the loss": twin[COEF]} if COEF in twin else {})}
    if twin.get("log"):
        found["last task loss, nats"] = twin["log"][-1]["task_loss"]
    found |= {f"layer in {phase}, s": one["estimate"] for phase, one in twin.get("layer_s", {}).items()}
    if routing := twin.get("routing"):
        msi = routing["msi"]
        found |= {MSI: fmean(msi), LOAD: fmean(routing["imbalance"]), "MSI, last minus first layer": msi[-1] - msi[0]}
        found |= {f"MSI, layer {layer}": value for layer, value in enumerate(msi)}
        found |= {"leave their device": fmean(routing["crossing"])} if "crossing" in routing else {}
    if twin.get("transition") is not None:
        found["began to look, step"] = twin["transition"]
    found |= {f"accuracy, {name}": one["estimate"] for name, one in twin["accuracy"].items()}
    return found | {f"{STYLE}{name}": one["estimate"] for name, one in twin.get("styles", {}).items()}
