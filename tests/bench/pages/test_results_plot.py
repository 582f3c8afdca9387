"""The figures of the speed-ups: what a panel holds, and a README's picture for a light and a dark page."""

import re
from pathlib import Path

import pytest

from bench.gate.stats import Interval
from bench.pages.plots.results import draw_covers, draw_speedups
from bench.pages.plots.style import DARK, LIGHT, Page
from bench.pages.results.gains import Gain


def gain(scale: str = "7b", *, batch_size: int = 1, **fields: object) -> Gain:
    plain = {
        "machine": "one",
        "benchmark": "bench_decode",
        "scale": scale,
        "params": {"scale": scale, "routing": "uniform", "batch_size": batch_size, "seq_len": 1024},
        "against": "dense",
        "metric": "tpot_s",
        "seconds": {"moe": 1.0, "dense": 2.0},
        "rates": {},
        "speedup": Interval(2.0, 1.9, 2.1),
        "predicted": 3.0,
        "floor_share": {},
        "distinct_experts": None,
        "depths": (),
        "check_error": 0.0,
    }
    return Gain(**{**plain, **fields})  # type: ignore[arg-type]


def words(path: Path) -> list[str]:
    """Return the text of an SVG whose text stayed text."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", path.read_text())


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, as WCAG 2 defines it."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_text_of_a_readme_picture_has_the_contrast_that_wcag_asks_of_small_print(page: Page) -> None:
    assert page.paper
    assert contrast(page.ink, page.paper) >= 7.0


def test_a_readme_picture_holds_7b_and_34b_on_its_own_paper(tmp_path: Path) -> None:
    path = tmp_path / "dark.svg"
    assert draw_covers([gain("7b"), gain("34b"), gain("tiny")], {path: DARK}) == [path]
    titles = [word for word in words(path) if "decode" in word]
    assert titles == ["7b, decode", "34b, decode"]
    drawn = path.read_text()
    assert str(DARK.paper) in drawn
    assert f"fill: {DARK.ink}" in drawn
    assert f"fill: {LIGHT.ink}" not in drawn


def test_without_7b_and_34b_no_readme_picture_is_drawn(tmp_path: Path) -> None:
    assert draw_covers([gain("tiny"), gain("7b", benchmark="bench_generate")], {tmp_path / "light.svg": LIGHT}) == []
    assert list(tmp_path.iterdir()) == []


def test_a_figure_names_no_version_for_the_next_one_would_change_it(tmp_path: Path) -> None:
    draw_speedups([gain()], [tmp_path / "figure.svg"])
    drawn = (tmp_path / "figure.svg").read_text()
    assert "Matplotlib" not in drawn
    assert not re.search(r"\b20\d\d-\d\d", drawn)


def test_what_is_extrapolated_says_so(tmp_path: Path) -> None:
    draw_speedups([gain(depths=(1, 2, 4))], [tmp_path / "figure.svg"])
    assert "7b, decode (extrapolated)" in words(tmp_path / "figure.svg")


def test_one_scale_on_two_machines_is_two_panels(tmp_path: Path) -> None:
    draw_speedups([gain(machine="one"), gain(machine="other")], [tmp_path / "figure.svg"])
    said = words(tmp_path / "figure.svg")
    assert [word for word in said if word in ("one", "other")] == ["one", "other"]
    assert said.count("times as fast as dense") == 2


def test_nothing_to_draw_is_an_error_that_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must hold prefill or decode under uniform routing with a dense arm"):
        draw_speedups([gain(against="dense_active")], [tmp_path / "figure.svg"])
