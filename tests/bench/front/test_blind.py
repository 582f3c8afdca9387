"""What guessing gets: the table that the tasks' page links to is what a guesser scores today."""

import csv
from pathlib import Path

import pytest

from bench.accuracy import ALL
from bench.front.blind import score_blind
from fixtures.tasks.procedural import TASKS

TABLE = Path(__file__).parents[3] / "docs" / "tables" / "tasks-blind.csv"
QUICK = [("charts", "easy"), ("documents", "easy"), ("documents", "hard")]  # a second or two each


def documented(task: str, difficulty: str) -> dict[str, str]:
    """Return the documented scores by kind, and over all."""
    with TABLE.open(newline="") as file:
        (found,) = (
            row for row in csv.DictReader(file) if (row.pop("task"), row.pop("difficulty")) == (task, difficulty)
        )
    return {kind: score for kind, score in found.items() if score}


def scored(task: str, difficulty: str) -> dict[str, str]:
    return {kind: f"{score:.2f}" for kind, score in score_blind(TASKS[task], difficulty).items()}


@pytest.mark.parametrize(("task", "difficulty"), QUICK)
def test_the_documented_score_of_guessing_is_what_a_guesser_gets(task: str, difficulty: str) -> None:
    assert ALL in documented(task, difficulty)
    assert scored(task, difficulty) == documented(task, difficulty)


@pytest.mark.long
@pytest.mark.parametrize("task", TASKS)
def test_every_documented_score_of_guessing_is_what_a_guesser_gets(task: str) -> None:
    for difficulty in TASKS[task].difficulties:
        assert scored(task, difficulty) == documented(task, difficulty)
