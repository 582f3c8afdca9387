"""The page with its tables and figures: results follow the documents, bytes follow the documents alone."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.pages.pareto.points import AXES
from tests.bench.pages.sample_supplied import supplied

ROOT = Path(__file__).parents[3]
MACHINE = {"device_model": "Acme", "dtype": "float32", "num_threads": 1}
ACCURACY = {"dense": 0.8, "plain": 0.7, "smoes-attention": 0.6, "dense_active": 0.5}
RATES = {"dense": 50, "plain": 100, "smoes-attention": 90, "dense_active": 200}


def interval(estimate: float, half: float) -> dict[str, float]:
    return {"estimate": estimate, "low": estimate - half, "high": estimate + half, "num_samples": 500}


def twins(**accuracy: float) -> list[dict[str, Any]]:
    return [
        {
            "task": "charts", "variant": variant, "size": "small", "seed": seed,
            "num_parameters": 100_000 if variant == "dense_active" else 300_000,
            "num_active_parameters": 300_000 if variant == "dense" else 100_000,
            "accuracy": {"all": interval({**ACCURACY, **accuracy}[variant], 0.01)},
            "blind": {"all": interval(0.2, 0.02)},
            "throughput": dict.fromkeys(AXES, interval(RATES[variant], 2)),
        }
        for variant in ACCURACY for seed in range(3)
    ]  # fmt: skip


def published() -> list[dict[str, Any]]:
    sizes = {"30B-A3B": (31e9, 3e9, 0.75, 48), "32B": (33e9, 33e9, 0.76, 5)}
    return [
        {
            "task": "mmmu", "variant": "Qwen3-VL", "size": size, "num_parameters": total,
            "num_active_parameters": active,
            "accuracy": {"all": {"estimate": accuracy, "low": accuracy - 0.04, "high": accuracy + 0.04}},
            "throughput": {axis: {"estimate": rate, "low": 0.44 * rate, "high": rate} for axis in AXES},
            "basis": "predicted", "split": "validation",
            "compared_with": ["32B"] if active < total else [], "source": "arXiv 2511.21631",
        }
        for size, (total, active, accuracy, rate) in sizes.items()
    ]  # fmt: skip


def write_document(path: Path, tier: str, models: list[dict[str, Any]]) -> Path:
    field = "twins" if tier == "measured" else "models"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"schema_version": 1, "tier": tier, "machine": MACHINE, field: models}))
    return path


def write_both(folder: Path) -> list[Path]:
    made = {"measured": twins(), "published": published()}
    return [write_document(folder / f"{tier}.json", tier, models) for tier, models in made.items()]


@pytest.fixture
def page_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what writes the page about models of a tier, without drawing."""
    monkeypatch.setattr("bench.pages.drawing.Drawing.save", lambda *_: None)

    def write(tier: str, models: list[dict[str, Any]]) -> str:
        assert (
            main(["pareto", str(write_document(tmp_path / "a.json", tier, models)), "--out", str(tmp_path / "p.md")])
            == 0
        )
        return (tmp_path / "p.md").read_text()

    return write


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Run the command twice on the same documents; return what it wrote, by name, after comparing the bytes."""
    runs = []
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            patch.chdir(tmp_path_factory.mktemp("run"))
            paths = write_both(Path("docs"))
            assert main(["pareto", *map(str, paths), "--out", "docs/pareto.md"]) == 0
            runs.append({path.name: path.read_bytes() for path in Path("docs").rglob("*.*") if path not in paths})
    assert runs[0] == runs[1], "the same documents must give the same bytes"
    return runs[0]


def test_the_command_writes_what_the_page_links_to(written: dict[str, bytes]) -> None:
    figures = {f"pareto-{tier}-{axis}.svg" for tier in ("measured", "published")
               for axis in ("req-per-s", "prefill-tok-per-s")}  # fmt: skip
    tables = {"pareto-models.csv", "pareto-pairs.csv"}
    assert set(written) == {"pareto.md", *figures, *tables}
    links = re.findall(r"\]\((?:images|tables)/([^)]+)\)", written["pareto.md"].decode())
    assert set(links) == figures | tables


def test_the_figure_names_tasks_models_and_units_as_text(written: dict[str, bytes]) -> None:
    svg = written["pareto-published-req-per-s.svg"].decode()
    for said in ("MMMU", "30B-A3B", "Qwen3-VL", "request throughput, req/s", "accuracy, %", "MoE"):
        assert said in svg
    assert "SMoES" not in svg


def test_the_page_says_what_to_pick_who_loses_and_what_is_no_measurement(written: dict[str, bytes]) -> None:
    """Dense is the most accurate, 0.8; SMoES has 0.6 and the plain MoE, of its shape, 0.7 at 100 req/s against 90."""
    text = written["pareto.md"].decode()
    assert re.search(r"\| charts \| dense small \| 80\.0 \[7.*?\] \| 50\.0 req/s \| none is faster \|", text)
    assert "SMoES is told apart in accuracy from a twin of its size in 3 of 3 comparisons" in text
    assert "smoes-attention small loses against dense on charts, -20.0 [" in text
    assert "smoes-attention small wins against dense_active on charts, +10.0 [" in text
    assert "| charts | 1 of 1; 1.80 | 1 of 1; 0.45 | 1 of 1; 0.90 |" in text
    assert "- smoes-attention small is dominated on charts.\n" in text
    assert "Each trained seed beats the best guess without sight" in text
    assert (
        "| MMMU, validation | Qwen3-VL 32B | 76.0 [72.0, 80.0] | at most 5.00 req/s | Qwen3-VL 30B-A3B | 75.0" in text
    )
    assert "| Qwen3-VL 30B-A3B against Qwen3-VL 32B | -1.0 | 9.60 |" in text
    assert "  In none: Qwen3-VL 30B-A3B against Qwen3-VL 32B, at 9.60 times the requests/s.\n" in text
    assert "**Supplied**" not in text


def test_one_size_is_no_span(page_of: Callable[..., str]) -> None:
    every = page_of("measured", twins())
    alike = page_of("measured", [{**twin, "num_parameters": 300_000} for twin in twins()])
    assert "**Trained here**, 100 k to 300 k parameters: " in every
    assert "**Trained here**, 300 k parameters: " in alike


def test_sentences_turn_with_the_results(page_of: Callable[..., str]) -> None:
    text = page_of("measured", twins(**{"smoes-attention": 0.9}))
    assert "- smoes-attention small is on the front on charts.\n" in text
    assert "smoes-attention small wins against plain on charts, +20.0 [" in text
    blind = page_of("measured", twins(plain=0.205))  # +-0.01 around it, against 0.2
    assert (
        "Not above the best guess without sight: plain small on charts, seed 0; plain small on charts, seed 1;" in blind
    )
    assert "**Published**" not in text


def test_seeds_that_lie_far_apart_are_told(page_of: Callable[..., str]) -> None:
    made = twins()
    for twin in made:
        if twin["variant"] == "plain":
            twin["accuracy"] = {"all": interval(0.6 + 0.1 * twin["seed"], 0.01)}
    assert (
        "One in twenty is by chance. Seeds of one model lie up to 20.0 points apart (plain small on charts)"
        in page_of("measured", made)
    )


def test_twins_that_tell_their_points_have_a_table_with_what_is_excluded(page_of: Callable[..., str]) -> None:
    told = twins(plain=0.75)
    for twin in told:
        right = {"dense": 3, "plain": 3, "smoes-attention": 1, "dense_active": 2}[twin["variant"]]
        twin["points"] = {"sums": [right, 4 - right % 2, right, 2 + twin["seed"] % 2], "counts": [4] * 4}
    page = page_of("measured", told)
    assert "| charts: smoes-attention small against plain | 3, 3 | -25.0 [" in page
    assert "| no difference beyond |" in page
    assert "no difference beyond" not in page_of("measured", twins())


def test_of_tasks_with_points_and_without_only_the_first_have_a_table_and_the_page_says_so(
    page_of: Callable[..., str],
) -> None:
    told, others = twins(), [{**twin, "task": "documents"} for twin in twins()]
    for twin in told:
        twin["points"] = {"sums": [2, 3, 2, 2 + twin["seed"] % 2], "counts": [4] * 4}
    page = page_of("measured", [*told, *others])
    assert "Of those without p one in twenty is by chance. Seeds of one model" in page
    assert "| charts: smoes-attention small against plain |" in page
    assert "told apart of those judged" not in page
    assert "told apart of those judged" in page_of("measured", others)


def test_seeds_that_never_began_to_look_are_told_and_left_out_beside(page_of: Callable[..., str]) -> None:
    """All of plain's have 12, 15 and 3 of 16 points; without the third they lie higher."""
    told = [twin for twin in twins(plain=0.9) if twin["variant"] in ("dense", "plain")]
    for twin in told:
        lost = twin["variant"] == "plain" and twin["seed"] == 2
        twin["transition"] = None if lost else 900
        right = {"dense": [3, 2, 3, 2 + twin["seed"] % 2], "plain": [3, 3, 3, 3 + twin["seed"]]}[twin["variant"]]
        twin["points"] = {"sums": [1, 1, 1, 0] if lost else right, "counts": [4] * 4}
    page = page_of("measured", told)
    every = (12 + 13 + 3) / 48 - (10 + 11 + 10) / 48
    began = (12 + 13) / 32 - (10 + 11 + 10) / 48
    (row,) = [line for line in page.splitlines() if line.startswith("| charts: plain small against dense |")]
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[2] == "3 (2), 3 (3)"
    assert cells[3].startswith(f"{100 * every:+.1f} [")
    assert cells[6].startswith(f"{100 * began:+.1f} [")
    assert "| charts | plain small (1 of 3 seeds unfinished) | 90.0 [" in page


def test_what_was_trained_once_is_named_and_not_judged(page_of: Callable[..., str]) -> None:
    text = page_of("measured", [twin for twin in twins() if twin["seed"] == 0])
    assert "| charts | dense small (one seed) |" in text
    assert "| charts | one seed; 1.80 |" in text


def test_twins_without_smoes_have_no_table_of_it(page_of: Callable[..., str]) -> None:
    text = page_of("measured", [twin for twin in twins() if twin["variant"] == "dense"])
    assert "| SMoES" not in text
    assert "pairs.csv" not in text


def test_two_bases_have_a_choice_each_and_no_ratio(page_of: Callable[..., str]) -> None:
    text = page_of("published", [{**published()[0], "basis": "measured"}, published()[1]])
    assert "| MMMU, validation | Qwen3-VL 30B-A3B | 75.0 [71.0, 79.0] | 48.0 req/s | none is faster" in text
    assert "| MMMU, validation | Qwen3-VL 32B | 76.0 [72.0, 80.0] | at most 5.00 req/s | none is faster" in text
    assert "| -1.0 | one measured, one predicted |" in text


def test_supplied_models_are_compared_and_called_what_they_are(page_of: Callable[..., str]) -> None:
    models = [supplied("mine|a", "smoes", [0.5] * 20, 50.0), supplied("dense", "dense", [0.5] * 20, 100.0)]
    text = page_of("supplied", models)
    assert "| `mine`&#124;`a` against dense | +0.0 [-14.1, +14.1] | 0.50 |" in text  # 10 times the root of 2
    assert "(images/p-supplied-req-per-s.svg)" in text
    assert not any(word in text for word in ("**Trained here**", "(one seed)", "**Published**"))


def test_the_tables_hold_every_model_and_pair(written: dict[str, bytes], tmp_path: Path) -> None:
    for name in ("pareto-models.csv", "pareto-pairs.csv"):
        (tmp_path / name).write_bytes(written[name])
    models = {row["name"]: row for row in read_rows(tmp_path / "pareto-models.csv")}
    assert len(models) == 6
    assert models["dense small"]["seed_2"] == "0.8"
    assert (models["plain small"]["ranked_at_req_per_s"], models["plain small"]["standing"]) == (
        "94.8683",
        "on the front",
    )
    assert models["Qwen3-VL 32B"]["source"] == "arXiv 2511.21631"
    pairs = {(row["name"], row["against"]): row for row in read_rows(tmp_path / "pareto-pairs.csv")}
    assert len(pairs) == 1 + 2 + 3 + 1  # of dense_active, of plain, of SMoES, and the published one
    assert pairs["smoes-attention small", "plain small"]["times_req_per_s"] == "0.9"


def test_what_is_no_document_ends_14(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"schema_version": 9, "tier": "measured"}')
    assert main(["pareto", str(path), "--out", str(tmp_path / "p.md")]) == 14
    assert "schema_version must be 1, got 9" in capsys.readouterr().err


def test_a_page_is_not_written_where_a_figure_cannot_be_drawn(tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("no figure")

    monkeypatch.setattr("bench.pages.drawing.Drawing.save", refuse)
    paths = write_both(tmp_path)
    assert main(["pareto", *map(str, paths), "--out", str(tmp_path / "p.md")]) == 4
    assert not (tmp_path / "p.md").exists()
