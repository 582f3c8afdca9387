"""Which passes of another engine agree with the oracle's: hand-made logits and routers' scores."""

import math

import pytest
import torch

from bench.harness.agreement import WrongAnswer
from bench.peers.agreement import check_pass, error_at, is_open
from fixtures.oracle.answers import Choice, Said

BOUND = 0.01  # three of them are 0.03 of the scores' spread


def said(*scores: list[float], dtype: torch.dtype = torch.float32) -> Said:
    """Return a pass whose logits are (1, 0), with the two best experts of each layer's last token chosen."""
    choices = []
    for layer in scores:
        logits_TE = torch.tensor([[9.0, 9.0, 9.0, 9.0], layer])  # the token before is a tie, and does not count
        weights_TK, ids_TK = logits_TE.topk(2)
        choices.append(Choice(logits_TE, weights_TK, ids_TK))
    logits_V = torch.tensor([1.0, 0.0], dtype=dtype)
    return Said(hidden_TH=torch.zeros(2, 4), choices=tuple(choices), logits_V=logits_V)


def lead(spreads: float) -> list[float]:
    """Return scores of spread 1 whose second leads the third by so many spreads."""
    half = spreads / 2
    outer = math.sqrt(2 - half**2)  # mean square of (outer, half, -half, -outer) is 1
    return [outer, half, -half, -outer]


CLEAR, TIE = lead(0.031), lead(0.029)


def test_a_router_is_open_where_its_last_expert_leads_by_less_than_three_bounds() -> None:
    assert not is_open(said(CLEAR, CLEAR), BOUND)
    assert is_open(said(CLEAR, TIE), BOUND)
    assert not is_open(said(), BOUND)


def test_a_router_that_takes_all_experts_is_never_open() -> None:
    scores_TE = torch.zeros(1, 4)
    choice = Choice(scores_TE + torch.arange(4.0), *scores_TE.topk(4))
    assert not is_open(Said(hidden_TH=scores_TE, choices=(choice,), logits_V=scores_TE[0]), BOUND)


@pytest.mark.parametrize(
    ("scores", "dtype", "off", "agrees"),
    [
        ([], torch.float32, 0.01, True),  # (1, off) has a cosine of 1 / sqrt(1 + off^2): 0.99995
        ([], torch.float32, 0.02, False),  # 0.9998
        ([], torch.float32, math.nan, False),
        ([lead(0.1)], torch.float32, 0.02, False),
        ([lead(0.001)], torch.float32, 0.02, True),
        ([lead(0.001)], torch.float32, 0.3, True),  # 0.958
        ([lead(0.001)], torch.float32, 0.4, False),  # 0.928
        ([], torch.bfloat16, 0.3, True),
        ([], torch.bfloat16, 0.4, False),
    ],
)
def test_logits_point_where_the_oracles_do_or_nearly_so_beside_a_near_tie(
    scores: list[list[float]], dtype: torch.dtype, off: float, *, agrees: bool
) -> None:
    found, expected = torch.tensor([1.0, off]), said(*scores, dtype=dtype)
    if agrees:
        check_pass(found, expected, place="here")
    else:
        with pytest.raises(WrongAnswer, match=r"cosine of at least .*, got .* at here"):
            check_pass(found, expected, place="here")


def test_a_token_that_is_not_open_is_wrong_beside_a_near_tie_too() -> None:
    found = torch.tensor([0.7, 0.75])
    expected = said(lead(0.001))
    expected.logits_V.copy_(torch.tensor([0.75, 0.7]))  # a cosine of 0.998, and a lead of two spreads
    with pytest.raises(WrongAnswer, match="the token must be 0"):
        check_pass(found, expected, place="here")


def test_an_error_is_the_distance_of_two_rows_of_length_1() -> None:
    turned = torch.tensor([math.cos(0.1), math.sin(0.1)], dtype=torch.float64)
    assert error_at(math.cos(0.1)) == pytest.approx(float((turned - torch.tensor([1.0, 0.0])).norm()))
