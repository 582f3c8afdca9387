"""Whether base and head answer alike: tokens, sampled values and each row's length, within the dtype's bound.

Two orders of the same sums stay within the bound that the oracle's check has for the dtype, so a refactoring does not
change an answer. A token may be another one where base's logits leave it open; what follows it may then differ.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from bench.harness.answers import Sample

FIELDS_ALIKE = ("what", "dtype", "shape", "positions")  # that two samples of the same answer share
TINY = math.ulp(0.0)  # a row of zeros must be met exactly


def differing_answers(base: Mapping[str, Sample], head: Mapping[str, Sample]) -> list[str]:
    """Say of each arm that both sides answered how far the answers are apart, where that is beyond the bound."""
    return [f"{arm}: {why}" for arm, sample in base.items() if arm in head and (why := difference(sample, head[arm]))]


def difference(base: Sample, head: Sample) -> str:
    """Say in what two answers of one arm differ; empty where they do not."""
    for name in FIELDS_ALIKE:
        ours, theirs = getattr(head, name), getattr(base, name)
        if ours != theirs:
            return f"{name} of the answer is {theirs} on base and {ours} on head"
    end = _first_other_token(base, head)
    error = relative_error(base, head, end)
    if not error <= base.bound:  # not finite is beyond
        return f"{base.what} differ by {error:.3g} of their length, {base.bound:g} is the bound for {base.dtype}"
    if end < len(base.tokens) and not _is_open(base, head, end):
        tokens = f"{base.tokens[end]} on base and {head.tokens[end]} on head"
        return f"token {end} is {tokens}, no near-tie, though {base.what} differ by {error:.3g} of their length only"
    if len(base.tokens) != len(head.tokens):
        return f"{len(base.tokens)} tokens on base and {len(head.tokens)} on head"
    return ""


def relative_error(base: Sample, head: Sample, end: int | None = None) -> float:
    """Return how far head's rows are from base's, in lengths of base's rows; not finite where a value is not.

    The larger of two estimates: the root mean square of the sampled values' errors, each in its row's root mean square,
    and the largest error of a row's length.

    Args:
        end: Number of the last row that is compared; None: all.
    """
    num_rows, width = base.shape
    last = num_rows - 1 if end is None else min(end, num_rows - 1)
    lengths = list(zip(base.norms[: last + 1], head.norms[: last + 1], strict=True))
    values = list(_value_errors(base, head, last, width))
    of_values = math.sqrt(sum(values) / len(values)) if values else 0.0
    of_lengths = [abs(ours - theirs) / max(theirs, TINY) for theirs, ours in lengths]
    return _largest([of_values, *of_lengths])


def _value_errors(base: Sample, head: Sample, last: int, width: int) -> Iterator[float]:
    """Yield the squared error of each sampled value up to a row, in mean squares of base's row."""
    for position, theirs, ours in zip(base.positions, base.values, head.values, strict=True):
        row = position // width
        if row <= last:
            error = (ours - theirs) / max(base.norms[row] / math.sqrt(width), TINY)
            yield error * error  # ** would raise where it overflows


def _largest(values: Sequence[float]) -> float:
    """Return the largest value; NaN, which no comparison finds, where there is one."""
    return math.nan if any(map(math.isnan, values)) else max(values, default=0.0)


def _first_other_token(base: Sample, head: Sample) -> int:
    """Return the number of the first token that differs, the number of rows if none: so far both had read the same."""
    pairs = zip(base.tokens, head.tokens, strict=False)
    return next((number for number, (theirs, ours) in enumerate(pairs) if theirs != ours), base.shape[0])


def _is_open(base: Sample, head: Sample, number: int) -> bool:
    """Tell whether base's logits leave head's token open."""
    return head.tokens[number] in base.open_tokens[number]
