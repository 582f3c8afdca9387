"""Whether another engine's logits are the oracle's: nobody imposes its choices, so near-ties may fall its own way."""

import math

import torch

from bench.harness.agreement import TIE_SPREADS, WrongAnswer, check_choice
from fixtures.oracle.answers import Choice, Said

LEAST_COSINE = {torch.float32: 0.9999, torch.bfloat16: 0.95}  # of logits and the oracle's; 0.987 was seen in bfloat16
OPEN_COSINE = 0.95  # where a router's choice is open: 0.9985 was seen in float32, one expert of eight being another


def check_pass(found_V: torch.Tensor, expected: Said, *, place: str) -> None:
    """Check one pass of a peer: logits that point where the oracle's do, and the best token or one that is open.

    Raises:
        WrongAnswer: Their cosine is below the dtype's least, or OPEN_COSINE where the oracle's routers leave an expert
            of the last token open; or a token was chosen that is not open.
    """
    least = LEAST_COSINE[expected.logits_V.dtype]
    bound = error_at(least)
    check_direction(
        found_V, expected, least=min(least, OPEN_COSINE) if is_open(expected, bound) else least, place=place
    )
    check_choice(int(found_V.argmax()), expected.logits_V, bound=bound, place=place)


def check_direction(found_V: torch.Tensor, expected: Said, *, least: float, place: str) -> None:
    """Check that logits point where the oracle's do.

    Raises:
        WrongAnswer: Their cosine is below the least, or not a number.
    """
    cosine = float(torch.cosine_similarity(found_V.double(), expected.logits_V.double(), dim=0))
    if not cosine >= least:
        raise WrongAnswer(
            f"logits must have a cosine of at least {least:g} with the oracle's, got {cosine:.6g} at {place}"
        )


def is_open(said: Said, bound: float) -> bool:
    """Tell whether a router's last chosen expert leads the next by less than scores of this error may move.

    Args:
        said: The oracle's pass; the choices of its last token count.
        bound: Relative error of a row.
    """
    return any(_lead(choice) <= TIE_SPREADS * bound for choice in said.choices)


def _lead(choice: Choice) -> float:
    """Return how far the last chosen expert of the last token leads the first of the others, in spreads of scores."""
    scores_E, top_k = choice.logits_TE[-1].double(), choice.ids_TK.shape[-1]
    last, following = scores_E.topk(top_k + 1).values[-2:].tolist() if top_k < len(scores_E) else (math.inf, 0.0)
    return float(last - following) / float(scores_E.std(correction=0))


def error_at(cosine: float) -> float:
    """Return the relative error of logits of the oracle's length that point so far aside.

    >>> round(error_at(0.9999), 4)
    0.0141
    """
    return math.sqrt(2 * (1 - cosine))
