"""The figure: all its text is readable, each kind of mark is named once, twins by name on the front."""

import itertools
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from bench.pages.drawing import PANEL_INCHES, STYLE
from bench.pages.pareto.documents import Tier, read_tiers
from bench.pages.pareto.figures import WIDTH, front_figure
from bench.pages.pareto.labels import Label, place_labels
from bench.pages.pareto.marks import shortened
from bench.pages.pareto.points import AXES
from tests.bench.pages.sample_supplied import supplied, supplied_tier
from tests.bench.pages.sample_twins import document, entry

VARIANTS = {"dense": 0.8, "dense_active": 0.6, "plain": 0.7, "smoes-attention": 0.65, "smoes-gaussian": 0.5}
SIZES = {"small": (200.0, 1000), "medium": (100.0, 2000)}  # throughput and parameters
LONG = "organisation-of-mine/checkpoint-with-a-rather-long-name-0123"  # 60 characters


def drawn(tier: Tier) -> Figure:
    with mpl.rc_context(STYLE):
        figure = front_figure(tier, AXES[0])
        figure.draw_without_rendering()
        return figure


def shown(figure: Figure) -> dict[Text, Bbox]:
    """Return every text that is visible, with its box without its leader, in pixels."""
    renderer: Any = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return {text: text_box(text, renderer) for text in texts}


def text_box(text: Text, renderer: Any) -> Bbox:
    if isinstance(text, Annotation):
        text.update_positions(renderer)
    return Text.get_window_extent(text, renderer)


def twins_tier(folder: Path, tasks: tuple[str, ...]) -> Tier:
    """Return every variant at both sizes on each task; a medium twin is more accurate by a tenth."""
    twins = [
        {**entry(variant, seed, accuracy + 0.1 * (size == "medium"), rate), "task": task, "size": size,
         "num_parameters": total, "num_active_parameters": total // (1 if variant.startswith("dense") else 2),
         "blind": {"all": {"estimate": 0.2}}}
        for task in tasks for size, (rate, total) in SIZES.items()
        for variant, accuracy in VARIANTS.items() for seed in range(2)
    ]  # fmt: skip
    return read_tiers([document(folder, twins)])["measured"]


@pytest.mark.parametrize("num_models", [2, 9])
def test_long_names_are_whole_in_the_legend_and_shortened_at_their_points(tmp_path: Path, num_models: int) -> None:
    kinds = itertools.cycle(("moe", "dense"))
    models = [
        supplied(f"{LONG[:-1]}{number}", next(kinds), [1.0, number / 9], 50.0 + 10 * number)
        for number in range(num_models)
    ]
    figure = drawn(supplied_tier(tmp_path, *models))
    boxes = shown(figure)
    said = ["".join(text.get_text().split()) for text in boxes]
    assert all(model["variant"] in said for model in models)  # in the legend, in full
    assert all(shortened(model["variant"]) in said for model in models)  # at its point
    (legend,) = [legend.get_window_extent() for legend in figure.legends]
    assert not any(legend.overlaps(axes.bbox) for axes in figure.axes)
    assert figure.axes[0].bbox.width > 0.7 * WIDTH * PANEL_INCHES[0] * figure.dpi  # the legend takes no room from it


def test_five_panels_of_twins_name_the_front_alone(tmp_path: Path) -> None:
    tasks = ("charts", "documents", "easy-vqa", "problems", "mathematics")
    figure = drawn(twins_tier(tmp_path, tasks))
    boxes = shown(figure)
    assert {axes.get_title() for axes in figure.axes} >= set(tasks)
    # Of ten twins a panel, only two are on the front: the most accurate, and of the faster ones their most accurate.
    named = [text.get_text() for text in boxes if isinstance(text, Annotation)]
    assert sorted(named) == ["dense medium"] * 5 + ["dense small"] * 5


def test_each_kind_of_mark_is_named_under_its_title(tmp_path: Path) -> None:
    (legend,) = drawn(twins_tier(tmp_path, ("charts",))).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        r"$\bf{variant}$", *VARIANTS, r"$\bf{kind}$", "dense", "MoE", "SMoES", r"$\bf{size}$", "small", "medium",
        r"$\bf{standing}$", "on the front", "not on the front", "front, by estimates", "95 % interval",
    ]  # fmt: skip


def test_labels_cover_neither_one_another_nor_a_marker() -> None:
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    points = [(5 + 0.3 * column, 5 + 0.4 * row) for column, row in itertools.product(range(3), range(3))]
    unlabelled = [(5.5, 6.6), (4.5, 5.4)]
    labels = [Label("medium", x, y, "#808080") for x, y in points]
    for x, y in (*points, *unlabelled):
        axes.plot(x, y, marker="o")
    axes.plot([0.0, 10.0], [5.0, 5.0])
    place_labels(axes, labels)
    texts = {text: box for text, box in shown(figure).items() if isinstance(text, Annotation)}
    assert len(texts) == len(points)
    boxes = [box.padded(-0.5) for box in texts.values()]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    markers = [Bbox.from_bounds(*axes.transData.transform(marker), 0, 0).padded(3) for marker in (*points, *unlabelled)]
    assert not any(box.overlaps(marker) for box in boxes for marker in markers)
    assert all(axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 for box in texts.values())


def test_a_label_keeps_off_an_interval_beside_its_point() -> None:
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    axes.plot(5, 5, marker="o")
    axes.plot([2.0, 8.0], [5.0, 5.0])
    axes.plot([5.0, 5.0], [2.0, 8.0])
    place_labels(axes, [Label("medium", 5, 5, "#808080")])
    (box,) = [box for text, box in shown(figure).items() if isinstance(text, Annotation)]
    x, y = axes.transData.transform((5, 5))
    assert not box.x0 < x < box.x1
    assert not box.y0 < y < box.y1


def test_a_label_at_an_edge_stays_within_its_panel() -> None:
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    axes.plot(9.9, 9.95, marker="o")
    place_labels(axes, [Label("medium", 9.9, 9.95, "#808080")])
    (box,) = [box for text, box in shown(figure).items() if isinstance(text, Annotation)]
    assert box.x1 <= axes.bbox.x1
    assert box.y1 <= axes.bbox.y1


def test_one_seed_and_unfinished_ones_are_marked_and_the_legend_says_how(tmp_path: Path) -> None:
    twins = [{**entry("plain", seed, 0.7, 100.0), "transition": None if seed else 900} for seed in range(2)]
    twins += [{**entry("dense", 0, 0.8, 50.0), "transition": 800}]
    figure = drawn(read_tiers([document(tmp_path, twins)])["measured"])
    crosses = [line for line in figure.axes[0].lines if line.get_marker() in ("x", "+")]
    marks = {str(line.get_marker()): tuple(map(round, np.ravel(line.get_xydata()))) for line in crosses}
    assert marks == {"x": (50, 80), "+": (100, 70)}
    (legend,) = figure.legends
    told = {text.get_text() for text in legend.get_texts()}
    assert {"one seed: not ranked", "some seeds unfinished"} <= told
    all_began = drawn(read_tiers([document(tmp_path, [{**twin, "transition": 900} for twin in twins])])["measured"])
    assert "some seeds unfinished" not in {text.get_text() for text in all_began.legends[0].get_texts()}
