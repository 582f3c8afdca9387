"""Checks of prompts, cached steps and whole answers: one sample, at a random place of the batch that is timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import torch

import moevlm
from bench.checks.imposed import Checked, imposed
from bench.harness.agreement import bound_of, check_choice, check_rows
from bench.harness.answers import DRAWS, Answer, Check, joined
from bench.layers.passes import Pass
from fixtures.inputs import Inputs
from fixtures.oracle.answers import Said
from fixtures.oracle.keeper import Oracle, sample_of

if TYPE_CHECKING:
    from moevlm import DecodeState, MoEVLM
    from moevlm.model.cache import LayerMemory

Run = Callable[[str], object]


class Returned(NamedTuple):
    """What a run returned of one sample, as far as it did."""

    logits_V: torch.Tensor | None = None
    tokens: tuple[int, ...] = ()


def returned_of(result: object, number: int) -> Returned:
    """Return a sample's share of a state, of tokens (B, N) or of logits (B, V)."""
    if isinstance(result, moevlm.DecodeState):
        chosen_BN = result.tokens_BN if result.tokens_BN.numel() else result.next_token_B1
        return Returned(result.logits_BV[number], tuple(chosen_BN[number].tolist()))
    if isinstance(result, torch.Tensor):
        row = result[number]
        return Returned(row) if row.is_floating_point() else Returned(tokens=tuple(row.tolist()))
    return Returned()


@dataclass(frozen=True, kw_only=True)
class PassChecks:
    """Compare what models make of one batch with what the oracle says of one of its samples."""

    oracle: Oracle
    models: Mapping[str, MoEVLM]
    tensors: Mapping[str, torch.Tensor]
    images_per_row: Sequence[int]
    hash: str
    number: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", DRAWS.randrange(len(self.images_per_row)))

    @property
    def sample(self) -> dict[str, torch.Tensor]:
        """Return the tensors of the sample alone."""
        return sample_of(self.tensors, self.images_per_row, self.number)

    def bound(self, arm: str) -> float:
        """Return how far rows of an arm may be off."""
        model = self.models[arm]
        return bound_of(model.dtype, model.config.text_config.num_hidden_layers)

    def says(self, arm: str, num_tokens: int) -> list[Said]:
        """Return what the oracle says of the sample."""
        return self.oracle.says(self.models[arm], self.sample, number=self.number, num_tokens=num_tokens)

    def passes(self, arm: str, run: Callable[[], object], said: Sequence[Said], first: int = 0) -> Answer:
        """Run something under the oracle's choices; return the logits of each pass, and the tokens it went on with.

        What the run returns of them stands in their place: it is what a caller gets.
        """
        checked = Checked(arm, self.number, len(self.images_per_row))
        with imposed(self.models[arm], checked, said, first=first) as logits:
            returned = returned_of(run(), self.number)
        if returned.logits_V is not None:
            logits[-1] = returned.logits_V
        what = f"logits, sample {checked.number} of {checked.batch_size}"
        tokens = returned.tokens or tuple(one.token for one in said)
        return Answer(what=what, rows_TD=torch.stack(logits), bound=self.bound(arm), tokens=tokens)

    def prompt(self, run: Run) -> Check:
        """Return the check of what reads the batch's prompts; done once for a batch."""

        def check(arm: str) -> Answer:
            model = self.models[arm]
            known: Answer | None = self.oracle.agreed(model, self.hash)
            return known or self.oracle.agrees(model, self.hash, self.passes(arm, lambda: run(arm), self.says(arm, 1)))

        return check

    def taken(self, arm: str, take: Callable[[], Pass], phase: str) -> Answer:
        """Check a pass while it is taken apart, the prompt's alone or with the step after it, and when it is run again.

        It is not the one that is timed, whose cache holds no choice of the oracle's.
        """
        first, found = int(phase == "decode"), []
        said = self.says(arm, 1 + first)
        self.passes(arm, lambda: found.append(take()), said)
        return self.passes(arm, found[0].run, said[first:], first=first)

    def features(self, encode: Callable[[str], torch.Tensor]) -> Check:
        """Return the check of what encodes the batch's images: the sample's features, in the order of their tokens."""
        counts = (self.tensors["input_ids"] == self.models[next(iter(self.models))].config.image_token_id).sum(1)
        number = self.number if self.images_per_row[self.number] else int(counts.argmax())
        first, sample = int(counts[:number].sum()), sample_of(self.tensors, self.images_per_row, number)

        def check(arm: str) -> Answer:
            found = encode(arm)[first : first + int(counts[number])]
            expected, bound = self.oracle.features(self.models[arm], sample), bound_of(found.dtype)
            whose = f"sample {number} of {len(counts)}"
            what = f"image features of {arm}, {whose}"
            check_rows(found, expected, bound=bound, what=what, place=lambda token: f"image token {token}")
            return Answer(what=f"image features, {whose}", rows_TD=found, bound=bound)

        return check

    def answer(self, runs: Sequence[Run], num_tokens: int) -> Check:
        """Return the check of what answers the batch with so many tokens, in one or more ways: by the first."""

        def check(arm: str) -> Answer:
            said = self.says(arm, num_tokens)
            answers = [self.passes(arm, lambda run=run: run(arm), said) for run in runs]  # type: ignore[misc]
            return answers[0]

        return check

    def tokens(self, found_BN: torch.Tensor, model: str, arm: str, *, first: int = 0) -> None:
        """Check the tokens that a peer chose, up to the first that the oracle leaves open.

        Args:
            model: The arm whose tensors the peer has.
            arm: The peer.
            first: Number of the first of these tokens, 0 being the prompt's.
        """
        said = self.says(model, first + found_BN.shape[1])[first:]
        for number, (token, expected) in enumerate(zip(found_BN[self.number].tolist(), said, strict=True), first):
            place = f"token {number} of {arm}, sample {self.number} of {len(self.images_per_row)}"
            check_choice(token, expected.logits_V, bound=self.bound(model), place=place)
            if token != expected.token:
                return

    def steps(
        self,
        step: Callable[[str, DecodeState, int], DecodeState],
        num_steps: int,
        memories: Mapping[str, Sequence[LayerMemory] | None] | None = None,
    ) -> Callable[[str], Answer]:
        """Return the check of cached steps, from a prompt that is checked on the way.

        Args:
            memories: Where an arm's prompt is read into; None: memory of its own.
        """

        def check(arm: str) -> Answer:
            said = self.says(arm, num_steps + 1)
            states: list[DecodeState] = []

            def read(_arm: str) -> DecodeState:
                memory = (memories or {}).get(arm)
                states.append(moevlm.prefill(self.models[arm], self.tensors, max_new_tokens=num_steps, memory=memory))
                return states[0]

            prompt = self.passes(arm, lambda: read(arm), said[:1])
            self.oracle.agrees(self.models[arm], self.hash, prompt)
            return joined([prompt, self.passes(arm, lambda: step(arm, states[0], num_steps), said[1:], first=1)])

        return check


def checks_of(oracle: Oracle, models: Mapping[str, MoEVLM], inputs: Inputs) -> PassChecks:
    """Return the checks of a scenario's batch."""
    return PassChecks(
        oracle=oracle, models=models, tensors=inputs.tensors, images_per_row=inputs.images_per_row, hash=inputs.hash
    )


def check_replays(replayed: DecodeState, plain: DecodeState, *, bound: float, arm: str) -> None:
    """Check that steps replayed as a graph end with the logits that the same steps end with when they are run."""
    check_rows(
        replayed.logits_BV,
        plain.logits_BV,
        bound=bound,
        what=f"replayed logits of {arm}",
        place=lambda row: f"sample {row}",
    )
