"""What two measurements ran on: a kernel that head lost is head's failure, all else makes them not comparable."""

import pytest

from bench.gate.backends import mismatch
from bench.gate.verdict import Verdict
from bench.harness.backends import Backend, RanOn

ALL, SOME, NONE = Backend(("generic", "dot")), Backend(("generic",)), Backend((), "no compiler")


def on(backend: Backend | None, **libraries: str) -> RanOn:
    return RanOn(libraries, {"kernels": backend} if backend else {})


@pytest.mark.parametrize("backend", [ALL, SOME, NONE, None])
def test_the_same_on_both_sides_is_no_mismatch(backend: Backend | None) -> None:
    assert mismatch(on(backend, torch="2"), on(backend, torch="2")) is None


@pytest.mark.parametrize(
    ("base", "head", "verdict", "why"),
    [
        (ALL, NONE, Verdict.FAILED, "head runs without kernels generic, dot, which base has: no compiler"),
        (ALL, SOME, Verdict.FAILED, "head runs without kernels dot, which base has"),
        (NONE, ALL, Verdict.NOT_COMPARABLE, "base runs without kernels generic, dot, which head has: no compiler"),
        (SOME, ALL, Verdict.NOT_COMPARABLE, "base runs without kernels dot, which head has"),
        (None, NONE, Verdict.FAILED, "head runs without kernels, of which base tells nothing: no compiler"),
    ],
)
def test_what_one_side_lacks_is_told_with_its_reason(
    base: Backend | None, head: Backend, verdict: Verdict, why: str
) -> None:
    assert mismatch(on(base), on(head)) == (verdict, why)


def test_of_what_a_side_does_not_name_nothing_is_said() -> None:
    assert mismatch(on(None), on(ALL)) is None
    assert mismatch(on(ALL), on(None)) is None


@pytest.mark.parametrize(
    ("head", "said"),
    [({"torch": "2.14"}, "torch: 2.13 / 2.14"), ({"torch": "2.13", "triton": "3"}, "triton: absent / 3")],
)
def test_other_libraries_are_not_comparable(head: dict[str, str], said: str) -> None:
    found = mismatch(on(ALL, torch="2.13"), on(ALL, **head), ("the baseline", "this run"))
    assert found == (Verdict.NOT_COMPARABLE, f"other libraries (the baseline / this run): {said}")


def test_a_lost_kernel_is_told_before_another_library() -> None:
    found = mismatch(on(ALL, torch="2.13"), on(NONE, torch="2.14"))
    assert found is not None
    assert found.verdict is Verdict.FAILED
