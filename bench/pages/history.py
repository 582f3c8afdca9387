"""Figure of the history: MoE against dense of each scenario, promotion by promotion."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.gate.history import Move
from bench.gate.ledger import CONTROL, NUMERATOR
from bench.gate.stats import Interval
from bench.pages.drawing import COLOURS, INK, Drawing, named, panels, whiskers

MOST_PANELS = 12  # more cannot be read side by side
MOST_DATES = 10  # below a panel

LABELS = {CONTROL: "MoE / dense", NUMERATOR: "MoE"}

Line = Sequence[tuple[Move, Interval]]  # what is followed of a scenario, at each promotion


def draw_history(series: Mapping[str, Sequence[Move]], path: Path) -> list[str]:
    """Draw a panel for each scenario: what is followed of it over the promotions, releases as dotted lines.

    Args:
        series: by scenario, from the oldest promotion; those of which nothing is followed are left out.
        path: of the figure; the folder is made.

    Returns:
        The scenarios drawn: of more than MOST_PANELS those that moved most.

    Raises:
        ValueError: if nothing is followed.
    """
    lines = {name: [(move, move.followed) for move in moves if move.followed] for name, moves in series.items()}
    ranked = sorted(filter(lines.__getitem__, lines), key=lambda name: -_reach(lines[name]))
    if not ranked:
        raise ValueError("scenarios must have a dense twin to be drawn, got none that has; name others")
    drawn = {name: line for name, line in lines.items() if name in ranked[:MOST_PANELS]}
    Drawing(lambda: _figure(drawn)).save(path)
    return list(drawn)


def _reach(line: Line) -> float:
    """Return the logarithm of the largest ratio over the smallest."""
    estimates = [followed.estimate for _, followed in line]
    return math.log(max(estimates) / min(estimates))


def _figure(lines: Mapping[str, Line]) -> Figure:
    figure = panels(len(lines), columns=3, width=1.25, height=0.8)
    for axes, (name, line) in zip(figure.axes, lines.items(), strict=True):
        _draw(axes, line)
        axes.set_title(named(name))
    return figure


def _draw(axes: Axes, line: Line) -> None:
    promotions, ratios = [move.promotion for move, _ in line], [followed for _, followed in line]
    places, values = range(len(line)), [ratio.estimate for ratio in ratios]
    axes.errorbar(places, values, whiskers(ratios), color=COLOURS[0], marker="o", markersize=3, lw=1.2, elinewidth=0.8)
    for place, (before, after) in enumerate(itertools.pairwise(promotions)):
        if before.release != after.release:
            axes.axvline(place + 0.5, color=INK, linestyle=":", linewidth=0.8)
    axes.set(ylabel=LABELS[line[-1][0].control], xlim=(-0.5, len(line) - 0.5))
    step = -(-len(promotions) // MOST_DATES)
    axes.set_xticks(places[::step], [named(one.date[5:10]) for one in promotions[::step]])
