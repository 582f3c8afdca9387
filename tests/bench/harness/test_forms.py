"""Tests of holding a document against a form: the culprit is named, wherever it is."""

from typing import Annotated

import pytest
from msgspec import Meta, Struct

from bench.harness.documents import DocumentError
from bench.harness.forms import Count, Finite, NotNegative, Number, Positive, Text, checked


class Inner(Struct, forbid_unknown_fields=True):
    name: Text
    values: dict[str, list[Positive]] = {}
    pair: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("name must be good, got bad")


class Outer(Struct):
    inner: dict[str, Inner]
    rows: Annotated[list[Inner], Meta(max_length=2)] = []


GOOD = {"name": "x"}
SEVERAL = {"a": 1, "b": 2, "c": -3, "d": -4}.items()
BROKEN = {
    "no object": (7, "must be object, got 7"),
    "missing": ({}, "must have inner, got no inner"),
    "missing within": ({"inner": {"a": {}}}, "inner.a must have name, got no name"),
    "unknown": ({"inner": {"a": GOOD, "b": {**GOOD, "more": 1}}}, "inner.b must have known fields alone, got more"),
    "type": ({"inner": {}, "rows": [GOOD, {"name": 3}]}, "rows[1].name must be string, got 3"),
    "length": ({"inner": {}, "rows": [{"name": ""}]}, "rows[0].name must be string of length 1 or more, got ''"),
    "too long": ({"inner": {}, "rows": [GOOD] * 3}, "rows must be list of length 2 at most, got [{'name': 'x'}, "),
    "pair": ({"inner": {"a": {**GOOD, "pair": [1]}}}, "inner.a.pair must be list of length 2, got [1]"),
    "own rule": ({"inner": {"a": GOOD, "b.c": {"name": "bad"}}}, "inner.b.c.name must be good, got bad"),
    "value": ({"inner": {"a": {**GOOD, "values": {"k": [1], "m": [1, 0]}}}},
              "inner.a.values.m[1] must be number above 0, got 0"),
    "the first of several": ({"inner": {key: {**GOOD, "values": {"p": [1], "q": [value]}} for key, value in SEVERAL}},
                             "inner.c.values.q[0] must be number above 0, got -3"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_the_culprit_is_named_with_its_place_and_value(name: str) -> None:
    value, said = BROKEN[name]
    with pytest.raises(DocumentError) as told:
        checked(value, Outer)
    assert str(told.value).startswith(said)


def test_the_place_of_a_part_precedes_the_culprits() -> None:
    with pytest.raises(DocumentError, match=r"^line 3\.name must be string, got None"):
        checked({"name": None}, Inner, "line 3")
    with pytest.raises(DocumentError, match=r"^line 3 must be object, got None"):
        checked(None, Inner, "line 3")


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        (Count, [0, 5], [-1, 1.5, True, "1", None, 10**400]),
        (Number, [-1, 1.5, 0], [True, "1", None, float("inf"), float("nan"), [], {}]),
        (Finite, [-1, 1.5, 0, -1e100], [True, 1e300, "1", None, float("-inf"), float("nan"), 10**400]),
        (Positive, [1e-100, 1, 1e100], [0, -1.0, 1e-300, 1e300, True, float("inf"), float("nan"), 10**400]),
        (NotNegative, [0, 0.0, 1], [-1e-300, True, float("inf"), float("nan")]),
        (Text, ["x"], ["", 1, None]),
    ],
)
def test_numbers_are_finite_and_no_booleans(form: type, good: list[object], bad: list[object]) -> None:
    for value in good:
        assert checked(value, form) == value
    for value in bad:
        with pytest.raises(DocumentError):
            checked(value, form)
