"""What an arm answered, and the sample of it that travels: a few values, each row's length, and the tokens chosen.

A check returns the answer that it has compared with the oracle, near-ties settled the oracle's way: two programs that
the oracle finds right are then compared on one path, whatever a near-tie would have made of the rest.

Shapes: T rows, D width of a row (of logits the vocabulary, and token t is chosen by row t).
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from bench.harness.agreement import TIE_SPREADS

NUM_VALUES = 64
MOST_OPEN = 64  # tokens of a row that are named as open; as many ties are no choice at all
DRAWS = random.Random()  # which sample of a batch is checked; `ab` seeds it alike on both sides


class Answer(NamedTuple):
    """What an arm answered where it was checked."""

    what: str  # as in "logits, sample 3 of 8"
    rows_TD: torch.Tensor
    bound: float  # the largest relative error of a row
    tokens: tuple[int, ...] = ()  # greedy choices, one a row


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What of an answer another process compares with its own; plain values, as JSON has them."""

    what: str
    dtype: str
    bound: float
    shape: Sequence[int]  # T, D
    positions: Sequence[int]  # places among the T * D values, drawn by the seed
    values: Sequence[float]  # that stand there
    norms: Sequence[float]  # of each row
    tokens: Sequence[int]
    open_tokens: Sequence[Sequence[int]]  # of each row that chose: those as good as its best but for rounding


def sample_of(answer: Answer, seed: int) -> Sample:
    """Draw what travels of an answer; the same seed draws the same places of the same shape."""
    rows_TD = answer.rows_TD.detach().double().cpu()
    count = rows_TD.numel()
    positions = sorted(random.Random(seed).sample(range(count), min(NUM_VALUES, count)))
    return Sample(
        what=answer.what,
        dtype=str(answer.rows_TD.dtype).removeprefix("torch."),
        bound=answer.bound,
        shape=list(rows_TD.shape),
        positions=positions,
        values=rows_TD.flatten()[positions].tolist(),
        norms=rows_TD.norm(dim=-1).tolist(),
        tokens=list(answer.tokens),
        open_tokens=[open_tokens(row_D, answer.bound) for row_D in rows_TD[: len(answer.tokens)]],
    )


def open_tokens(logits_V: torch.Tensor, bound: float) -> list[int]:
    """Return the tokens that lie so little behind the best that errors within the bound may bring them forward."""
    behind_V = logits_V.max() - logits_V
    is_open_V = behind_V <= TIE_SPREADS * bound * logits_V.std(correction=0)
    ids: list[int] = is_open_V.nonzero()[:MOST_OPEN, 0].tolist()
    return ids


def joined(answers: Iterable[Answer]) -> Answer:
    """Return answers of one arm about one thing as one, their rows below each other."""
    first, *rest = answers
    rows_TD = torch.cat([first.rows_TD, *(answer.rows_TD for answer in rest)])
    tokens = (*first.tokens, *(token for answer in rest for token in answer.tokens))
    return first._replace(rows_TD=rows_TD, tokens=tokens)


Check = Callable[[str], Answer | None]  # compares an arm's answer with the oracle's, and returns it where it can
