"""Figures of trained twins: specialization, scores and bins by layer, and the loss."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.pages.plots.style import COLOURS, INK, STYLE, panels, save
from bench.pages.twins.documents import Twin
from bench.pages.twins.measures import by_layer

MODALITY_COLOURS = {"text": COLOURS[0], "vision": COLOURS[1]}

Variants = Mapping[str, Sequence[Twin]]


def draw_twins(variants: Variants, paths: Mapping[str, Path]) -> None:
    """Draw every figure of trained twins.

    Args:
        variants: the twins of each variant.
        paths: of the files, by title; those of FIGURES.

    Raises:
        ValueError: no variant is an MoE.
    """
    routed = {variant: twins for variant, twins in variants.items() if len(by_layer(twins, "msi"))}
    if not routed:
        raise ValueError(f"twins must hold an MoE to draw its routing, got {', '.join(variants)}; train one")
    with mpl.rc_context(STYLE):
        for title, (_, draw) in FIGURES.items():
            paths[title].parent.mkdir(parents=True, exist_ok=True)
            save(draw(routed if draw in OF_ROUTING else variants), paths[title])


def draw_specialization(variants: Variants) -> Figure:
    """Draw the Modality Specialization Index by layer: mean over seeds, whiskers from the lowest to the highest."""
    figure = panels(1, width=1.7)
    (axes,) = figure.axes
    num_layers = by_layer(next(iter(variants.values())), "msi").shape[1]
    offsets = np.linspace(-0.12, 0.12, len(variants))
    for (variant, twins), colour, offset in zip(variants.items(), itertools.cycle(COLOURS), offsets, strict=False):
        msi = by_layer(twins, "msi")
        mean = msi.mean(axis=0)
        spread = np.maximum(0.0, (mean - msi.min(axis=0), msi.max(axis=0) - mean))  # rounding may put a mean outside
        axes.errorbar(
            np.arange(num_layers) + offset, mean, spread,
            color=colour, marker="o", markersize=3, linewidth=1.2, elinewidth=0.8, label=variant,
        )  # fmt: skip
    axes.set(xlabel="MoE layer", ylabel="MSI", ylim=(0, 1.02), xticks=range(num_layers))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_training(variants: Variants) -> Figure:
    """Draw the task's loss while training: mean over seeds, each step's batch alone, so it wobbles."""
    figure = panels(1, width=1.7)
    (axes,) = figure.axes
    colours, dashes = itertools.cycle(COLOURS), itertools.cycle(("-", "--", ":"))
    for variant, twins in variants.items():
        # an MoE has one colour in all figures; dense models share one and are told apart by their lines
        colour, line = (next(colours), "-") if "routing" in twins[0] else (INK, next(dashes))
        logs = [twin["log"] for twin in twins if twin.get("log")]
        if logs:
            loss = np.array([[entry["task_loss"] for entry in log] for log in logs]).mean(axis=0)
            steps = [entry["step"] for entry in logs[0]]
            axes.plot(steps, loss, color=colour, linestyle=line, linewidth=1.2, label=variant)
    axes.set(xlabel="step", ylabel="task loss, nats", ylim=(0, None))
    if axes.lines:  # a run of fewer steps than are logged has none
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_scores(variants: Variants) -> Figure:
    """Draw soft scores by depth, of the first seed: median and band from the 10th to the 90th percentile."""
    soft = {variant: twins for variant, twins in variants.items() if variant.startswith("smoes")} or variants
    figure = panels(len(soft))
    for axes, (variant, twins) in zip(figure.axes, soft.items(), strict=True):
        layers = twins[0]["routing"]["scores"]
        for modality, colour in MODALITY_COLOURS.items():
            low, middle, high = np.array([layer[modality] for layer in layers]).T
            axes.fill_between(range(len(layers)), low, high, color=colour, alpha=0.25, linewidth=0)
            axes.plot(range(len(layers)), middle, color=colour, marker="o", markersize=3, label=f"{modality} tokens")
        axes.set(title=variant, xlabel="MoE layer", ylim=(-0.03, 1.03), xticks=range(len(layers)))
    figure.axes[0].set_ylabel("score: share of text")
    figure.axes[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_bins(variants: Variants) -> Figure:
    """Draw each expert's share of text by layer, of the first seed; experts bin by bin, bins divided by lines."""
    figure = panels(len(variants), width=0.8)
    bars = list(figure.axes)
    image = None
    for axes, (variant, twins) in zip(bars, variants.items(), strict=True):
        routing = twins[0]["routing"]
        layers = [_bin_by_bin(*layer) for layer in zip(routing["text_share"], routing["bins"], strict=True)]
        image = axes.imshow(np.array(layers), cmap="coolwarm_r", vmin=0, vmax=1, aspect="auto")
        _divide_bins(axes, routing["bins"][0])
        axes.set(title=variant, xlabel="expert, in order of bins", xticks=[], yticks=range(len(layers)))
    bars[0].set_ylabel("MoE layer")
    if image is not None:
        figure.colorbar(image, ax=bars, label="share of text", fraction=0.04, pad=0.02)
    return figure


def _bin_by_bin(text_share: Sequence[float], bins: Sequence[int] | None) -> list[float]:
    """Order experts by bin, and by share within a bin; by share alone where there are no bins."""
    order = sorted(range(len(text_share)), key=lambda expert: (bins[expert] if bins else 0, text_share[expert]))
    return [text_share[expert] for expert in order]


def _divide_bins(axes: Axes, bins: Sequence[int] | None) -> None:
    size = bins.count(0) if bins else 0
    for edge in range(size, len(bins or ()), size or 1):
        axes.axvline(edge - 0.5, color="white", linewidth=0.6)


OF_ROUTING = (draw_specialization, draw_scores, draw_bins)
FIGURES: Mapping[str, tuple[str, Callable[[Variants], Figure]]] = {  # title -> the file's name, and what draws it
    "MSI by layer, means over seeds; whiskers from the lowest to the highest": (
        "specialization_by_layer",
        draw_specialization,
    ),
    "Soft scores by layer, of the first seed: median, and the middle 80 % of tokens": ("scores_by_layer", draw_scores),
    "Share of text among the tokens that an expert serves, of the first seed; lines divide bins": ("bins", draw_bins),
    "Task loss while training, means over seeds": ("training", draw_training),
}
