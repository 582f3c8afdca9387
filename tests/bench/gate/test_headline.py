"""Tests of the sentence that says what happened to each arm."""

import math
from collections.abc import Mapping

from bench.gate.headline import Told, headline, tell
from bench.gate.stats import Interval
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict


def told(group: str, factor: float = 1.0, arm: str = "MoE", verdict: Verdict | None = None, half: float = 0.01) -> Told:
    shift = math.log(factor)
    implied = Verdict.REGRESSED if factor > 1.02 else Verdict.IMPROVED if factor < 0.98 else Verdict.OK
    return Told(group, arm, Interval(shift, shift - half, shift + half), verdict or implied)


def test_a_slower_benchmark_is_named_before_what_is_unchanged_and_before_the_other_arm() -> None:
    said = headline([told("prefill at tiny"), told("decode at tiny", 1.06), told("suite", arm="dense")])
    assert said == "MoE decode 6 % slower, prefill unchanged, dense unchanged"


def test_where_all_is_unchanged_nothing_is_listed() -> None:
    said = headline([told("decode at tiny"), told("prefill at tiny"), told("suite"), told("suite", arm="dense")])
    assert said == "MoE unchanged, dense unchanged"


def test_a_general_slowdown_is_said_once_by_the_mean_over_the_suite() -> None:
    assert headline([told("decode at tiny", 1.06), told("prefill at tiny", 1.04), told("suite", 1.05)]) == (
        "MoE 5 % slower"
    )


def test_scales_of_a_benchmark_are_joined_where_they_agree_and_named_where_they_do_not() -> None:
    agreed = [told("decode at tiny", 1.06), told("decode at proxy", 1.09), told("vision at tiny")]
    assert headline(agreed) == "MoE decode 6 to 9 % slower, vision unchanged"
    apart = [told("decode at tiny", 1.06), told("decode at proxy"), told("vision at tiny")]
    assert headline(apart) == "MoE decode at tiny 6 % slower, decode at proxy and vision unchanged"


def test_the_suites_own_move_stands_before_the_groups_that_differ() -> None:
    said = headline([told("decode at tiny", 1.08), told("prefill at tiny"), told("suite", 1.04)])
    assert said == "MoE 4 % slower overall, decode 8 % slower, prefill unchanged"


def test_faster_and_undecided_are_said_too_and_unchanged_comes_last() -> None:
    parts = [
        told("vision at tiny"),
        told("decode at tiny", verdict=Verdict.INCONCLUSIVE),
        told("generate at tiny", 0.9),
    ]
    assert headline(parts) == "MoE generate 10 % faster, decode undecided, vision unchanged"


def test_what_could_hide_more_than_the_cap_is_not_called_unchanged() -> None:
    assert headline([told("suite", half=0.1)]) == "MoE unchanged"
    assert headline([told("suite", half=0.2)]) == "MoE undecided"


def test_nothing_judged_says_nothing() -> None:
    assert headline([]) == ""


def suite_of(shifts: Mapping[tuple[str, str], float]) -> ScenarioVerdict:
    changes = tuple(
        Change(
            control=Control(arm=arm, against=against),
            interval=Interval(shift, shift - 0.01, shift + 0.01),
            tolerance=0.05,
            verdict=Verdict.REGRESSED if shift else Verdict.OK,
            suspect=False,
        )
        for (arm, against), shift in shifts.items()
    )
    return ScenarioVerdict(scenario="suite", verdict=Verdict.REGRESSED, changes=changes)


def test_an_arm_is_told_by_its_most_severe_ratio() -> None:
    both = tell([suite_of({("moe", "dense"): 0.0, ("moe", "anchor"): 0.2, ("dense", "anchor"): 0.2})])
    assert headline(both) == "MoE and dense 22 % slower"


def test_an_arm_that_is_cold_beside_a_four_times_slower_one_is_not_called_slower() -> None:
    cooled = tell([suite_of({("moe", "dense"): 1.38, ("moe", "anchor"): 1.5, ("dense", "anchor"): 0.12})])
    assert headline(cooled) == "MoE 297 % slower, dense undecided"


def test_what_both_arms_did_at_one_scale_alone_is_said_once() -> None:
    slower, same = Interval(0.2, 0.1, 0.3), Interval(0.0, -0.01, 0.01)
    told = [
        one
        for arm in ("MoE", "dense")
        for one in (
            Told("decode at tiny", arm, slower, Verdict.REGRESSED),
            Told("decode at proxy", arm, same, Verdict.OK),
            Told("suite", arm, same, Verdict.OK),
        )
    ]
    assert headline(told) == "MoE and dense decode at tiny 22 % slower, decode at proxy unchanged"


def test_arms_of_which_much_is_said_are_parted_visibly() -> None:
    slower, same = Interval(0.2, 0.1, 0.3), Interval(0.0, -0.01, 0.01)
    verdicts = {("decode", "MoE"): Verdict.REGRESSED, ("prefill", "dense"): Verdict.REGRESSED}
    told = [
        Told(group, arm, slower if (group, arm) in verdicts else same, verdicts.get((group, arm), Verdict.OK))
        for arm in ("MoE", "dense")
        for group in ("decode", "prefill")
    ]
    assert headline(told) == "MoE decode 22 % slower, prefill unchanged; dense prefill 22 % slower, decode unchanged"
