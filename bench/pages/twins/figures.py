"""Figures of trained twins' routing: specialization, scores and bins by layer."""

import functools
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.pages.drawing import COLOURS, INK, Drawing, beside, named, panels, whisker
from bench.pages.twins.documents import Setting, Twin
from bench.pages.twins.relations import draw_relations

Variants = Mapping[str, Sequence[Twin]]

BINS_COLUMNS = 3  # panels of bins beside one another


def with_most_twins(settings: Sequence[Setting]) -> Setting:
    """Choose the setting whose figures are drawn: of those with an MoE, if any; of several alike the first."""
    return max(settings, key=lambda setting: (bool(_routed(setting)), len(setting.twins)))


def _routed(setting: Setting) -> Variants:
    """Keep the variants that are MoEs."""
    return {variant: twins for variant, twins in setting.variants.items() if "routing" in twins[0]}


def twin_figures(setting: Setting) -> dict[str, Drawing]:
    """Return the figures of a setting's MoEs; none without any."""
    moes = _routed(setting)
    drawn = {"relations": draw_relations, "msi": draw_msi, "scores": draw_scores, "bins": draw_bins}
    return {name: Drawing(functools.partial(draw, moes)) for name, draw in drawn.items() if moes}


def draw_msi(variants: Variants) -> Figure:
    """Draw the Modality Specialization Index by layer: mean over seeds, whiskers from the lowest to the highest."""
    figure = panels(1, width=1.7)
    (axes,) = figure.axes
    offsets = np.linspace(-0.12, 0.12, len(variants))
    for (variant, twins), colour, offset in zip(variants.items(), itertools.cycle(COLOURS), offsets, strict=False):
        msi = np.array([twin["routing"]["msi"] for twin in twins])  # (seeds, layers)
        mean = msi.mean(axis=0)
        spread = np.maximum(0.0, (mean - msi.min(axis=0), msi.max(axis=0) - mean))  # rounding may put a mean outside
        axes.errorbar(
            np.arange(len(mean)) + offset, mean, spread,
            color=colour, marker="o", markersize=3, linewidth=1.2, elinewidth=0.8, label=named(variant),
        )  # fmt: skip
    axes.set(xlabel="MoE layer", ylabel="MSI", ylim=(0, 1.02), xticks=range(len(mean)))
    beside(figure, [*axes.get_legend_handles_labels()[0], whisker("least to greatest\nof the seeds")])
    return figure


def draw_scores(variants: Variants) -> Figure:
    """Draw soft scores by depth, of the first seed: median and band from the 10th to the 90th percentile."""
    soft = {variant: twins for variant, twins in variants.items() if variant.startswith("smoes")} or variants
    figure = panels(len(soft), same_y=True)
    for axes, (variant, twins) in zip(figure.axes, soft.items(), strict=True):
        layers = twins[0]["routing"]["scores"]
        for modality, colour in zip(("text", "vision"), COLOURS, strict=False):
            low, middle, high = np.array([layer[modality] for layer in layers]).T
            axes.fill_between(range(len(layers)), low, high, color=colour, alpha=0.25, linewidth=0)
            axes.plot(range(len(layers)), middle, color=colour, marker="o", markersize=3, label=f"{modality} tokens")
        axes.set(title=named(variant), xlabel="MoE layer", ylim=(-0.03, 1.03), xticks=range(len(layers)))
        axes.set_ylabel("score: share of text")
    band = Patch(color=INK, alpha=0.25, label="middle 80 %\nof the tokens")
    beside(figure, [*figure.axes[-1].get_legend_handles_labels()[0], band])
    return figure


def draw_bins(variants: Variants) -> Figure:
    """Draw each expert's share of text by layer, of the first seed; experts bin by bin, bins divided by lines."""
    figure = panels(len(variants), columns=BINS_COLUMNS, width=0.9, height=0.8, same_y=True)
    for axes, (variant, twins) in zip(figure.axes, variants.items(), strict=True):
        routing = twins[0]["routing"]
        layers = [_bin_by_bin(*layer) for layer in zip(routing["text_share"], routing["bins"], strict=True)]
        axes.imshow(np.array(layers), cmap="coolwarm_r", vmin=0, vmax=1, aspect="auto")
        bins = routing["bins"][0] or [0]
        for edge in range(bins.count(0), len(bins), bins.count(0)):
            axes.axvline(edge - 0.5, color="white", linewidth=0.6)
        axes.set(title=named(variant), xlabel="expert, in order of bins", xticks=[], yticks=range(len(layers)))
        axes.set_ylabel("MoE layer")
    figure.colorbar(figure.axes[0].images[0], ax=figure.axes, label="share of text", fraction=0.04, pad=0.02)
    return figure


def _bin_by_bin(text_share: Sequence[float], bins: Sequence[int] | None) -> list[float]:
    """Order experts by bin, and by share within a bin; by share alone where there are no bins."""
    order = sorted(range(len(text_share)), key=lambda expert: (bins[expert] if bins else 0, text_share[expert]))
    return [text_share[expert] for expert in order]
