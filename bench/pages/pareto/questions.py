"""Questions of supplied models: a task's models must have answered the same ones, and are compared one by one.

A document names a question by its source: file and row, where the file is below the folder that `--data` named.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from statistics import fmean
from typing import Any

import numpy as np

from bench.gate.resampling import ratio_interval
from bench.gate.stats import Interval
from bench.pages.grouping import grouped

Json = Mapping[str, Any]


def require_same_questions(entries: Sequence[Json]) -> None:
    """Refuse models that were asked other questions of one task: a front of them would compare the questions.

    Args:
        entries: Of supplied models, of any tasks.

    Raises:
        ValueError: Two of a task have other questions, more or fewer, or another order.
    """
    for first, *others in grouped(entries, lambda entry: entry["task"]):
        for other in others:
            _require_same(first, other)


def _require_same(one: Json, other: Json) -> None:
    asked, also_asked = ([answer["source"] for answer in entry["answers"]] for entry in (one, other))
    apart = next((pair for pair in zip(asked, also_asked, strict=False) if not _is_same(*pair)), None)
    if len(asked) == len(also_asked) and not apart:
        return
    where = f" ({apart[0]} against {apart[1]})" if apart else ""
    raise ValueError(
        f"models on {one['task']} must have answered the same questions, got {len(asked)} of {one['variant']} and "
        f"{len(also_asked)} of {other['variant']}{where}; run bench.front.supplied for both with the same --data and "
        "--limit"
    )


def _is_same(source: str, other: str) -> bool:
    """Say whether two sources are one question: alike from the end on, for a folder may be given in full or not."""
    ends = (reversed(PurePath(one).parts) for one in (source, other))
    return all(part == counterpart for part, counterpart in zip(*ends, strict=False))


def mean_scores(entries: Sequence[Json]) -> tuple[float, ...]:
    """Return each question's score, 0 to 1, the mean of all runs of a model; an answer that no rule could read is 0."""
    runs = [[answer["score"] or 0.0 for answer in entry["answers"]] for entry in entries]
    return tuple(fmean(of_question) for of_question in zip(*runs, strict=True))


def paired_difference(scores: Sequence[float], others: Sequence[float]) -> Interval | None:
    """Return how much greater a mean score is than another model's, with its 95 % bootstrap interval over questions.

    Args:
        scores: One a question, 0 to 1.
        others: Of the other model, the same questions in the same order.

    Returns:
        The percentile interval (Efron 1979); None where every question tells the same, of which resamples know nothing.
    """
    gains = np.asarray(scores) - np.asarray(others)
    return ratio_interval(gains, np.ones(len(gains))) if np.ptp(gains) else None
