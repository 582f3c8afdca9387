"""MMMU: the rules of its `eval_utils.py` (MMMU-Benchmark/MMMU) for multiple choice and open questions.

One departure: where no option can be read from a reply, the official code draws one at random. Here the reply is
unparsed, so that a score does not depend on a seed; whoever adds up counts it as 0 and reports how many there were.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase

STRIPPED = ",.!?;:'"  # from both ends, one sign after the other, each once
MIN_WORDS_FOR_TEXT = 6  # a shorter reply is not searched for the text of an option
INDICATORS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")  # an answer follows
EQUATION = "="  # indicates one too, in the last line
TRIVIAL = frozenset(":,.!?;'")  # what may follow an indicator without being an answer
DECIMALS = 2  # to which numbers are compared

# A run of digits is tried from its first one only (?<!\d): with the same matches, long runs take linear time.
NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),  # 7,243,000
    re.compile(r"-?(?<!\d)\d+(?:\.\d+)?[eE][+-]?\d+"),  # 1.5e-3
    re.compile(r"-?(?:(?<!\d)\d+\.\d+|\.\d+|(?<!\d)\d+\b)(?![eE][+-]?\d+)(?![,\d])"),  # 12, 0.5, .5
)


def score_mmmu(
    prediction: str, answer: str | Sequence[str], question_type: str, options: Sequence[str]
) -> float | None:
    """Score 1 for the right option, or an open answer that holds an accepted one; 0 for a wrong one; None if unparsed.

    Args:
        prediction: The whole reply.
        answer: Letter of the right option, or the accepted answers of an open question.
        question_type: "multiple-choice" or "open".
        options: Texts of the options, A first; not looked at where the question is open.

    Returns:
        0.0, 1.0, or None where a reply names no option.

    Raises:
        ValueError: The type is unknown, there is no answer, or a choice has no options or too many for letters.

    Example:
        >>> score_mmmu("The answer is (B).", "B", "multiple-choice", ["$6", "$7"])
        1.0
        >>> score_mmmu("8.40 V", ["8.4"], "open", [])
        1.0
    """
    if question_type not in QUESTION_TYPES:
        raise ValueError(f"question_type must be one of {', '.join(QUESTION_TYPES)}, got {question_type!r}; name one")
    answers = [answer] if isinstance(answer, str) else list(answer)
    if not answers:
        raise ValueError("answer must hold at least one accepted answer, got none; give the sample's answer")
    return QUESTION_TYPES[question_type](prediction, answers, options)


def _score_choice(prediction: str, answers: Sequence[str], options: Sequence[str]) -> float | None:
    if not 0 < len(options) <= len(ascii_uppercase):
        raise ValueError(f"options must be 1 to {len(ascii_uppercase)} texts, got {len(options)}; give the sample's")
    letter = _chosen_letter(prediction, options)
    return None if letter is None else float(letter in answers)


def _chosen_letter(reply: str, options: Sequence[str]) -> str | None:
    """Look for `(X)`, then for ` X `, then for an option's text; of several options the one that is named last."""
    for sign in STRIPPED:
        reply = reply.strip(sign)
    reply = f" {reply} "
    letters = ascii_uppercase[: len(options)]
    searches = [(reply, {letter: f"({letter})" for letter in letters}), (reply, {c: f" {c} " for c in letters})]
    if len(reply.split()) >= MIN_WORDS_FOR_TEXT:
        texts = {letter: option.lower() for letter, option in zip(letters, options, strict=True)}
        searches.append((reply.lower(), texts))
    for text, marks in searches:
        places = {letter: text.rfind(mark) for letter, mark in marks.items()}
        last = max(places, key=lambda letter: places[letter])
        if places[last] >= 0:
            return last
    return None


def _score_open(prediction: str, answers: Sequence[str], _options: Sequence[str]) -> float | None:
    """Compare numbers as numbers, and look for the text of an accepted answer in what is said."""
    accepted = {form for answer in answers for form in _forms(answer)}
    texts = [form for form in accepted if isinstance(form, str)]
    said = [form for part in _candidates(prediction) for form in _forms(part)]
    hits = (any(text in form for text in texts) if isinstance(form, str) else form in accepted for form in said)
    return float(any(hits))


def _candidates(reply: str) -> list[str]:
    """Return the parts of a reply that may be its answer, and all numbers in them."""
    reply = reply.strip().strip(".").lower()
    lines = reply.split("\n")  # the official pattern also splits before a capital, but all is in lower case by then
    tails = [*(_key_tail(line, INDICATORS) for line in lines[:-1]), _key_tail(lines[-1], (*INDICATORS, EQUATION))]
    parts = [tail for tail in tails if tail and tail not in TRIVIAL] or [reply]
    return [*parts, *(number for part in parts for pattern in NUMBERS for number in pattern.findall(part))]


def _key_tail(line: str, indicators: Sequence[str]) -> str:
    """Return the shortest text that follows an indicator; an empty one gives way to the next, as it does there."""
    shortest = ""
    for indicator in indicators:
        if indicator in line:
            tail = line.rsplit(indicator, 1)[-1].strip()
            if not shortest or len(tail) < len(shortest):
                shortest = tail
    return shortest


def _forms(text: str) -> list[str | float]:
    """Return a number rounded, other text in lower case; a single letter only beside a space: it would be anywhere."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), DECIMALS)]
    except ValueError:
        text = text.lower()
    return [f" {text}", f"{text} "] if len(text) == 1 else [text]


QUESTION_TYPES: Mapping[str, Callable[[str, Sequence[str], Sequence[str]], float | None]] = {
    "multiple-choice": _score_choice,
    "open": _score_open,
}
