"""Trained twins compared: means, intervals and differences by hand; figures that hold what they should."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench.harness.__main__ import main
from bench.harness.plot.twins import TWIN_FIGURES, draw_twins
from bench.harness.stats import Interval, mean_interval
from bench.harness.twins import read_twins, summary_rows


def twin(variant: str, seed: int, msi: list[float] | None = None) -> dict[str, Any]:
    result: dict[str, Any] = {
        "task": "charts",
        "size": "small",
        "variant": variant,
        "seed": seed,
        "accuracy": {"all": {"estimate": 0.5 + 0.1 * seed}},
        "blind": {"all": {"estimate": 0.1}},
        "log": [{"step": 100, "task_loss": 2.0}, {"step": 200, "task_loss": 1.0}],
    }
    if msi:
        layers = len(msi)
        result["routing"] = {
            "msi": msi,
            "imbalance": [1.5] * layers,
            "text_share": [[0.9, 0.1, 0.5, 0.3]] * layers,
            "bins": [[1, 0, 1, 0] if variant != "plain" else None] * layers,
            "scores": [{"text": [0.6, 0.8, 1.0], "vision": [0.0, 0.1, 0.2]}] * layers,
        }
    return result


TWINS = [
    twin("dense", 0),
    *(twin("plain", seed, [0.2 + 0.1 * seed, 0.2]) for seed in range(3)),
    *(twin("smoes-attention", seed, [0.5 + 0.1 * seed, 0.3]) for seed in range(3)),
]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"twins": TWINS}))
    return path


def test_the_interval_of_a_mean_is_students_by_hand() -> None:
    """Of 1, 2, 3: mean 2, sd 1, and t = 4.303 with two degrees of freedom: 2 +- 4.303 / sqrt(3)."""
    assert mean_interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 2 - 2.4841, 2 + 2.4841), abs=1e-3)
    assert mean_interval([0.25]) == Interval(0.25, -math.inf, math.inf)


def test_rows_hold_means_and_the_paired_difference_to_plain(document: Path) -> None:
    rows = {row[0]: row for row in summary_rows(read_twins(document))}
    assert rows["dense"][2:] == ("0.50", "", "", "", "")
    assert rows["plain"][-1] == ""
    accuracy, msi, layers, imbalance, difference = rows["smoes-attention"][2:]
    assert accuracy == mean_interval([0.5, 0.6, 0.7]).text(".2f")
    assert msi == mean_interval([0.4, 0.45, 0.5]).text(".2f")
    assert (layers, imbalance) == ("0.60, 0.30", "1.50 [1.50, 1.50]")
    assert difference == "+0.20 [+0.20, +0.20]"  # every seed differs by (0.3 + 0.1) / 2


def test_of_several_tasks_one_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"twins": [*TWINS, {**twin("dense", 5), "task": "documents"}]}))
    assert [t["seed"] for t in read_twins(path, task="documents")["dense"]] == [5]
    for wrong, got in ((None, "none"), ("maps", "'maps'")):
        with pytest.raises(ValueError, match=f"--task must be one of charts, documents, got {got}; choose one"):
            read_twins(path, task=wrong)


def test_another_weight_of_the_loss_is_another_variant(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    usual = [{**t, "specialization_coef": 1e-3} if t["variant"] == "smoes-attention" else t for t in TWINS]
    path.write_text(json.dumps({"twins": [*usual, {**twin("kl", 0), "specialization_coef": 0.0}]}))
    assert list(read_twins(path)) == ["dense", "plain", "smoes-attention", "kl at 0"]


def test_a_weight_is_named_only_of_variants_that_have_the_loss(tmp_path: Path) -> None:
    path, smoes = tmp_path / "results.json", [{**twin(name, 0), "specialization_coef": 1e-2} for name in ("kl", "sm")]
    path.write_text(json.dumps({"twins": [twin("dense", 0), twin("dense", 1), twin("plain", 0), *smoes]}))
    assert list(read_twins(path)) == ["dense", "plain", "kl", "sm"]


def test_twins_of_two_recipes_are_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"twins": [{**twin(name, 0), "recipe": {"steps": n}} for n, name in enumerate("ab")]}))
    with pytest.raises(ValueError, match=r"must share their recipe, got two for charts small: .* score it apart"):
        read_twins(path)


def test_every_figure_is_drawn_the_same_each_time(document: Path, tmp_path: Path) -> None:
    first, second = (draw_twins(read_twins(document), tmp_path / name) for name in "ab")
    assert [path.name for path in first] == [f"{name}.svg" for name in (*TWIN_FIGURES, "training")]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    texts = [path.read_text() for path in first]
    assert all("MoE layer" in text for text in texts[:-1])
    assert "dense" in texts[-1]
    assert all(variant in texts[0] for variant in ("plain", "smoes-attention"))
    assert "dense" not in texts[0]


def test_the_command_prints_the_table_and_names_the_figures(document: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["twins", str(document), "--out", str(tmp_path / "images")]) == 0
    printed = capsys.readouterr().out
    assert "| smoes-attention |" in printed
    assert printed.count("drawn: ") == len(TWIN_FIGURES) + 1


def test_dense_twins_alone_have_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twins must hold an MoE to draw its routing, got dense; train one"):
        draw_twins({"dense": [twin("dense", 0)]}, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must hold twins as bench.front.trained writes them"),
        ("{}", "must hold twins as bench.front.trained writes them"),
        ('{"twins": [{"variant": "dense"}]}', "must hold twins with task, size, variant, seed, accuracy, blind"),
        ('{"twins": []}', "must hold twins with task"),
    ],
)
def test_what_is_no_document_of_twins_is_refused(tmp_path: Path, capsys: Any, text: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    assert main(["twins", str(path)]) == 4
    assert message in capsys.readouterr().err


def test_a_missing_document_ends_as_missing_records_do(tmp_path: Path) -> None:
    assert main(["twins", str(tmp_path / "none.json")]) == 13
