"""The page about trained twins: a row for each number of a variant, over its seeds."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.gate.stats import Interval, mean_interval
from bench.pages.provenance import Source
from bench.pages.twins.documents import COEF, Setting, Twin
from bench.pages.twins.figures import twin_figures, with_most_twins
from bench.pages.write import Content

REFERENCE = "plain"  # the MoE that the variants of SMoES are compared with
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
    minus_plain: (
        Interval | None
    )  # of MSI, seed by seed: same data in the same order; one seed in common gives no bounds


def twins_page(document: Path, settings: Sequence[Setting]) -> Content:
    """Return what the page holds.

    Args:
        document: that the settings were read from.
        settings: at least one.
    """
    rows = [row for setting in settings for row in values(setting)]
    reach = [name for name in dict.fromkeys(row.measure for row in rows) if name in SPLITS or name.startswith(STYLE)]
    figured = with_most_twins(settings)
    origin = Source(files=(document,), machine="", peaks="")
    facts = {"settings": settings, "rows": rows, "reach": reach, "figured": figured.name, "sources": [origin]}
    return Content("twins/template.md", facts, {"values": rows}, twin_figures(figured))


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
            )


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
    if routing := twin.get("routing"):
        msi = routing["msi"]
        found |= {MSI: fmean(msi), LOAD: fmean(routing["imbalance"]), "MSI, last minus first layer": msi[-1] - msi[0]}
        found |= {f"MSI, layer {layer}": value for layer, value in enumerate(msi)}
    found |= {f"accuracy, {name}": one["estimate"] for name, one in twin["accuracy"].items()}
    return found | {f"{STYLE}{name}": one["estimate"] for name, one in twin.get("styles", {}).items()}
