"""What a check returns: the sample's logits and tokens as a plain run has them, and what was returned of them."""

import pytest
import torch

from bench.checks.passes import returned_of
from moevlm import DecodeState, decode_steps, prefill
from tests.bench.checks.test_imposed import NUM_TOKENS, Case, make


@pytest.fixture(scope="module")
def case() -> Case:
    return make(torch.float64)


def state_after(case: Case, num_steps: int) -> DecodeState:
    state = prefill(case.twins["moe"], case.checks.tensors, max_new_tokens=NUM_TOKENS)
    return decode_steps(case.twins["moe"], state, num_steps=num_steps) if num_steps else state


def test_the_answer_of_steps_is_each_passs_logits_and_tokens(case: Case) -> None:
    answer = case.checks.steps(case.step, NUM_TOKENS)("moe")
    assert answer is not None
    number = case.checks.number
    for steps, (found_V, token) in enumerate(zip(answer.rows_TD, answer.tokens, strict=True)):
        state = state_after(case, steps)
        torch.testing.assert_close(found_V, state.logits_BV[number])
        assert token == int(state.next_token_B1[number])
    assert answer.what == f"logits, sample {number} of 3"
    assert len(answer.tokens) == NUM_TOKENS + 1


def test_a_prompt_that_has_agreed_is_answered_again_without_a_run(case: Case) -> None:
    ran: list[str] = []

    def read(arm: str) -> DecodeState:
        ran.append(arm)
        return prefill(case.twins[arm], case.checks.tensors, max_new_tokens=1)

    check = case.checks.prompt(read)
    first, again = check("dense"), check("dense")
    assert ran == ["dense"]
    assert first is again
    assert first is not None
    assert torch.equal(first.rows_TD[0], read("dense").logits_BV[case.checks.number])


def test_what_a_run_returns_stands_in_the_place_of_what_its_head_made(case: Case) -> None:
    start, number = state_after(case, 0), case.checks.number
    said = case.checks.says("moe", 2)[1:]
    found = case.checks.passes("moe", lambda: 2 * case.step("moe", start, 1).logits_BV, said, first=1)
    torch.testing.assert_close(found.rows_TD[0], 2 * state_after(case, 1).logits_BV[number])
    others = case.checks.passes("moe", lambda: case.step("moe", start, 1).tokens_BN + 1, said, first=1)
    assert others.tokens == (said[0].token + 1,)


@pytest.mark.parametrize(
    ("result", "logits", "tokens"),
    [
        (torch.tensor([[1, 2], [3, 4]]), None, (3, 4)),
        (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), [3.0, 4.0], ()),
        ("nothing", None, ()),
        (None, None, ()),
    ],
)
def test_a_sample_share_of_tokens_is_told_from_that_of_logits(
    result: object, logits: list[float] | None, tokens: tuple[int, ...]
) -> None:
    found = returned_of(result, 1)
    assert (None if found.logits_V is None else found.logits_V.tolist()) == logits
    assert found.tokens == tokens
