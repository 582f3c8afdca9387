"""Every figure of the documents reads where it is shown: text of 9 px in GitHub's column, contrast, whiskers told."""

import re
from pathlib import Path

import pytest

from bench.pages.drawing import DARK, LIGHT
from tests.contrast import contrast

ROOT = Path(__file__).parents[1]
FIGURES = sorted(ROOT.glob("docs/images/*.svg"))
COLUMN_PX = 820  # of text on GitHub; a wider image is scaled down to it, a narrower one is not scaled up
LEAST_PX = 9.0
PX_A_POINT = 96 / 72  # of CSS
OF_TEXT, OF_MARKS = 4.5, 3.0  # contrast that WCAG 2.1 asks of text (1.4.3) and of graphics (1.4.11)
DRAWN_BLOCK = re.compile(r"<clipPath.*?</clipPath>|<image.*?/>", re.S)
WHISKERS = {  # what a figure with whiskers says of them; one that has none is not here
    "pareto-measured": "95 % interval",
    "pareto-published": "accuracy ±4 points",
    "results-speedups": "95 % interval",
    "specialization-msi": "95 % interval",
    "twins-msi": "of the seeds",
    "twins-scores": "middle 80 %",
}


def scale(svg: str) -> float:
    """Return how many CSS pixels a unit of the drawing is in the column."""
    width_pt, box = re.search(r'width="([\d.]+)pt"', svg), re.search(r'viewBox="0 0 ([\d.]+) ', svg)
    assert width_pt
    assert box
    return min(COLUMN_PX, float(width_pt[1]) * PX_A_POINT) / float(box[1])


def paper(svg: str) -> str:
    """Return the colour of what is drawn first, and covers all."""
    first = re.search(r'<g id="patch_1">\s*<path d="M 0 [^"]*"\s*style="fill: (#[0-9a-f]{6})"', svg)
    assert first, "a figure must lie on paper of its own"
    return first[1]


def texts(svg: str) -> list[str]:
    """Return the styles of all text: of an element, or of the pieces that a formula's is made of."""
    return [
        style for part in re.findall(r"<text.*?</text>", svg, re.S) for style in re.findall(r'style="([^"]*)"', part)
    ]


def test_there_are_figures() -> None:
    assert {path.stem.partition("-")[0] for path in FIGURES} == {"pareto", "results", "specialization", "twins"}


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_text_is_large_enough_in_githubs_column(path: Path) -> None:
    svg = path.read_text()
    sizes = [float(px) for style in texts(svg) for px in re.findall(r"([\d.]+)px", style)]
    assert len(sizes) >= svg.count("<text")
    assert min(sizes) * scale(svg) >= LEAST_PX, (min(sizes), scale(svg))


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_text_and_marks_stand_out_from_their_paper(path: Path) -> None:
    svg = path.read_text()
    ground = paper(svg)
    assert ground in (LIGHT.paper, DARK.paper)
    inks = {ink for style in texts(svg) for ink in re.findall(r"fill: (#\w{6})", style)}
    whole = DRAWN_BLOCK.sub("", svg)
    marks = {ink for ink in re.findall(r"stroke: (#\w{6})", whole) if ink != "#ffffff"}  # white divides bins
    assert inks
    assert marks
    assert {ink: contrast(ink, ground) for ink in inks if contrast(ink, ground) < OF_TEXT} == {}
    assert {ink: contrast(ink, ground) for ink in marks if contrast(ink, ground) < OF_MARKS} == {}


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_whiskers_and_bands_are_told_in_the_figure(path: Path) -> None:
    has_bars = bool(re.search(r'<g id="(LineCollection_\d+">\s*<path|FillBetween)', path.read_text()))
    told = [said for name, said in WHISKERS.items() if path.stem.startswith(name)]
    assert bool(told) or not has_bars
    assert all(said in path.read_text() for said in told)


def test_the_headline_figure_is_of_the_scales_that_are_asked_about() -> None:
    for name in ("results-speedups", "results-speedups-dark"):
        svg = (ROOT / "docs" / "images" / f"{name}.svg").read_text()
        titles = re.findall(r">((?:\w+), (?:decode|prefill)[^<]*)<", svg)
        assert {title.partition(",")[0] for title in titles} == {"7b", "34b"}


def test_a_model_of_one_seed_is_marked_where_it_is_drawn() -> None:
    assert "one seed: not ranked" in (ROOT / "docs" / "images" / "pareto-measured-req-per-s.svg").read_text()
