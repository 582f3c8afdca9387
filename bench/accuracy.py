"""Accuracy of answers to a task by its official rules, with intervals over pictures.

Questions about one picture are not independent, so pictures are what is resampled.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from bench.gate.resampling import ratio_interval
from bench.gate.stats import Interval
from bench.scoring import Reference, score
from fixtures.tasks import Sample
from fixtures.tasks.procedural import Picture, Question, Task
from fixtures.tasks.procedural.chart_questions import ORIGINS

ALL = "all"  # the group of all questions
HARD, MAIN = "hard split", "main split"  # kinds that take more than reading one place, and the others

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Points:
    """Scores of one group of questions: by picture their sum, and how many questions there are."""

    sums: Floats
    counts: Floats

    @property
    def num_samples(self) -> int:
        """Count the questions."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Return the mean score of a question, 0 to 1."""
        return float(self.sums.sum() / self.counts.sum())


def reference_of(asked: Question | Sample) -> Reference:
    """Return what answers to a question are scored against."""
    return Reference(
        answers=asked.answers,
        question_type=asked.question_type,
        options=asked.options,
        answer_type=asked.answer_type,
        precision=asked.precision,
    )


def score_answer(task: Task, question: Question, answer: str) -> float:
    """Score an answer to a question of a task; one that is no option counts 0."""
    return score(task.scorer, answer, reference_of(question)) or 0.0


def groups_of(task: Task, question: Question) -> tuple[str, ...]:
    """Return the groups that a question counts in: all, its split, its kind, and of a chart who asked."""
    split = HARD if question.kind in task.hard_kinds else MAIN
    return (ALL, split, question.kind, *([question.question_type] if question.question_type in ORIGINS else []))


def score_pictures(task: Task, pictures: Sequence[Picture], answers: Iterable[str]) -> dict[str, Points]:
    """Score an answer to every question about some pictures.

    Returns:
        The points of each group, over the same pictures; groups that no question is in are not there.

    Raises:
        ValueError: There are more or fewer answers than questions.
    """
    said = list(answers)
    num_questions = sum(len(picture.questions) for picture in pictures)
    if len(said) != num_questions:
        raise ValueError(f"there must be one answer a question, {num_questions}, got {len(said)}; answer each once")
    remaining = iter(said)
    sums: dict[str, Floats] = {}
    counts: dict[str, Floats] = {}
    for number, picture in enumerate(pictures):
        for question in picture.questions:
            scored = score_answer(task, question, next(remaining))
            for group in groups_of(task, question):
                sums.setdefault(group, np.zeros(len(pictures)))[number] += scored
                counts.setdefault(group, np.zeros(len(pictures)))[number] += 1
    return {group: Points(sums=sums[group], counts=counts[group]) for group in sums}


def accuracy_interval(points: Points) -> Interval:
    """Return the mean score with its 95 % bootstrap interval over pictures (percentile; Efron 1979).

    Where all answers are right, or all wrong, every resample is the same: the interval is the exact binomial one of as
    many pictures then (Clopper and Pearson 1934).
    """
    if points.mean in (0.0, 1.0):
        num_pictures = int((points.counts > 0).sum())
        exact = scipy.stats.binomtest(round(points.mean) * num_pictures, num_pictures).proportion_ci()
        return Interval(points.mean, float(exact.low), float(exact.high))
    return ratio_interval(points.sums, points.counts)


def difference_interval(points: Points, others: Points) -> Interval:
    """Return how much greater the mean score is than another model's on the same questions, with its 95 % interval.

    Raises:
        ValueError: The questions are not the same.
    """
    if not np.array_equal(points.counts, others.counts):
        raise ValueError(
            f"both models must have answered the same questions, got {points.num_samples} and {others.num_samples}; "
            "score both on the same pictures"
        )
    return ratio_interval(points.sums - others.sums, points.counts)


def accuracy_table(scored: Mapping[str, Points]) -> dict[str, dict[str, float]]:
    """Return {"estimate", "low", "high", "num_samples"} of each group: what documents hold."""
    return {
        group: {**accuracy_interval(points)._asdict(), "num_samples": points.num_samples}
        for group, points in scored.items()
    }
