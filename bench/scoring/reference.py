"""What is known of a question, and one way to score an answer to it whatever its benchmark."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.scoring.chartqa import score_chartqa
from bench.scoring.docvqa import score_docvqa
from bench.scoring.mathvista import score_mathvista
from bench.scoring.mmmu import score_mmmu


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What an answer is scored against."""

    answers: tuple[str, ...]  # what is accepted; MathVista has one, MMMU's choices have the letter
    question_type: str = ""  # as the benchmark writes it; ChartQA and DocVQA score all alike
    options: tuple[str, ...] = ()  # texts of the options, in order
    answer_type: str = ""  # MathVista's
    precision: float | None = None  # MathVista's, decimals


def score(scorer: str, prediction: str, reference: Reference) -> float | None:
    """Score an answer by the rules of a benchmark: 0 to 1; None where MMMU's rules read no option from the reply.

    Raises:
        ValueError: The scorer is unknown, or the reference lacks what it needs.

    Example:
        >>> score("docvqa", "0.2", Reference(answers=("0.28",)))
        0.75
    """
    if scorer not in SCORERS:
        raise ValueError(f"scorer must be one of {', '.join(SCORERS)}, got {scorer!r}; choose one of them")
    if not reference.answers:
        raise ValueError("answers must hold at least one accepted answer, got none; give the sample's answers")
    return SCORERS[scorer](prediction, reference)


def _mathvista(prediction: str, known: Reference) -> float:
    return score_mathvista(
        prediction, known.answers[0], known.question_type, known.answer_type, known.options, known.precision
    )


SCORERS: Mapping[str, Callable[[str, Reference], float | None]] = {
    "chartqa": lambda prediction, known: score_chartqa(prediction, known.answers),
    "docvqa": lambda prediction, known: score_docvqa(prediction, known.answers),
    "mmmu": lambda prediction, known: score_mmmu(prediction, known.answers, known.question_type, known.options),
    "mathvista": _mathvista,
}
