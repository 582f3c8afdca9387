"""Agreement with an oracle: what is within the bound, what a near-tie leaves open, and how the rest is named."""

import math

import pytest
import torch

from bench.harness import agreement
from bench.harness.agreement import (
    BOUNDS,
    Scores,
    WrongAnswer,
    bound_of,
    check_choice,
    check_choices,
    check_rows,
    leads,
    run_checks,
)

BOUND = 0.01


def place(row):
    return f"position {row}"


def rows(num_rows=5, width=400):
    return torch.randn(num_rows, width, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_within_the_bound_agree_and_one_beyond_it_is_named(dtype):
    expected = rows().to(dtype)
    check_rows(expected.double() * 1.009, expected, bound=BOUND, what="states", place=place)
    found = expected.double().clone()
    found[3] *= 1.02
    with pytest.raises(
        WrongAnswer, match=r"states must .* within 0\.01, got a relative error of 0\.02 at position 3; 1 of 5"
    ):
        check_rows(found, expected, bound=BOUND, what="states", place=place)


def test_a_reordered_sum_is_never_wrong():
    terms = torch.randn(4000, 64, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16).float()
    forwards, backwards = (order.sum(0)[None] for order in (terms, terms.flip(0)))
    assert not torch.equal(forwards, backwards)
    check_rows(forwards, backwards, bound=bound_of(torch.float32), what="sums", place=place)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_wrong_wherever_it_stands(value):
    for poisoned in (0, 1):
        pair = [rows(), rows()]
        pair[poisoned][2, 7] = value
        with pytest.raises(WrongAnswer, match="at position 2"):
            check_rows(*pair, bound=BOUND, what="states", place=place)


def test_rows_of_another_shape_are_wrong():
    with pytest.raises(WrongAnswer, match=r"the oracle's shape \(5, 400\), got \(4, 400\)"):
        check_rows(rows(4), rows(5), bound=BOUND, what="states", place=place)


def chosen(scores_TE, top_k=2):
    scores = torch.as_tensor(scores_TE, dtype=torch.float64)
    return Scores(scores, scores.topk(top_k).indices)


def test_a_lead_is_of_the_worst_chosen_over_the_worst_of_others():
    scores = chosen([[4.0, 3.0, 2.5, 0.0]])
    for others, lead in (([0, 2], 0.5), ([1, 0], 0.0), ([2, 3], 3.0), ([0, 0], math.inf)):
        assert leads(scores, torch.tensor([others])).tolist() == [lead]


def test_a_tie_opens_no_other_choice_than_the_tied_one():
    expected = chosen([[4.0, 3.0, 2.99, 0.0]])
    worst = Scores(expected.scores_TE, torch.tensor([[2, 3]]))
    with pytest.raises(WrongAnswer, match="must choose 0, 1 as the oracle does"):
        check_choices(worst, expected, bound=BOUND, what="router", place=place)


@pytest.mark.parametrize("scores", [[[1.0]], [[2.0, 2.0, 2.0]]])
def test_scores_without_a_spread_must_be_met_exactly(scores):
    expected = chosen(scores, top_k=1)
    assert not check_choices(expected, expected, bound=BOUND, what="router", place=place).any()
    other = chosen([[value + 1e-3 for value in scores[0]]], top_k=1)
    with pytest.raises(WrongAnswer, match="scores of router"):
        check_choices(other, expected, bound=BOUND, what="router", place=place)


def test_the_same_experts_in_another_order_agree():
    expected = chosen([[4.0, 3.0, 1.0, 0.0]])
    found = Scores(expected.scores_TE, expected.ids_TK.flip(1))
    assert check_choices(found, expected, bound=BOUND, what="router", place=place).tolist() == [False]


def test_another_expert_is_open_in_a_near_tie_and_wrong_elsewhere():
    tie = [4.0, 3.0, 2.99, 0.0]  # the spread of these is about 1.7: 0.01 is below three bounds of it
    expected = chosen([tie, [4.0, 3.0, 2.0, 0.0]])
    other = Scores(expected.scores_TE, torch.tensor([[0, 2], [0, 1]]))
    assert check_choices(other, expected, bound=BOUND, what="router", place=place).tolist() == [True, False]
    wrong = Scores(expected.scores_TE, torch.tensor([[0, 1], [0, 2]]))
    with pytest.raises(WrongAnswer, match=r"router must choose 0, 1 .* got 0, 2 at position 1; 1 of 2 rows"):
        check_choices(wrong, expected, bound=BOUND, what="router", place=place)


def test_scores_that_are_off_are_wrong_though_the_choice_is_the_same():
    expected = chosen([[4.0, 3.0, 1.0, 0.0]])
    found = Scores(expected.scores_TE + torch.tensor([0.1, 0, 0, 0]), expected.ids_TK)
    with pytest.raises(WrongAnswer, match=r"scores of router must agree with the oracle's within 0\.03 of"):
        check_choices(found, expected, bound=BOUND, what="router", place=place)


def test_a_token_as_good_as_the_best_is_right_and_one_behind_it_wrong():
    logits_V = torch.tensor([3.0, 2.999, 1.0, -1.0])
    for token in (0, 1):
        check_choice(token, logits_V, bound=BOUND, place="token 4")
    with pytest.raises(WrongAnswer, match=r"the token must be 0, which leads by .*, got 2 at token 4"):
        check_choice(2, logits_V, bound=BOUND, place="token 4")
    with pytest.raises(WrongAnswer):
        check_choice(0, torch.full((4,), math.nan), bound=BOUND, place="token 4")


def test_rounding_at_half_the_bound_makes_no_choice_wrong_and_a_random_choice_is():
    draws, rows = torch.Generator().manual_seed(0), 20_000
    bound, wrong = bound_of(torch.bfloat16), {"rounded": 0, "random": 0}
    expected_TV = torch.randn(rows, 500, generator=draws)
    found_TV = expected_TV + bound / 2 * torch.randn(rows, 500, generator=draws)
    for row, expected_V in enumerate(expected_TV):
        for kind, token in (("rounded", int(found_TV[row].argmax())), ("random", row % 500)):
            try:
                check_choice(token, expected_V, bound=bound, place="a row")
            except WrongAnswer:
                wrong[kind] += 1
    assert wrong["rounded"] == 0
    assert wrong["random"] >= 0.99 * rows


def test_bounds_grow_with_the_root_of_the_depth_beyond_sixteen_layers():
    assert bound_of(torch.float32, 16) == BOUNDS[torch.float32]
    assert bound_of(torch.bfloat16, 64) == pytest.approx(2 * BOUNDS[torch.bfloat16])


def test_each_arm_is_checked_once_and_what_checks_return_is_returned_with_their_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [10.0]
    seen: list[str] = []

    def check(arm: str) -> str:
        seen.append(arm)
        now[0] += 1.5
        return f"of {arm}"

    monkeypatch.setattr(agreement.time, "perf_counter", lambda: now[0])
    assert run_checks(check, ["moe", "dense"]) == ({"moe": "of moe", "dense": "of dense"}, 3.0)
    assert seen == ["moe", "dense"]


def test_the_first_wrong_answer_is_raised() -> None:
    def check(arm: str) -> None:
        raise WrongAnswer(f"{arm} is wrong")

    with pytest.raises(WrongAnswer, match="moe is wrong"):
        run_checks(check, ["moe", "dense"])
