"""The figures of the speed-ups: what a panel holds, and a README's picture for a light and a dark page."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.gate.stats import Interval
from bench.pages.drawing import DARK, LIGHT, Page
from bench.pages.results.figures import speedup_figures
from bench.pages.results.gains import Gain
from bench.pages.results.predicted import Predicted
from tests.bench.pages.sample_gains import gains, scenario
from tests.contrast import contrast


def gain(scale: str = "7b", **fields: Any) -> Gain:
    (found,) = gains(scenario(1.0, 2.0, scale=scale))
    return replace(found, **{"predicted": 3.0, "speedup": Interval(2.0, 1.9, 2.1), **fields})


def drawn(folder: Path, *found: Gain, name: str = "speedups") -> str:
    path = folder / "figure.svg"
    speedup_figures(found, found)[name].save(path)
    return path.read_text()


def words(svg: str) -> list[str]:
    """Return the text of an SVG whose text stayed text."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_text_of_a_readme_picture_has_the_contrast_that_wcag_asks_of_small_print(page: Page) -> None:
    assert page.paper
    assert contrast(page.ink, page.paper) >= 7.0


def test_a_picture_lies_on_its_own_paper_in_its_own_ink(tmp_path: Path) -> None:
    svg = drawn(tmp_path, gain(), name="speedups-dark")
    assert str(DARK.paper) in svg
    assert f"fill: {DARK.ink}" in svg
    assert f"fill: {LIGHT.ink}" not in svg


def test_scales_and_phases_are_panels_the_shortest_name_first(tmp_path: Path) -> None:
    said = words(
        drawn(tmp_path, gain("34b"), gain("7b", phase="prefill"), gain("7b"), gain("7b", phase="whole answers"))
    )
    assert [word for word in said if "b, " in word] == ["7b, decode", "7b, prefill", "34b, decode"]


def test_nothing_is_drawn_where_no_gain_is_of_these_phases_against_the_twin() -> None:
    others = [gain(phase="whole answers"), gain(against="dense_active"), gain(routing="specialized:4")]
    assert speedup_figures(others, others) == {}


def test_the_readme_s_pictures_are_of_the_scales_that_are_asked_for_alone() -> None:
    assert list(speedup_figures([], [gain("tiny")])) == ["speedups"]
    assert list(speedup_figures([gain()], [gain(), gain("tiny")])) == ["speedups", "speedups-dark"]


def test_a_figure_names_no_version_for_the_next_one_would_change_it(tmp_path: Path) -> None:
    svg = drawn(tmp_path, gain())
    assert "Matplotlib" not in svg
    assert not re.search(r"\b20\d\d-\d\d", svg)


def test_what_is_extrapolated_says_so(tmp_path: Path) -> None:
    assert "7b, decode (extrapolated)" in words(drawn(tmp_path, gain(depths=(1, 2, 4))))


def test_one_scale_on_two_machines_is_two_panels(tmp_path: Path) -> None:
    said = words(drawn(tmp_path, gain(machine="one"), gain(machine="other")))
    assert [word for word in said if word in ("one", "other")] == ["one", "other"]
    assert said.count("times as fast as dense") == 2


def cell_of(one: Gain) -> Predicted:
    """Return a predicted cell of 512 requests."""
    return Predicted(
        machine=one.machine, scale="7b", phase="decode", length="1024", batch_size=512, against="dense",
        seconds={"moe": 1.0, "rival": 2.0}, speedup=2.0, nearest="8 x 1024", doublings=6.0, routing="uniform",
        floor_share={}, depths=(), error=None, why="",
    )  # fmt: skip


@pytest.mark.parametrize("scales", [("7b",), ("7b", "34b")])
def test_all_of_the_legend_lies_on_the_paper(scales: tuple[str, ...]) -> None:
    found = [gain(scale, length=str(length)) for length in (640, 1024, 2048, 4096) for scale in scales]
    figure = speedup_figures(found, found, [cell_of(found[0])])["speedups"].draw()
    figure.draw_without_rendering()
    (legend,) = figure.legends
    paper, taken = figure.bbox, legend.get_window_extent()
    assert len(legend.get_texts()) == 7
    assert paper.x0 <= taken.x0 < taken.x1 <= paper.x1
    assert paper.y0 <= taken.y0 < taken.y1 <= paper.y1


def test_predicted_cells_are_hollow_on_the_line_of_their_length_and_named(tmp_path: Path) -> None:
    found = [gain(batch_size=batch_size) for batch_size in (1, 8)]
    one = cell_of(found[0])
    path = tmp_path / "figure.svg"
    for predicted, is_said in (
        ([], False),
        ([one], True),
        ([replace(one, scale="34b"), replace(one, routing="paper-smoes")], True),
    ):
        speedup_figures(found, found, predicted)["speedups"].save(path)
        said = words(path.read_text())
        assert ("predicted" in said) is is_said
        assert ("512" in said) is (predicted == [one])
