"""Specialization against what it may bring: accuracy, time of a layer, tokens that leave their device, by twin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import fmean
from typing import Any

import scipy
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.pages.drawing import COLOURS, beside, named, panels
from bench.pages.twins.documents import COEF, Setting, Twin

LEAST = 5  # twins that a correlation is told of
MARKERS = "osD^vP*X"


def _layer(phase: str) -> Callable[[Twin], float | None]:
    def seconds(twin: Twin) -> float | None:
        return 1e3 * twin["layer_s"][phase]["estimate"] if phase in twin.get("layer_s", {}) else None

    return seconds


def _crossing(twin: Twin) -> float | None:
    return 100 * fmean(twin["routing"]["crossing"]) if "crossing" in twin["routing"] else None


QUANTITIES: Mapping[str, Callable[[Twin], float | None]] = {  # as an axis names them -> of a twin, where it is told
    "accuracy, %": lambda twin: 100 * float(twin["accuracy"]["all"]["estimate"]),
    "ms a layer, prefill": _layer("prefill"),
    "ms a layer, decode": _layer("decode"),
    "leave their device, %": _crossing,
}


@dataclass(frozen=True, kw_only=True)
class Relation:
    """How far a quantity rises with MSI over the twins of a setting that have a specialization loss."""

    setting: str
    quantity: str
    num_twins: int
    rank_correlation: float  # Spearman 1904
    p_value: float


def _msi(twin: Twin) -> float:
    return fmean(twin["routing"]["msi"])


def relations(setting: Setting) -> list[Relation]:
    """Return what there is to say of seeds and weights of the loss; of few twins, or where nothing varies, nothing."""
    lossy = [twin for twin in setting.twins if COEF in twin and "routing" in twin]
    found = []
    for quantity, of in QUANTITIES.items():
        pairs = [(_msi(twin), value) for twin in lossy if (value := of(twin)) is not None]
        if len(pairs) >= LEAST and all(len(set(values)) > 1 for values in zip(*pairs, strict=True)):
            msi, values = zip(*pairs, strict=True)
            told: Any = scipy.stats.spearmanr(list(msi), list(values))
            found.append(
                Relation(
                    setting=setting.name,
                    quantity=quantity,
                    num_twins=len(pairs),
                    rank_correlation=float(told.statistic),
                    p_value=float(told.pvalue),
                )
            )
    return found


def draw_relations(variants: Mapping[str, Sequence[Twin]]) -> Figure:
    """Draw every quantity that is told against MSI, a mark a twin, a colour and shape a variant."""
    moes = [twin for twins in variants.values() for twin in twins]
    shown = {name: of for name, of in QUANTITIES.items() if any(of(twin) is not None for twin in moes)}
    figure = panels(len(shown))
    looks = dict(zip(variants, zip(cycle(COLOURS), cycle(MARKERS), strict=False), strict=False))
    for axes, (name, of) in zip(figure.axes, shown.items(), strict=True):
        for variant, twins in variants.items():
            told = [(_msi(twin), value) for twin in twins if (value := of(twin)) is not None]
            colour, marker = looks[variant]
            axes.plot(*zip(*told, strict=True), color=colour, marker=marker, markersize=4, linestyle="none", alpha=0.8)
        axes.set(xlabel="MSI", ylabel=name)
    beside(figure, [_mark(variant, *looks[variant]) for variant in variants])
    return figure


def _mark(variant: str, colour: str, marker: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, markersize=4, linestyle="none", label=named(variant))
