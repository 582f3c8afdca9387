"""Tests of numbers and names in words."""

import pytest

from bench.harness.wording import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "thread", "1 thread"),
        (0, "thread", "0 threads"),
        (2, "suspect", "2 suspects"),
        (1, "fresh launch", "1 fresh launch"),
        (20, "fresh launch", "20 fresh launches"),
        (16384, "token", "16,384 tokens"),
    ],
)
def test_one_thing_is_singular_and_any_other_number_plural(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
