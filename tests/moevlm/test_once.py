"""What is found out once: called once for equal arguments, and no work of a compiled model's."""

import torch

from moevlm.once import constant, once


def test_a_function_is_called_once_for_equal_arguments():
    calls = []

    @once
    def double(value: int) -> int:
        """Double a value."""
        calls.append(value)
        return 2 * value

    assert [double(3), double(3), double(4)] == [6, 6, 8]
    assert calls == [3, 4]
    double.cache_clear()
    assert double(3) == 6
    assert calls == [3, 4, 3]
    assert double.__doc__ == "Double a value."


def test_a_compiled_function_takes_what_cannot_be_traced_as_a_constant(recwarn):
    @once
    def read() -> int:
        with open(__file__) as file:  # noqa: PTH123  # dynamo traces no such thing
            return len(file.readline()[:3])

    traced = torch.compile(lambda x: x * read(), fullgraph=True, backend="eager")
    assert torch.equal(traced(torch.ones(2)), torch.full((2,), 3.0))
    assert not recwarn


def test_a_constant_has_the_mark_of_torchs_own_decorator_and_no_other():
    ours, theirs = constant(lambda: 1), torch.compiler.assume_constant_result(lambda: 1)
    assert vars(ours) == vars(theirs) != {}
