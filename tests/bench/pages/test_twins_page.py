"""The page about trained twins: its figures, its command, what is refused, and the committed page."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.pages.plots.twins import FIGURES, OF_ROUTING, draw_training, draw_twins
from bench.pages.twins.documents import Setting, Twin, read_settings
from bench.pages.twins.page import with_most_twins
from tests.bench.pages.sample_twins import TRAINED, trained, write

ROOT = Path(__file__).parents[3]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    (found,) = read_settings(write(tmp_path))
    return found


def drawn(variants: Mapping[str, Sequence[Twin]], folder: Path) -> dict[str, Path]:
    paths = {title: folder / f"{name}.svg" for title, (name, _) in FIGURES.items()}
    draw_twins(variants, paths)
    return paths


def test_every_figure_is_drawn_the_same_each_time(setting: Setting, tmp_path: Path) -> None:
    first, second = (drawn(setting.variants, tmp_path / name) for name in "ab")
    assert list(first) == list(FIGURES)
    for one, other in zip(first.values(), second.values(), strict=True):
        assert one.read_bytes() == other.read_bytes()
    texts = [path.read_text() for path in first.values()]
    assert all(
        "MoE layer" in text for text, (_, draw) in zip(texts, FIGURES.values(), strict=True) if draw in OF_ROUTING
    )
    assert "dense" in texts[-1]
    assert all(variant in texts[0] for variant in ("plain", "smoes-attention"))
    assert "dense" not in texts[0]


def test_figures_are_of_the_setting_with_the_most_twins(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, [trained("dense", 0, task="documents"), *TRAINED]))
    assert with_most_twins(settings).name == "charts, small"
    dense = [trained("dense", seed, task="documents") for seed in range(9)]
    assert with_most_twins(read_settings(write(tmp_path, [*dense, *TRAINED]))).name == "charts, small"


def test_the_command_writes_the_page_beside_its_figures(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "new" / "page.md"
    assert main(["twins", str(write(tmp_path)), "--task", "charts", "--out", str(out)]) == 0
    said = out.read_text()
    assert f"twins {tmp_path}/results.json --out {out} --task charts`" in said
    assert "### charts, small" in said
    assert "$" not in said
    shown = [line.partition("](")[2].strip(")") for line in said.splitlines() if line.startswith("![")]
    assert len(shown) == len(FIGURES)
    assert all((out.parent / path).exists() for path in shown)
    assert capsys.readouterr().out.count("written: ") == len(FIGURES) + 1


def test_dense_twins_alone_have_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twins must hold an MoE to draw its routing, got dense; train one"):
        drawn({"dense": [trained("dense", 0)]}, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must hold twins as bench.front.trained writes them"),
        ("{}", "must hold twins as bench.front.trained writes them"),
        ('{"twins": [{"variant": "dense"}]}', "got some without task, size, seed, shape, recipe,"),
        ('{"twins": []}', "must hold twins with task, size, variant, seed, .* got none; score them again"),
    ],
)
def test_what_is_no_document_of_twins_is_refused(tmp_path: Path, capsys: Any, text: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    assert main(["twins", str(path), "--out", str(tmp_path / "page.md")]) == 4
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "page.md").exists()


def test_a_missing_document_ends_as_missing_records_do(tmp_path: Path) -> None:
    assert main(["twins", str(tmp_path / "none.json")]) == 13


def test_the_committed_page_is_what_its_command_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = (ROOT / "docs" / "twins.md").read_text()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "records").symlink_to(ROOT / "docs" / "records")
    monkeypatch.chdir(tmp_path)
    found = re.search(r"`python -m bench (twins .+?)`", committed)
    assert found
    assert main(found[1].split()) == 0
    assert (tmp_path / "docs" / "twins.md").read_text() == committed


def test_dense_models_are_told_apart_in_the_figure_of_training() -> None:
    (axes,) = draw_training({name: [trained(name, 0)] for name in ("dense", "dense_active")}).axes
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 2


def test_more_variants_than_colours_are_drawn(tmp_path: Path) -> None:
    many = {f"kl at {number}": [trained("kl", 0, [0.2, 0.3])] for number in range(15)}
    assert all(
        "kl at 14" in path.read_text() for title, path in drawn(many, tmp_path).items() if not title.startswith("Soft")
    )


def test_pages_of_one_folder_have_figures_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main(["twins", str(write(tmp_path)), "--out", str(tmp_path / f"{name}.md")]) == 0
    assert len(list((tmp_path / "images").iterdir())) == 2 * len(FIGURES)
