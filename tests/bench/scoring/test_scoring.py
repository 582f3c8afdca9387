"""Answers are scored as the official code of each benchmark does; no text, however odd, stops a run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.scoring import (
    SCORERS,
    Reference,
    score,
    score_chartqa,
    score_docvqa,
    score_mathvista,
    score_mmmu,
)
from bench.scoring.mmmu import NUMBERS

CASES = json.loads((Path(__file__).parents[2] / "data" / "scoring_cases.json").read_text())["cases"]
HUGE = 100_000  # letters of a reply that never ends
PLAIN_NUMBERS = (  # MMMU's patterns as published: the same matches, but a time quadratic in a run of digits
    r"-?\b\d{1,3}(?:,\d{3})+\b",
    r"-?\d+(?:\.\d+)?[eE][+-]?\d+",
    r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])",
)
OPTIONS = ("acute angle", "right angle", "obtuse angle", "")
REFERENCES = {
    "chartqa": (Reference(answers=("12%", "0", "nan", "Abc")),),
    "docvqa": (Reference(answers=("", "Straße 5")),),
    "mmmu": (
        Reference(answers=("B",), question_type="multiple-choice", options=OPTIONS),
        Reference(answers=("8.4", "x", "inf"), question_type="open"),
    ),
    "mathvista": (
        Reference(answers=("right angle",), question_type="multi_choice", answer_type="text", options=OPTIONS),
        *(
            Reference(answers=("8",), question_type="free_form", answer_type=answer_type, precision=2.0)
            for answer_type in ("integer", "float", "list", "text")
        ),
    ),
}
ODD_REPLIES = (
    "nan",
    "-inf",
    "1e999",
    "1_0",
    "\u0663\u066b\u0665",
    "½",
    "%",
    "%%",
    "(A)(",
    "\n=\n",
    "\x00",
    "ß" * 9,
    "İ",
    "\ud800",
    "=",
)
HUGE_REPLIES = (
    "7" * HUGE,
    "7" * HUGE + "a",
    ".7" * HUGE,
    "is " * HUGE,
    "\n" * HUGE,
    "(B) " * HUGE,
    "\u0627" * HUGE,
    "," * HUGE,
)


def by_case(case: dict[str, Any]) -> str:
    return f"{case['task']}: {case['why']}"


@pytest.mark.parametrize("case", CASES, ids=by_case)
def test_each_case_of_the_official_scorers(case: dict[str, Any]) -> None:
    extra = case["extra"]
    known = Reference(
        answers=tuple(case["answers"]),
        question_type=extra.get("question_type", ""),
        options=tuple(extra.get("options") or extra.get("choices") or ()),
        answer_type=extra.get("answer_type", ""),
        precision=extra.get("precision"),
    )
    scored = score(case["task"], case["prediction"], known)
    assert scored == (None if case["expected"] is None else pytest.approx(case["expected"], abs=1e-6))


def test_the_cases_cover_every_scorer() -> None:
    assert {case["task"] for case in CASES} == set(SCORERS)


@pytest.mark.parametrize("scorer", SCORERS)
@given(reply=st.text() | st.text(alphabet="0123456789.,eE+-%()ABC =\n", max_size=40) | st.sampled_from(ODD_REPLIES))
def test_any_text_gets_a_score_from_0_to_1(scorer: str, reply: str) -> None:
    for known in REFERENCES[scorer]:
        scored = score(scorer, reply, known)
        assert scored is None or 0 <= scored <= 1
        assert scored is not None or known.question_type == "multiple-choice"


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("reply", HUGE_REPLIES, ids=lambda reply: repr(reply[:4]))
def test_a_huge_reply_gets_a_score(scorer: str, reply: str) -> None:
    for known in REFERENCES[scorer]:
        scored = score(scorer, reply, known)
        assert scored is None or 0 <= scored <= 1


@pytest.mark.parametrize(
    ("pattern", "plain"), list(zip(NUMBERS, PLAIN_NUMBERS, strict=True)), ids=["commas", "e", "simple"]
)
@given(text=st.text(alphabet="0123456789.,eE+- a", max_size=30) | st.text())
@example(text="1.23e5 -12,345 6.5.4 .5e 1e5e6 --7")
def test_numbers_are_found_as_by_the_published_patterns(pattern: re.Pattern[str], plain: str, text: str) -> None:
    assert pattern.findall(text) == re.findall(plain, text)


@given(true=st.integers(1, 10**6), error=st.floats(-0.2, 0.2))
def test_chartqa_accepts_numbers_within_5_percent(true: int, error: float) -> None:
    said = true * (1 + error)
    relative = abs(said - true) / true
    if abs(relative - 0.05) > 1e-9:
        assert score_chartqa(repr(said), [str(true)]) == float(relative < 0.05)


@given(said=st.text(max_size=8), true=st.text(max_size=8))
def test_docvqa_is_the_levenshtein_similarity_of_a_slow_plain_table(said: str, true: str) -> None:
    row = list(range(len(plain(true)) + 1))
    for i, letter in enumerate(plain(said), 1):
        left = [i]
        for j, other in enumerate(plain(true), 1):
            left.append(min(row[j] + 1, left[-1] + 1, row[j - 1] + (letter != other)))
        row = left
    length = max(len(said.upper()), len(true.upper()))
    similarity = 1 - row[-1] / length if length else 1.0
    assert score_docvqa(said, [true]) == pytest.approx(similarity if similarity >= 0.5 else 0)


def plain(text: str) -> str:
    return " ".join(text.lower().split())


def test_the_best_of_several_answers_counts() -> None:
    assert score_chartqa("2010", ["x", "2010"]) == 1
    assert score_docvqa("paul", ["peter", "paul"]) == 1


def test_mmmu_searches_the_text_of_options_only_in_a_reply_of_six_words() -> None:
    options = ["acute angle", "right angle"]
    assert score_mmmu("it must be the right angle", "B", "multiple-choice", options) == 1
    assert score_mmmu("this is the right angle", "B", "multiple-choice", options) is None
    assert (
        score_mmmu("not a right angle but an acute angle", "A", "multiple-choice", options) == 1
    )  # the last one named


def test_mmmu_takes_an_equation_only_in_the_last_line() -> None:
    assert score_mmmu("done\nx = 5", "5", "open", []) == 1
    assert score_mmmu("x = 5\nthe result is 6", "5", "open", []) == 0


def test_mathvista_takes_the_precision_that_the_public_copy_stores_as_a_float() -> None:
    assert score_mathvista("0.649", "0.65", "free_form", "float", None, 2.0) == 1
    assert score_mathvista("1e999", "5", "free_form", "integer", None, None) == 0


@pytest.mark.parametrize(
    ("scorer", "known", "message"),
    [
        ("vqa", Reference(answers=("a",)), "scorer must be one of chartqa, docvqa, mmmu, mathvista, got 'vqa'"),
        ("chartqa", Reference(answers=()), "answers must hold at least one"),
        ("mmmu", Reference(answers=("A",), question_type="choice"), "question_type must be one of multiple-choice"),
        ("mmmu", Reference(answers=("A",), question_type="multiple-choice"), "options must be 1 to 26 texts, got 0"),
        ("mathvista", Reference(answers=("A",), question_type="open"), "question_type must be one of multi_choice"),
        ("mathvista", Reference(answers=("A",), question_type="free_form"), "answer_type must be one of text, integer"),
        ("mathvista", Reference(answers=("A",), question_type="multi_choice", answer_type="text"), "choices must hold"),
        *(
            ("mathvista", Reference(answers=("1",), question_type="free_form", answer_type="float", precision=decimals),
             "precision must be a whole number")
            for decimals in (None, 0.5, float("nan"))
        ),
    ],
)  # fmt: skip
def test_a_reference_that_cannot_be_scored_against_is_refused(scorer: str, known: Reference, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(scorer, "A", known)


@pytest.mark.parametrize("scorer", [score_chartqa, score_docvqa])
def test_no_answers_are_refused_by_the_scorer_itself(scorer: Any) -> None:
    with pytest.raises(ValueError, match="answers must hold at least one"):
        scorer("a", [])
