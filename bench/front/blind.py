"""What can be had without sight on each task: `python -m bench.front.blind`, docs/tables/tasks-blind.csv.

A guesser learns from the training split and is scored on the test split by the task's own rules; a twin that does not
beat it has not looked.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from tabulate import tabulate

from bench.accuracy import ALL, score_answer
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.tasks.procedural import TASKS, Question, Subset, Task
from fixtures.tasks.procedural.blind import learn_blind
from fixtures.training.tasks import TRAINED_TASKS, check_available

TRAIN_PICTURES, TEST_PICTURES = 3000, 1000  # about ten questions each


def score_blind(
    task: Task, difficulty: str, *, train_pictures: int = TRAIN_PICTURES, test_pictures: int = TEST_PICTURES
) -> Mapping[str, float]:
    """Score guessing on the test split.

    Returns:
        Mean score by kind, 0 to 1, and "all": over all questions.
    """
    guess = learn_blind(questions_of(task, "train", difficulty, train_pictures))
    scores: Mapping[str, list[float]] = defaultdict(list)
    for question in questions_of(task, "test", difficulty, test_pictures):
        scored = score_answer(task, question, guess(question))
        scores[question.kind].append(scored)
        scores[ALL].append(scored)
    return {kind: fmean(values) for kind, values in scores.items()}


def questions_of(task: Task, split: str, difficulty: str, num_pictures: int) -> Iterator[Question]:
    """Yield the questions of the first pictures of a split, none of them drawn."""
    for index in range(num_pictures):
        yield from task.questions(index, Subset(split, difficulty))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row a task and difficulty."""
    parser = Parser(prog="python -m bench.front.blind", description=__doc__)
    parser.add_argument(
        "--tasks", nargs="+", choices=TRAINED_TASKS, default=list(TASKS), help="which (default: those drawn here)"
    )
    chosen = parser.parse_args(arguments)
    try:
        check_available(chosen.tasks)
    except ImportError as error:
        parser.error(str(error))
    rows = []
    for name in chosen.tasks:
        for difficulty in TRAINED_TASKS[name].difficulties:
            scores = dict(score_blind(TRAINED_TASKS[name], difficulty))
            overall = scores.pop(ALL)
            kinds = ", ".join(f"{kind} {scored:.2f}" for kind, scored in sorted(scores.items()))
            rows.append((name, difficulty, overall, kinds))
    say(tabulate(rows, headers=("task", "difficulty", ALL, "by kind"), floatfmt=".2f", tablefmt="github"))


if __name__ == "__main__":
    sys.exit(run_program(main))
