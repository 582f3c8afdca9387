"""Tests of which rows of a comment stand open, and where."""

from bench.gate.comment_rows import GROUP_HEADERS, HEADERS, MOST_ROWS, opened, ranked
from bench.gate.verdict import ScenarioVerdict, Verdict
from tests.bench.sample_verdicts import change


def said(verdict: Verdict, *names: str) -> list[ScenarioVerdict]:
    return [ScenarioVerdict(scenario=name, verdict=verdict, changes=(change(verdict),)) for name in names]


def names(verdicts: list[ScenarioVerdict]) -> list[str]:
    return [one.scenario for one in opened(ranked(verdicts))]


def test_at_most_ten_stand_open_and_each_benchmark_has_its_worst_there() -> None:
    slow = said(Verdict.REGRESSED, *(f"bench_decode[{i}]" for i in range(30)))
    open_ones = said(Verdict.INCONCLUSIVE, *(f"bench_prefill[{i}]" for i in range(5)))
    found = names([*open_ones, *slow, *said(Verdict.FAILED, "bench_vision[0]")])
    assert len(found) == MOST_ROWS
    assert [name for name in found if "decode" not in name] == ["bench_vision[0]", "bench_prefill[0]"]


def test_rows_of_one_benchmark_stand_together_behind_their_worst() -> None:
    found = names([
        *said(Verdict.INCONCLUSIVE, "bench_decode[1]", "bench_prefill[1]"),
        *said(Verdict.REGRESSED, "bench_prefill[2]", "bench_decode[2]"),
    ])  # fmt: skip
    assert found == ["bench_prefill[2]", "bench_prefill[1]", "bench_decode[2]", "bench_decode[1]"]


def test_what_is_ok_does_not_stand_open_and_what_is_faster_does() -> None:
    found = [
        *said(Verdict.OK, "bench_a[1]"),
        *said(Verdict.IDENTICAL, "bench_b[1]"),
        *said(Verdict.IMPROVED, "bench_c[1]"),
    ]
    assert names(found) == ["bench_c[1]"]


def test_what_the_budget_did_not_hold_has_no_open_row_and_what_failed_has() -> None:
    bare = [ScenarioVerdict(scenario=one.value, verdict=one) for one in (Verdict.INCONCLUSIVE, Verdict.FAILED)]
    assert names(bare) == ["FAILED"]


def test_verdict_and_change_are_what_a_telephone_shows_first() -> None:
    assert HEADERS[:2] == GROUP_HEADERS[:2] == ("verdict", "change [95 %]")
