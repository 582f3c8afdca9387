"""Run our model under the oracle's choices: each pass of the decoder is compared, and near-ties are settled its way.

Where the oracle's scores leave an expert or a token open, ours may choose another one, and everything after it would
differ too. So its choice is imposed there, and there alone: whatever else our model does is what gets compared.

Shapes: B samples, S positions, T tokens of the checked sample in a pass, E experts, K experts a token, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from bench.harness.agreement import Scores, WrongAnswer, bound_of, check_choice, check_choices, check_rows
from fixtures.oracle.answers import Choice, Said
from moevlm.routing.router import Routing

if TYPE_CHECKING:
    from moevlm import MoEVLM


class Checked(NamedTuple):
    """One sample of a batch."""

    arm: str
    number: int
    batch_size: int


class _Passes:
    """Which pass the decoder is in, and where the sample's tokens are."""

    def __init__(self, model: MoEVLM, checked: Checked, said: Sequence[Said], first: int) -> None:
        self.checked, self.said, self.first = checked, said, first
        self.bound = bound_of(model.dtype, model.config.text_config.num_hidden_layers)
        self.done = 0  # passes that have seen the sample
        self.row: int | None = None  # of the sample in the call that runs now
        self.num_samples = self.num_positions = 0
        self.logits: list[torch.Tensor] = []  # (V,), of each pass

    @property
    def now(self) -> Said:
        """Return what the oracle says of the present pass."""
        if self.done >= len(self.said):
            raise WrongAnswer(f"{self.what} must pass the decoder {len(self.said)} times, got more")
        return self.said[self.done]

    @property
    def what(self) -> str:
        """Name the sample."""
        arm, number, batch_size = self.checked
        return f"{arm}, sample {number} of {batch_size}"

    def place(self, token: int = 0) -> str:
        """Name a token of the present pass."""
        number = self.first + self.done
        return f"decode step {number}" if number else f"prompt position {token}"

    def place_of(self, rows: torch.Tensor) -> Callable[[int], str]:
        """Return what names one of the last tokens of the present pass."""
        first = len(self.now.hidden_TH) - len(rows)
        return lambda token: self.place(first + token)

    def begin(self, text_model: Any, args: Sequence[Any], keywords: dict[str, Any]) -> None:
        """Find the sample in the samples of a call."""
        tokens = args[0] if args else keywords.get("input_ids")
        shape = (keywords["inputs_embeds"] if tokens is None else tokens).shape
        numbers = text_model.batch_part.samples(shape[0])
        self.row = numbers.index(self.checked.number) if self.checked.number in numbers else None
        self.num_samples, self.num_positions = shape[:2]

    def tokens(self, num_rows: int) -> slice | None:
        """Return where the sample's tokens lie among the rows of a layer, the last ones where it is padded on the left.

        Where the layer ran for the last token of each sample alone, it is that one.
        """
        if self.row is None:
            return None
        is_short = num_rows == self.num_samples
        end = self.row + 1 if is_short else (self.row + 1) * self.num_positions
        return slice(end - (1 if is_short else len(self.now.hidden_TH)), end)

    def check_router(self, layer: int, router: Any, _args: object, routing: Routing) -> Routing | None:
        """Compare a router's choices; return them with the oracle's where they are open and differ."""
        if (tokens := self.tokens(len(routing.ids_TK))) is None:
            return None
        expected = Choice(*(of_T[tokens.start - tokens.stop :] for of_T in self.now.choices[layer]))
        found = Scores(routing.logits_TE[tokens], routing.ids_TK[tokens])
        what = f"the router of layer {layer} of {self.what}"
        oracles = Scores(expected.logits_TE, expected.ids_TK)
        differs_T = check_choices(found, oracles, bound=self.bound, what=what, place=self.place_of(found.ids_TK))
        self.check_weights(routing.weights_TK[tokens], found.ids_TK, expected, differs_T, what)
        return _settled(router, routing, expected, tokens, differs_T) if bool(differs_T.any()) else None

    def check_weights(
        self, found_TK: torch.Tensor, ids_TK: torch.Tensor, expected: Choice, differs_T: torch.Tensor, what: str
    ) -> None:
        """Compare the weights of the experts of every token that has the oracle's, in the order of the experts."""
        pairs = ((found_TK, ids_TK), (expected.weights_TK, expected.ids_TK))
        found, oracles = (weights.gather(1, ids.argsort(dim=1)) for weights, ids in pairs)
        same, place = (~differs_T).nonzero()[:, 0], self.place_of(ids_TK)
        bound = self.bound * max(1.0, float(expected.logits_TE.double().std(dim=-1, correction=0).max()))
        check_rows(
            found[same],
            oracles[same],
            bound=bound,
            what=f"weights of {what}",
            place=lambda row: place(int(same[row])),
        )

    def check_hidden(self, _model: nn.Module, _args: object, output: Any) -> None:
        """Compare the last hidden states of the sample."""
        tokens = self.tokens(output.last_hidden_state.shape[:2].numel())
        if tokens is not None:
            found_TH = output.last_hidden_state.flatten(0, 1)[tokens]
            expected_TH, what = self.now.hidden_TH[-len(found_TH) :], f"hidden states of {self.what}"
            check_rows(found_TH, expected_TH, bound=self.bound, what=what, place=self.place_of(found_TH))

    def check_logits(self, _head: nn.Module, _args: object, logits: torch.Tensor) -> torch.Tensor | None:
        """Compare the last position's logits, which end a pass; return them with the oracle's token best."""
        logits_BV = logits[:, -1] if logits.dim() == 3 else logits
        found_V, expected = logits_BV[self.checked.number], self.now
        place = f"the end of {self.place(len(expected.hidden_TH) - 1)}"
        what, bound = f"logits of {self.what}", self.bound
        check_rows(found_V[None], expected.logits_V[None], bound=bound, what=what, place=lambda _: place)
        check_choice(int(found_V.argmax()), expected.logits_V, bound=bound, place=f"{place} of {self.what}")
        self.done += 1
        self.logits.append(found_V)
        if int(found_V.argmax()) == expected.token:
            return None
        settled = logits.clone()
        last_BV = settled[:, -1] if logits.dim() == 3 else settled
        last_BV[self.checked.number, expected.token] = _just_above(found_V.max())
        return settled


@contextmanager
def imposed(model: MoEVLM, checked: Checked, said: Sequence[Said], *, first: int = 0) -> Iterator[list[torch.Tensor]]:
    """Compare every pass that a model makes inside the block.

    Args:
        said: What the oracle says of it, a pass each, in order; all must be made.
        first: Number of the first of these passes, 0 being the prompt's.

    Yields:
        The logits that end each pass, (V,); filled as they are made.

    Raises:
        WrongAnswer: A pass does not agree, is missing, or is one too many.
    """
    passes, text_model = _Passes(model, checked, said, first), model.model.language_model
    routers = [layer.mlp.gate for layer in text_model.layers] if model.config.text_config.num_experts else []
    handles = [text_model.register_forward_pre_hook(passes.begin, with_kwargs=True)]
    handles += [
        router.register_forward_hook(_for_the_last(partial(passes.check_router, layer)))
        for layer, router in enumerate(routers)
    ]
    handles.append(text_model.register_forward_hook(_for_the_last(passes.check_hidden)))
    handles.append(model.lm_head.register_forward_hook(passes.check_logits))
    try:
        yield passes.logits
    finally:
        for handle in handles:
            handle.remove()
    if passes.done < len(said):
        raise WrongAnswer(f"{passes.what} must pass the decoder {len(said)} times, got {passes.done}")


def _for_the_last(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a hook that is content with the last token of a prompt: what is compared is then what is timed."""
    marked: Any = partial(hook)
    marked.last_is_enough = True  # read by moevlm.model.modeling
    return marked  # type: ignore[no-any-return]


def _just_above(value: torch.Tensor) -> torch.Tensor:
    """Return a number that is larger by no more than its dtype's rounding."""
    precision = torch.finfo(value.dtype)
    return value + 2 * precision.eps * value.abs() + precision.tiny


def _settled(router: Any, routing: Routing, expected: Choice, tokens: slice, differs_T: torch.Tensor) -> Routing:
    """Give tokens of near-ties the oracle's experts, weighted by the router's own logits."""
    rows = differs_T.nonzero()[:, 0] + tokens.start
    ids_TK, weights_TK = routing.ids_TK.clone(), routing.weights_TK.clone()
    ids_TK[rows] = expected.ids_TK[differs_T]
    shares_TE = F.softmax(routing.logits_TE[rows], dim=-1, dtype=torch.float32)
    shares_TK = shares_TE.gather(1, ids_TK[rows])
    if router.norm_topk_prob:
        shares_TK = shares_TK / shares_TK.sum(dim=-1, keepdim=True)
    weights_TK[rows] = shares_TK.to(weights_TK.dtype)
    return Routing(routing.logits_TE, weights_TK, ids_TK)
