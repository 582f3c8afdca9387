"""The page about trained twins: its figures, its command, what is refused, and the committed page."""

import re
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.pages.twins.documents import COEF, Setting, read_settings
from bench.pages.twins.figures import twin_figures, with_most_twins
from bench.pages.twins.page import twins_page
from bench.pages.write import page_text
from tests.bench.pages.sample_twins import TRAINED, trained, write

ROOT = Path(__file__).parents[3]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    (found,) = read_settings(write(tmp_path))
    return found


def drawn(setting: Setting, folder: Path) -> dict[str, Path]:
    drawings = twin_figures(setting)
    for name, drawing in drawings.items():
        drawing.save(folder / f"{name}.svg")
    return {name: folder / f"{name}.svg" for name in drawings}


def told(folder: Path, twins: list[dict[str, Any]]) -> str:
    path = write(folder, twins)
    return page_text(folder / "page.md", twins_page([path], read_settings(path)), "the command")


def test_every_figure_is_drawn_of_moes_alone_and_the_same_each_time(setting: Setting, tmp_path: Path) -> None:
    first, second = (drawn(setting, tmp_path / name) for name in "ab")
    assert list(first) == ["relations", "msi", "scores", "bins"]
    for one, other in zip(first.values(), second.values(), strict=True):
        text = one.read_text()
        assert text == other.read_text()
        assert "MoE layer" in text or "MSI" in text
        assert "smoes-attention" in text
        assert "dense" not in text


def test_more_variants_than_colours_are_drawn(tmp_path: Path) -> None:
    twins = [{**trained("kl", 0, [0.2, 0.3]), COEF: float(number)} for number in range(15)]
    (many,) = read_settings(write(tmp_path, twins))
    assert all("kl at 14" in path.read_text() for title, path in drawn(many, tmp_path).items() if title != "scores")


def test_figures_are_of_the_setting_with_the_most_twins(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, [trained("dense", 0, task="documents"), *TRAINED]))
    assert with_most_twins(settings).name == "charts, small"
    dense = [trained("dense", seed, task="documents") for seed in range(9)]
    assert with_most_twins(read_settings(write(tmp_path, [*dense, *TRAINED]))).name == "charts, small"


def test_the_summary_goes_over_settings_and_counts_what_is_told_apart(tmp_path: Path) -> None:
    """0.2 above plain by every seed on charts and maps; on documents 0.1, -0.1 and 0; one seed counts nowhere."""
    plain = [trained("plain", seed, [0.3, 0.4], task=task) for task in ("documents", "maps") for seed in range(3)]
    more = {"documents": (0.1, -0.1, 0.0), "maps": (0.2, 0.2, 0.2)}
    other = [
        trained("smoes-attention", seed, [0.3 + added, 0.4 + added], 2.0, task=task)
        for task in more
        for seed, added in enumerate(more[task])
    ]
    said = told(tmp_path, [*TRAINED, *plain, *other, trained("hard-routing", 0, [1.0, 1.0])])
    assert "| plain | 3 | 0.25 to 0.35 | in 2 of 3 | 1.50 |" in said
    assert "| smoes-attention | 3 | 0.35 to 0.55 | in 2 of 3 | 1.50 to 2.00 |" in said
    assert "told apart over all 3 comparisons together: *smoes-attention* in 2 (0) of 3 settings.\n" in said
    assert "carries 1.50 to 2.00 times the mean load, *plain*'s 1.50.\n" in said
    assert "\n| hard-routing |" not in said
    assert "| charts, small | +0.80 | +0.20 [+0.20, +0.20] |\n| documents, small |  | +0.00 [-0.25, +0.25] |\n" in said


def test_what_carries_over_is_the_range_over_all_twins_beside_guessing(tmp_path: Path) -> None:
    said = told(tmp_path, TRAINED)
    assert (
        "| task | twins | all | tinted |\n|---|---|---|---|\n| charts | 7 | 0.50 to 0.70 (0.10) | 0.40 to 0.60 |\n"
        in said
    )
    assert "*small*: hidden size 64, 2 layers, 4 experts of width 16, 2 a token, 200 steps of 12 pictures.\n" in said


def test_another_weight_of_the_loss_is_told_by_itself(tmp_path: Path) -> None:
    usual = [{**trained("sm", seed, [0.5]), COEF: 1e-3} for seed in range(2)]
    said = told(tmp_path, [*usual, {**trained("sm", 0, [0.9], 4.0), COEF: 1e-2}])
    assert "\n- sm at 0.01, charts, small: MSI 0.90, load 4.00\n" in said
    assert "| MSI minus plain's | sm" not in said
    assert "- sm" not in told(tmp_path, usual)


def test_dense_twins_alone_make_a_page_without_routing(tmp_path: Path) -> None:
    out = tmp_path / "page.md"
    assert main(["twins", str(write(tmp_path, [trained("dense", 0), trained("dense", 1)])), "--out", str(out)]) == 0
    said = out.read_text()
    assert "| no MoE was trained with several seeds |" in said
    assert "![" not in said
    assert not (tmp_path / "images").exists()


def test_the_command_writes_the_page_beside_its_table_and_figures(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "new" / "page.md"
    assert main(["twins", str(write(tmp_path)), "--task", "charts", "--out", str(out)]) == 0
    said = out.read_text()
    assert f"twins {tmp_path}/results.json --out {out} --task charts`" in said
    shown = re.findall(r"\]\(((?:images|tables)/[^)]+)\)", said)
    assert len(shown) == 4 + 2
    assert all((out.parent / path).exists() for path in shown)
    assert capsys.readouterr().out.count("written: ") == 4 + 3


def test_a_difference_that_all_together_leave_open_is_not_told_apart(tmp_path: Path) -> None:
    """Differences of 0.1, 0.14 and 0.18: p = 0.026 by Student's test, five times that among five."""
    plain = [trained("plain", seed, [0.2]) for seed in range(3)]
    others = [trained(f"kl{number}", seed, [0.3 + 0.04 * seed]) for number in range(5) for seed in range(3)]
    alone = told(tmp_path, [*plain, *others[:3]])
    assert "over all 1 comparison together: *kl0* in 1 (0) of 1 setting.\n" in alone
    assert "*kl0* in 0 (0) of 1 setting, *kl1* in 0 (0)" in told(tmp_path, [*plain, *others])


def test_a_page_says_when_twins_began_and_what_could_be_told_apart(tmp_path: Path) -> None:
    twins = [trained("plain", seed, [0.2], transition=[800, None, 900][seed]) for seed in range(3)]
    twins += [trained("dense", seed, transition=700 + seed) for seed in range(3)]
    said = told(tmp_path, twins)
    assert "| charts, small | plain | 2 of 3 [9, 99 %] | 850 |  | 60.0 (10.0) | 60.0 (14.1) |" in said
    assert "| charts, small | dense | 3 of 3 [29, 100 %] | 701 | 0.1 |" in said
    assert "is not told of" not in said
    assert "| charts, small | 3 | 10.0 | ≥ 3" in said
    bare = told(tmp_path, [trained("plain", seed, [0.2]) for seed in range(3)])
    assert "When do they begin" not in bare
    assert "When a twin began to read values, if it did, is not in this record." in bare
    some = told(tmp_path, [*twins, trained("plain", 0, [0.2], task="documents")])
    assert "When a twin began to read values, if it did, is not told of documents, small." in some


def test_documents_of_several_tasks_are_one_page_that_tells_the_steps_of_each(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    longer = [trained("plain", seed, [0.3], task="documents", steps=300) for seed in range(2)]
    paths = [write(tmp_path, [trained("plain", seed, [0.2]) for seed in range(2)]), write(tmp_path / "more", longer)]
    said = page_text(tmp_path / "page.md", twins_page(paths, read_settings(*paths)), "the command")
    assert "| plain | 2 | 0.20 to 0.30 |" in said
    assert ", 2 a token, 200 steps of 12 pictures (charts), 300 steps of 12 pictures (documents).\n" in said
    assert said.count("- 1 record (results)") == 2


def test_a_task_in_two_documents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    paths = [write(folder, [trained("plain", 0, [0.2])]) for folder in (tmp_path, tmp_path / "more")]
    for given in (paths, paths[:1] * 2):  # the second: one document twice
        with pytest.raises(ValueError, match=r"a task must be in one document, got charts in .*; leave one out"):
            read_settings(*given)
