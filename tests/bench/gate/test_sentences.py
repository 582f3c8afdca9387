"""Tests of the sentences that explain verdicts and sum a run up."""

import math
from dataclasses import replace

import pytest

from bench.gate.cap import capped
from bench.gate.sentences import explain, explanations, summary
from bench.gate.stats import Interval
from bench.gate.verdict import Control, ScenarioVerdict, Verdict
from tests.bench.sample_verdicts import NAME, change, said_of


def test_a_regression_is_explained_by_what_moved_where_and_on_which_evidence() -> None:
    moved = change(Verdict.REGRESSED, estimate=math.log(1.3))
    text = explain(said_of(Verdict.REGRESSED, moved, change(Verdict.OK), where="MoE", num_launches=2))
    assert text == (
        f"{NAME}: REGRESSED, in MoE: moe/dense +30.0 % [+28.7, +31.3] beyond the tolerance of 10.0 %"
        " over 2 fresh launches"
    )


def test_a_counted_regression_says_nothing_of_launches() -> None:
    more = replace(change(Verdict.REGRESSED), control=Control(arm="moe", against=None))
    share = replace(more, interval=Interval(*[math.log(0.8 / 0.6)] * 3), tolerance=math.log(0.8 / 0.76), share=0.8)
    assert explain(said_of(Verdict.REGRESSED, share, where="MoE")) == (
        f"{NAME}: REGRESSED, in MoE: moe -20.0 points beyond the tolerance of 4.0 points"
    )


def test_what_is_unclear_names_the_smallest_change_that_could_have_been_seen() -> None:
    unclear = change(Verdict.INCONCLUSIVE, estimate=0.0)
    text = explain(said_of(Verdict.INCONCLUSIVE, unclear, why="the time budget ended", where="MoE"))
    assert text == (
        f"{NAME}: INCONCLUSIVE: moe/dense +0.0 % [-1.0, +1.0] where the smallest change that could have been seen is"
        " 10.0 %; the time budget ended"
    )


def test_what_decides_nothing_explains_nothing() -> None:
    advisory = replace(change(Verdict.INCONCLUSIVE, estimate=math.log(1.5), against="anchor"), decides=False)
    assert "anchor" not in explain(said_of(Verdict.INCONCLUSIVE, change(Verdict.INCONCLUSIVE), advisory))


def test_a_wrong_answer_is_explained_by_its_check() -> None:
    assert explain(said_of(Verdict.WRONG, why="dense: got 0.3")) == f"{NAME}: WRONG: dense: got 0.3"


def test_explanations_leave_out_what_is_fine_or_new_and_begin_with_the_worst() -> None:
    found = explanations(
        [
            said_of(Verdict.OK),
            said_of(Verdict.NEW, why="new here"),
            said_of(Verdict.UNFIT, why="too noisy"),
            said_of(Verdict.REGRESSED, change(Verdict.REGRESSED)),
        ]
    )
    assert [text.split()[1].rstrip(":") for text in found] == ["REGRESSED", "UNFIT"]


def test_summary_counts_verdicts_most_severe_first() -> None:
    verdicts = [said_of(v) for v in (Verdict.OK, Verdict.REGRESSED, Verdict.OK, Verdict.WRONG, Verdict.NEW)]
    assert summary(verdicts, num_measured=3, seconds=61.4, check_s=9.4, timed_s=31.5) == (
        "3 scenarios measured in 61 s, 32 s of them timed calls, 9 s checks, "
        "3 compared: 1 WRONG, 1 REGRESSED, 1 NEW, 2 OK"
    )
    assert summary([], num_measured=3, seconds=61.4, check_s=0.0, timed_s=0.0) == (
        "3 scenarios measured in 61 s, 0 s of them timed calls, 0 s checks, 0 compared: no verdict"
    )


def within(*percents: float) -> ScenarioVerdict:
    return said_of(Verdict.OK, *(replace(change(Verdict.OK), tolerance=math.log1p(p / 100)) for p in percents))


def test_summary_says_which_slowdowns_would_have_been_seen() -> None:
    advisory = replace(within(60.0).changes[0], decides=False)
    endless = replace(advisory, tolerance=math.inf, decides=True)
    last = within(5.0, 11.4)
    verdicts = [within(9.0, 5.0), within(20.0), replace(last, changes=(*last.changes, advisory, endless))]
    line = summary(verdicts, num_measured=3, seconds=1.0, check_s=0.0, timed_s=0.0)
    assert line.endswith("3 compared: 3 OK; slowdowns above 9 to 20 % would have been seen")
    assert summary(verdicts[:1], num_measured=1, seconds=1.0, check_s=0.0, timed_s=0.0).endswith(
        "1 OK; slowdowns above 9 % would have been seen"
    )


def test_what_the_machine_is_too_noisy_for_is_said_once() -> None:
    found = explanations([capped(within(20.0)), capped(within(31.0)), said_of(Verdict.REGRESSED), within(5.0)])
    assert found[1:] == [
        "2 scenarios: INCONCLUSIVE: cannot be judged on this machine now, where OK must exclude a slowdown of 15 %;"
        " measure again, its baseline too if need be, on a quieter one;"
        " slowdowns below 20 to 31 % could have gone unseen"
    ]


@pytest.mark.parametrize("tolerance", [math.inf, math.nan])
def test_what_has_no_bounds_yet_says_so(tolerance: float) -> None:
    seen = replace(change(Verdict.INCONCLUSIVE), interval=Interval(0.0, -math.inf, math.inf), tolerance=tolerance)
    assert explain(said_of(Verdict.INCONCLUSIVE, seen)) == f"{NAME}: INCONCLUSIVE: moe/dense +0.0 % [no bounds yet]"


@pytest.mark.parametrize(("estimate", "way"), [(math.inf, "worse"), (-math.inf, "better")])
def test_against_a_count_of_0_there_is_no_ratio(estimate: float, way: str) -> None:
    seen = replace(change(Verdict.REGRESSED), interval=Interval(estimate, estimate, estimate))
    assert f"moe/dense {way} beyond any ratio, for one side is 0 beyond" in explain(said_of(Verdict.REGRESSED, seen))
