"""ChartQA: relaxed correctness, as pix2struct's `metrics.py` computes it (google-research/pix2struct)."""

from collections.abc import Sequence

MAX_RELATIVE_ERROR = 0.05  # of a number (Methani et al. 2020, PlotQA; taken over by ChartQA, section 5.1)


def score_chartqa(prediction: str, answers: Sequence[str]) -> float:
    """Score 1 for a number within 5 % of an accepted one, or for the same text whatever its case; else 0.

    Args:
        prediction: What the model says; white space and punctuation are not stripped, as in the official code.
        answers: What is accepted, at least one; the best counts.

    Returns:
        0.0 or 1.0.

    Raises:
        ValueError: `answers` is empty.

    Example:
        >>> score_chartqa("95", ["100"]), score_chartqa("$5", ["5"]), score_chartqa("abc", ["Abc"])
        (1.0, 0.0, 1.0)
    """
    if not answers:
        raise ValueError("answers must hold at least one accepted answer, got none; give the sample's labels")
    return float(any(_is_close(prediction, answer) for answer in answers))


def _is_close(prediction: str, answer: str) -> bool:
    said, true = _number(prediction), _number(answer)
    if said is not None and true:  # nothing is near a true value of 0: its text must be the same
        return abs(said - true) / abs(true) <= MAX_RELATIVE_ERROR
    return prediction.lower() == answer.lower()


def _number(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None
