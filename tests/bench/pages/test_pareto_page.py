"""The page and its figures: results follow the documents, bytes follow the documents alone, labels keep apart."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.commands.pareto import PAGE, write
from bench.gate.markdown import markdown_table
from bench.pages.pareto.documents import read_tiers
from bench.pages.pareto.points import AXES
from bench.pages.pareto.tables import without_empty_columns

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


def write_documents(folder: Path, measured: list[dict[str, Any]]) -> list[Path]:
    documents = {
        "twins.json": {"tier": "measured", "machine": MACHINE, "twins": measured},
        "published.json": {"tier": "published", "machine": "one H200, not measured", "models": published()},
    }
    folder.mkdir(exist_ok=True)
    for name, found in documents.items():
        (folder / name).write_text(json.dumps({"schema_version": 1, **found}))
    return [folder / name for name in documents]


def page_of(documents: list[Path], out: Path) -> str:
    return write(documents, read_tiers(documents), out)


def text_of(folder: Path, measured: list[dict[str, Any]]) -> str:
    """Return the page alone, without drawing."""
    return page_of(write_documents(folder, measured), folder / "pareto.md")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Run the command twice on the same documents; return what it wrote, by name, after comparing the bytes."""
    runs = []
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            patch.chdir(tmp_path_factory.mktemp("run"))
            paths = write_documents(Path("docs"), twins())
            assert main(["pareto", *map(str, paths), "--out", "docs/pareto.md"]) == 0
            runs.append({path.name: path.read_bytes() for path in Path("docs").rglob("*.*") if path not in paths})
    assert runs[0] == runs[1], "the same documents must give the same bytes"
    return runs[0]


def test_the_page_says_what_to_pick_who_loses_and_what_is_predicted(tmp_path: Path) -> None:
    text = text_of(tmp_path, twins())
    assert re.search(r"charts: the most accurate is \*\*dense small\*\* \(80\.0 \[\d.*?\] %, 50\.0 req/s\)", text)
    assert "| up to 94.9 req/s    | plain small        |" in text  # twins of one shape make 100 and 90
    assert "smoes-attention small is dominated by plain small." in text
    assert "SMoES against their dense twins, in accuracy: 0 won, 1 lost and 0 open" in text
    assert "in requests/s: 1 faster, 0 slower and 0 open (1.80 times)." in text  # 90 against 50
    assert "of one shape and taken as equally fast (0.90 times, 1 of 1 intervals without 1)." in text  # 90 against 100
    assert "Accuracy is over 500 questions." in text
    assert "Each trained seed beats the best guess without sight" in text
    assert "### MMMU, validation split\n" in text
    assert "### charts\n" in text
    assert "up to 48.0 req/s at its floor (21.1 req/s at 44 % of it)" in text
    assert "at most 48.0 req/s, predicted" in text
    assert "-1.0 [-6.7, +4.7] points on MMMU, not told apart" in text
    assert "9.60 times the requests/s" in text
    assert "**No SMoES accuracy exists at 7B or 34B**" in text
    assert "Qwen3-VL 30B-A3B and Qwen3-VL 32B: arXiv 2511.21631." in text
    assert "No such document was given" in text.partition("## Supplied")[2]


def test_a_task_whose_twins_were_trained_once_says_so(tmp_path: Path) -> None:
    text = text_of(tmp_path, [twin for twin in twins() if twin["seed"] == 0])
    assert "- charts, one seed each: the most accurate is **dense small**" in text


def test_sentences_turn_with_the_results(tmp_path: Path) -> None:
    text = text_of(tmp_path, twins(**{"smoes-attention": 0.9}))
    assert "smoes-attention small is on the front." in text
    assert "SMoES against their dense twins, in accuracy: 1 won, 0 lost and 0 open" in text
    blind = text_of(tmp_path, twins(plain=0.205))  # +-0.01 around it, against 0.2
    assert "Not above the best guess without sight, by the interval: plain small (seed 0, 1 and 2)." in blind


def test_seeds_that_lie_farther_apart_than_models_are_told(tmp_path: Path) -> None:
    made = twins()
    for twin in made:
        if twin["variant"] == "plain":  # 0.6, 0.7 and 0.8 by seed: 0.7 on the mean, between dense's 0.8 and 0.5
            twin["accuracy"] = {"all": interval(0.6 + 0.1 * twin["seed"], 0.01)}
    assert (
        "Seeds of one model lie up to 20.0 points apart (plain small); the means of models of one size, where several "
        "seeds were trained, up to 30.0."
    ) in text_of(tmp_path, made)


def test_the_command_writes_page_and_figures_the_same_each_time(written: dict[str, bytes]) -> None:
    figures = {f"pareto-{tier}-{axis}.{suffix}" for tier in ("measured", "published")
               for axis in ("req-per-s", "prefill-tok-per-s") for suffix in ("svg", "png")}  # fmt: skip
    assert set(written) == {"pareto.md", *figures}
    links = re.findall(r"\]\((images/[^)]+)\)", written["pareto.md"].decode())
    assert {Path(link).name for link in links} == figures


def test_the_figure_names_tasks_models_and_units_as_text(written: dict[str, bytes]) -> None:
    svg = written["pareto-published-req-per-s.svg"].decode()
    for said in ("MMMU", "30B-A3B", "Qwen3-VL", "request throughput, req/s", "accuracy, %", "MoE"):
        assert said in svg
    assert "SMoES" not in svg


def test_the_page_in_docs_is_what_its_documents_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody edits a result by hand: the page names the command that wrote it."""
    monkeypatch.chdir(ROOT)
    text = PAGE.read_text(encoding="utf-8")
    command = re.search(r"`python -m bench pareto (.+) --out (\S+)`", text)
    assert command
    assert page_of([Path(name) for name in command[1].split()], Path(command[2])) == text


def test_columns_without_content_are_left_out() -> None:
    table = markdown_table(*without_empty_columns(("a", "b"), [("1", ""), ("2", "")]))
    assert "b" not in table


def test_a_missing_document_ends_as_missing_records_do(tmp_path: Path, capsys: Any) -> None:
    assert main(["pareto", str(tmp_path / "none.json"), "--out", str(tmp_path / "p.md")]) == 13
    assert "none.json" in capsys.readouterr().err


def test_what_is_no_document_ends_as_a_usage_error(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"schema_version": 9, "tier": "measured"}')
    assert main(["pareto", str(path), "--out", str(tmp_path / "p.md")]) == 4
    assert "schema_version must be 1, got 9" in capsys.readouterr().err


def test_two_bases_have_a_pick_and_a_table_each(tmp_path: Path) -> None:
    models = [{**published()[0], "basis": "measured"}, published()[1]]
    path = tmp_path / "published.json"
    path.write_text(json.dumps({"schema_version": 1, "tier": "published", "machine": "one H200", "models": models}))
    text = page_of([path], tmp_path / "pareto.md")
    assert "MMMU, throughput measured: the most accurate is **Qwen3-VL 30B-A3B**" in text
    assert "MMMU, throughput predicted: the most accurate is **Qwen3-VL 32B**" in text
    assert text.count("Throughput measured:\n") == text.count("Throughput predicted:\n") == 1
    assert "one measured, one predicted: not compared on MMMU" in text


def test_a_page_is_not_written_where_a_figure_cannot_be_drawn(tmp_path: Path, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("no figure")

    monkeypatch.setattr("bench.commands.pareto.draw_front", refuse)
    paths = write_documents(tmp_path, twins())
    assert main(["pareto", *map(str, paths), "--out", str(tmp_path / "p.md")]) == 4
    assert not (tmp_path / "p.md").exists()
