"""Figure of the history: MoE against dense of each scenario, promotion by promotion."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

from bench.gate.history import Move
from bench.gate.stats import Interval
from bench.pages.plots.style import COLOURS, INK, STYLE, panels, save

COLUMNS = 3
MOST_PANELS = 12  # more cannot be read side by side


def draw_history(series: Mapping[str, Sequence[Move]], path: Path) -> list[str]:
    """Draw a panel for each scenario: MoE / dense with its interval over launches, releases as dotted lines.

    Args:
        series: by scenario, from the oldest promotion; those without a dense twin are left out.
        path: of the figure; the folder is made.

    Returns:
        The scenarios drawn: of more than MOST_PANELS those that moved most.

    Raises:
        ValueError: if no scenario has a dense twin.
    """
    ratios = {name: [(p, p.ratio) for p in moves if p.ratio] for name, moves in series.items()}
    ranked = sorted(filter(ratios.__getitem__, ratios), key=lambda name: -_reach([r for _, r in ratios[name]]))
    if not ranked:
        raise ValueError("scenarios must have a dense twin to be drawn, got none that has; name others")
    drawn = [name for name in ratios if name in ranked[:MOST_PANELS]]
    columns = min(COLUMNS, len(drawn))
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure = panels(columns, math.ceil(len(drawn) / columns), width=1.25, height=0.8, same_y=False)
        for axes, name in itertools.zip_longest(figure.axes, drawn):
            if name is None:
                axes.set_axis_off()
                continue
            _draw(axes, ratios[name])
            axes.set_title(name, fontsize=7)
        save(figure, path)
    return drawn


def _reach(ratios: Sequence[Interval]) -> float:
    """Return the logarithm of the largest ratio over the smallest."""
    return math.log(max(r.estimate for r in ratios) / min(r.estimate for r in ratios))


def _draw(axes: Axes, ratios: Sequence[tuple[Move, Interval]]) -> None:
    promotions = [move.promotion for move, _ in ratios]
    values = [ratio.estimate for _, ratio in ratios]
    whiskers = [[r.estimate - r.low for _, r in ratios], [r.high - r.estimate for _, r in ratios]]
    places = range(len(ratios))
    axes.errorbar(places, values, whiskers, color=COLOURS[0], marker="o", markersize=3, linewidth=1.2, elinewidth=0.8)
    for place, (before, after) in enumerate(itertools.pairwise(promotions)):
        if before.release != after.release:
            axes.axvline(place + 0.5, color=INK, linestyle=":", linewidth=0.8)
    days = [promotion.date[5:10] for promotion in promotions]
    axes.set(ylabel="MoE / dense", xlim=(-0.5, len(ratios) - 0.5), xticks=places)
    axes.set_xticklabels(days, fontsize=7)
