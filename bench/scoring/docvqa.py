"""DocVQA: average normalised Levenshtein similarity (ANLS), as the challenge's evaluation script computes it.

Biten et al. 2019, arXiv:1907.00490, equation 1; script of the Robust Reading Competition, rrc.cvc.uab.es, challenge 17.
"""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

MIN_SIMILARITY = 0.5  # below it the answer counts as another one, not as a misread one


def score_docvqa(prediction: str, answers: Sequence[str]) -> float:
    """Score how alike prediction and the nearest accepted answer are, letter by letter.

    Distances ignore case and the kind and number of spaces, lengths do not: the script divides by the raw ones.

    Args:
        prediction: What the model says.
        answers: What is accepted, at least one; the best counts.

    Returns:
        0 or a similarity in [0.5, 1]; exactly 0.5 stays 0.5.

    Raises:
        ValueError: `answers` is empty.

    Example:
        >>> score_docvqa("Cafe", ["Café"]), score_docvqa("ab", ["ac"]), score_docvqa("paul", ["P. Carter"])
        (0.75, 0.5, 0.0)
    """
    if not answers:
        raise ValueError("answers must hold at least one accepted answer, got none; give the sample's answers")
    best = 1 - min(_normalised_distance(prediction, answer) for answer in answers)
    return best if best >= MIN_SIMILARITY else 0.0


def _normalised_distance(prediction: str, answer: str) -> float:
    length = max(len(prediction.upper()), len(answer.upper()))  # upper case, as there: it makes a ß two letters long
    distance = Levenshtein.distance(_plain(prediction), _plain(answer))
    return distance / length if length else 0.0


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
