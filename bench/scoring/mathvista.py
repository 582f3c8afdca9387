"""MathVista: the rule-based part of its `evaluation/calculate_score.py` (lupantech/MathVista).

The benchmark lets a language model extract the short answer from a long one first; a prediction here is that short
answer, and what is not one ("14 apples" for 14) scores 0.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase

from rapidfuzz.distance import Levenshtein

QUESTION_TYPES = ("multi_choice", "free_form")
BRACKETED_LETTER = re.compile(r"\(([a-zA-Z])\)")


def score_mathvista(
    prediction: str,
    answer: str,
    question_type: str,
    answer_type: str,
    choices: Sequence[str] | None,
    precision: float | None,
) -> float:
    """Score 1 where the prediction, brought to the form of the answer, is the answer; else 0.

    Args:
        prediction: The short answer: an option's letter or text, a number, a list as text.
        answer: The true one as the data set writes it; of a choice, the option's text.
        question_type: "multi_choice" or "free_form".
        answer_type: "text", "integer", "float" or "list"; a choice is compared as text whatever this says.
        choices: Options of a choice; the nearest one counts (Levenshtein; of several the first).
        precision: Decimals of a float; a whole number, which the public copy stores as float64.

    Returns:
        0.0 or 1.0.

    Raises:
        ValueError: A type is unknown, a choice has no options, or a float no whole number as precision.

    Example:
        >>> score_mathvista("8 / 11", "8/11", "multi_choice", "text", ["3/11", "8/11"], None)
        1.0
        >>> score_mathvista("0.61", "0.6", "free_form", "float", None, 1.0)
        1.0
    """
    if question_type not in QUESTION_TYPES:
        raise ValueError(f"question_type must be one of {', '.join(QUESTION_TYPES)}, got {question_type!r}; name one")
    if answer_type not in NORMALISERS:
        raise ValueError(f"answer_type must be one of {', '.join(NORMALISERS)}, got {answer_type!r}; name one")
    if question_type == "multi_choice":
        return float(_chosen(prediction, choices or ()) == answer)
    decimals = _decimals(precision) if answer_type == "float" else 0
    return float(NORMALISERS[answer_type](prediction, decimals) == answer)


def _chosen(prediction: str, choices: Sequence[str]) -> str:
    """Return the option that is meant: the one of the first bracketed letter, of a bare letter, or the nearest."""
    if not choices:
        raise ValueError(
            "choices must hold the options of a multi_choice question, got none; give the sample's choices"
        )
    text = prediction.strip()
    bracketed = BRACKETED_LETTER.search(text)
    letter = bracketed[1].upper() if bracketed else text
    by_letter = dict(zip(ascii_uppercase, choices, strict=False))
    return by_letter[letter] if letter in by_letter else min(choices, key=lambda c: Levenshtein.distance(letter, c))


def _decimals(precision: float | None) -> int:
    if precision is None or not float(precision).is_integer():
        raise ValueError(f"precision must be a whole number where answer_type is float, got {precision}; give decimals")
    return int(precision)


def _integer(text: str, _decimals: int) -> str | None:
    try:
        return str(int(float(text)))
    except (ValueError, OverflowError):  # no number, or none that is whole: NaN and infinity
        return None


def _float(text: str, decimals: int) -> str | None:
    try:
        return str(round(float(text), decimals))
    except ValueError:
        return None


def _unchanged(text: str, _decimals: int) -> str | None:
    return text


NORMALISERS: Mapping[str, Callable[[str, int], str | None]] = {
    "text": _unchanged,
    "integer": _integer,
    "float": _float,
    "list": _unchanged,
}
