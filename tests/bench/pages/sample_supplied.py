"""Documents of supplied checkpoints as `python -m bench.front.supplied` writes them, made up for tests."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.pages.pareto.documents import Tier, read_tiers
from tests.bench.pages.sample_twins import document, entry

FOLDER = "/home/me/ChartQA"


def supplied(
    name: str, kind: str, scores: Sequence[float | None], rate: float = 100.0, folder: str = FOLDER, **changes: Any
) -> dict[str, Any]:
    """Write a checkpoint that answered as many questions as there are scores; accuracy +-0.1."""
    mean = fmean(score or 0.0 for score in scores)
    answers = [
        {"source": f"{folder}/test.parquet, row {row}", "answer": "a", "score": score}
        for row, score in enumerate(scores)
    ]
    limits = {"estimate": mean, "low": max(0.0, mean - 0.1), "high": min(1.0, mean + 0.1), "num_samples": len(scores)}
    made = {**entry(name, 0, mean, rate), "task": "chartqa", "size": "", "kind": kind, "accuracy": {"all": limits}}
    return {field: value for field, value in {**made, "answers": answers, **changes}.items() if field != "seed"}


def supplied_tier(folder: Path, *models: dict[str, Any]) -> Tier:
    """Read checkpoints, a document each."""
    paths = [
        document(folder, [], f"{number}.json", tier="supplied", models=[model]) for number, model in enumerate(models)
    ]
    return read_tiers(paths)["supplied"]
