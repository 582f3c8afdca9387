"""Tests of the sentences that explain verdicts and sum a run up."""

import math
from dataclasses import replace

from bench.gate.sentences import explain, explanations, summary
from bench.gate.stats import Interval
from bench.gate.verdict import Control, Verdict
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
    verdicts = [said_of(v) for v in (Verdict.OK, Verdict.REGRESSED, Verdict.OK, Verdict.WRONG)]
    assert summary(verdicts, num_measured=3, seconds=61.4, check_s=9.4) == (
        "3 scenarios measured in 61 s, 9 s of them checks, 3 compared: 1 WRONG, 1 REGRESSED, 2 OK"
    )
    assert summary([], num_measured=3, seconds=61.4, check_s=0.0) == (
        "3 scenarios measured in 61 s, 0 s of them checks, 0 compared: no verdict"
    )
