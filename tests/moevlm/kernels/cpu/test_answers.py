"""The check of loaded operators: the compiled ones pass it, missing and wrong ones do not."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from moevlm.kernels.cpu import answers
from moevlm.kernels.cpu.build import FAKE_OUTPUTS, load

pytestmark = pytest.mark.skipif(load() is not None, reason=f"the kernels could not be compiled: {load()}")


class Spoilt:
    """The compiled operators, one of which is another function."""

    def __init__(self, name, function):
        self.name, self.function = name, function

    def __getattr__(self, name):
        right = getattr(torch.ops.moevlm, name)
        return self.function(right) if name == self.name else right


def missing(_):
    raise AttributeError("no such operator")


def failing(_):
    def fail(*_):
        raise RuntimeError("not implemented\nhere")

    return fail


def otherwise(right):
    def answer_otherwise(*arguments):
        answer = right(*arguments)
        return tuple(each * 2 for each in answer) if isinstance(answer, tuple) else (answer + 1) * 4  # no tier either

    return answer_otherwise


def test_the_compiled_operators_answer():
    assert answers.flaw(torch.ops.moevlm) is None


def test_every_operator_is_asked():
    assert set(answers.CASES) == {*FAKE_OUTPUTS, "best_tier"}


@pytest.mark.parametrize("name", answers.CASES)
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (missing, "cannot answer {name}: no such operator"),
        (failing, "cannot answer {name}: not implemented"),
        (otherwise, "answers {name} with "),
    ],
)
def test_a_missing_failing_or_wrong_operator_is_named(name, spoil, said):
    assert said.format(name=name) in (answers.flaw(Spoilt(name, spoil)) or "")


def test_nan_is_a_wrong_answer():
    spoilt = Spoilt("few_rows", lambda right: lambda *arguments: right(*arguments) * torch.nan)
    assert answers.flaw(spoilt) == "answers few_rows with nan where 64 is right"


@pytest.mark.parametrize(("place", "value"), [(9, 1), (10, 64)])
def test_keys_or_values_that_are_not_kept_are_a_wrong_answer(place, value):
    def forgetful(right):
        return lambda *given: right(*given[:place], given[place].clone(), *given[place + 1 :])

    assert answers.flaw(Spoilt("attend", forgetful)) == f"answers attend with 0 where {value} is right"


@pytest.mark.parametrize("mode", [FakeTensorMode, torch.inference_mode, lambda: torch.device("meta")])
def test_the_callers_modes_do_not_change_the_answers(mode):
    with mode():
        assert answers.flaw(torch.ops.moevlm) is None
