"""Sides that are ready: what keeps their times from being compared, and in which order it is told."""

import dataclasses
import re
from typing import Any

import pytest
import torch

from bench.gate.ab.alike import compare_ready
from bench.gate.ab.channel import Ready
from bench.gate.verdict import Verdict
from bench.harness.answers import Answer, sample_of

COMPILED, NOT_COMPILED = [["generic", "dot"], ""], [[], "g++: not found"]


def ready(value: float = 1.0, backend: Any = COMPILED, **fields: Any) -> Ready:
    answer = vars(sample_of(Answer("logits", torch.full((1, 4), value), bound=1e-4), seed=0))
    plain = Ready(
        arms=["moe"],
        metric="tpot_s",
        hashes={"workload": "w"},
        answers={"moe": answer},
        libraries={"torch": "2.13.0"},
        backends={"cpu_kernels": backend},
    )
    return dataclasses.replace(plain, **fields)


def test_sides_that_do_the_same_are_alike() -> None:
    assert compare_ready("a", ready(), ready(value=1.00001)) is None


@pytest.mark.parametrize(
    ("base", "head", "verdict", "why"),
    [
        ({}, {"hashes": {"workload": "x"}, "value": 2.0}, Verdict.NOT_COMPARABLE, "the same inputs: another workload"),
        ({}, {"libraries": {"torch": "2.14.0"}, "value": 2.0}, Verdict.NOT_COMPARABLE, "torch: 2.13.0 / 2.14.0"),
        ({}, {"backend": NOT_COMPILED}, Verdict.FAILED, "head runs without cpu_kernels generic, dot, which base has"),
        ({"backend": NOT_COMPILED}, {}, Verdict.NOT_COMPARABLE, "base runs without cpu_kernels .*: g.*not found"),
        ({}, {"value": 2.0}, Verdict.CHANGED, "than base: moe: logits differ by 1 .*accept it with --accept-answers"),
    ],
)
def test_the_first_thing_that_is_not_alike_is_told(
    base: dict[str, Any], head: dict[str, Any], verdict: Verdict, why: str
) -> None:
    found = compare_ready("a", ready(**base), ready(**head))
    assert found is not None
    assert (found.scenario, found.verdict) == ("a", verdict)
    assert re.search(why, found.why), found.why


def test_of_a_placebo_nothing_is_heads_fault() -> None:
    for head in (ready(value=2.0), ready(backend=NOT_COMPILED)):
        found = compare_ready("a", ready(), head, is_placebo=True)
        assert found is not None
        assert found.verdict is Verdict.NOT_COMPARABLE


def test_a_side_whose_harness_sends_no_answers_is_compared_by_the_rest() -> None:
    assert compare_ready("a", ready(answers={}, libraries={}, backends={}), ready(libraries={}, value=2.0)) is None
