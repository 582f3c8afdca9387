"""Other projects' text decoders as arms, one beside each of our models: what they do, and whether they agree.

An arm is named by peer and model, "llama.cpp/moe". No peer has a path for our vision tower: where ours encodes images
on the clock, so does a peer's arm, by the same tower, and its own decoder goes on from the same embeddings.

Shapes: B samples, S positions, N tokens, H hidden size, V vocabulary.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch

from bench.checks.passes import PassChecks
from bench.peers.agreement import check_pass
from fixtures.inputs import Inputs

if TYPE_CHECKING:
    from moevlm import MoEVLM

EMBEDDED = ("input_ids", "pixel_values", "image_sizes")  # what `MoEVLMModel.embed` takes of a batch


class PeerArm(ABC):
    """One engine over one batch."""

    def __init__(self, model: MoEVLM, of: str, inputs: Inputs) -> None:
        """Take what the engine was built of.

        Args:
            model: Whose weights it has.
            of: The arm that this is.
        """
        self.model, self.of = model, of
        self.tensors = {name: inputs.tensors[name] for name in EMBEDDED if name in inputs.tensors}

    @torch.inference_mode()
    def embeds(self) -> torch.Tensor:
        """Encode images; return the prompts' embeddings, padded on the left, (B, S, H)."""
        embeds: torch.Tensor = self.model.model.embed(**self.tensors)
        return embeds

    @abstractmethod
    def passes(self, num_tokens: int) -> Iterator[torch.Tensor]:
        """Read the prompts, choose greedily, and yield the logits that each of the first N tokens is chosen from."""

    @abstractmethod
    def answer(self, num_tokens: int) -> torch.Tensor:
        """Return the first N tokens after the prompts, chosen greedily, int64 (B, N)."""

    @abstractmethod
    def decoding(self, num_steps: int) -> Callable[[], torch.Tensor]:
        """Read the prompts once; return what goes on from there each time it is called, int64 (B, N)."""

    def check(self, checks: PassChecks, num_tokens: int) -> None:
        """Compare one sample's logits with the oracle's, pass by pass, up to the first token that it leaves open.

        Raises:
            WrongAnswer: They point elsewhere, or a token was chosen that is not open.
        """
        said = checks.says(self.of, num_tokens)
        for number, (logits_BV, expected) in enumerate(zip(self.passes(num_tokens), said, strict=True)):
            place = f"token {number} of {self.of} elsewhere, sample {checks.number} of {len(logits_BV)}"
            check_pass(logits_BV[checks.number], expected, place=place)
            if int(logits_BV[checks.number].argmax()) != expected.token:
                return


class Decoder(Protocol):
    """What another project's decoder of one of our models does, told every token; logits are float32 (B, V)."""

    def read(self, embeds_BSH: torch.Tensor) -> torch.Tensor:
        """Read the batch's prompts into an empty cache."""

    def step(self, ids_B: torch.Tensor, number: int) -> torch.Tensor:
        """Read one more token of each sample, its number `number` after the prompt."""

    def wind_back(self) -> None:
        """Forget what followed the prompts."""


class SteppedArm(PeerArm):
    """One decoder that is told every token."""

    def __init__(self, decoder: Decoder, model: MoEVLM, of: str, inputs: Inputs) -> None:
        """Take what was built of a model."""
        super().__init__(model, of, inputs)
        self.decoder = decoder

    def prompt(self) -> torch.Tensor:
        """Encode images, read the prompts, and return the logits after them."""
        return self.decoder.read(self.embeds())

    def passes(self, num_tokens: int) -> Iterator[torch.Tensor]:
        """Do as the base says; the cache holds the prompts afterwards, and what followed."""
        yield (logits_BV := self.prompt())
        for number in range(num_tokens - 1):
            yield (logits_BV := self.decoder.step(logits_BV.argmax(dim=-1), number))

    def answer(self, num_tokens: int) -> torch.Tensor:
        """Do as the base says."""
        first_B = self.prompt().argmax(dim=-1)
        return torch.stack([first_B, *self._on(first_B, num_tokens - 1)], dim=1)

    def decoding(self, num_steps: int) -> Callable[[], torch.Tensor]:
        """Do as the base says."""
        first_B = self.prompt().argmax(dim=-1)

        def decode() -> torch.Tensor:
            self.decoder.wind_back()
            return torch.stack(self._on(first_B, num_steps), dim=1)

        return decode

    def _on(self, ids_B: torch.Tensor, num_steps: int) -> list[torch.Tensor]:
        chosen = []
        for number in range(num_steps):
            ids_B = self.decoder.step(ids_B, number).argmax(dim=-1)
            chosen.append(ids_B)
        return chosen


class Engine(Protocol):
    """What another project's engine of one of our models does, which chooses and feeds back its tokens itself."""

    def answer(self, embeds_BSH: torch.Tensor, num_tokens: int) -> torch.Tensor:
        """Answer the batch's prompts from an empty cache, int64 (B, N)."""

    def logits(self, embeds_BSH: torch.Tensor, num_tokens: int) -> torch.Tensor:
        """Return the logits that the first N tokens are chosen from, float32 (N, B, V), in the way that is timed."""

    def hold(self, embeds_BSH: torch.Tensor, num_steps: int) -> None:
        """Read the prompts, with room for so many tokens after the first."""

    def go_on(self, num_steps: int) -> torch.Tensor:
        """Return the tokens after the first of what is held, int64 (B, N), from the prompts each time."""


class EngineArm(PeerArm):
    """One engine that chooses its tokens itself."""

    def __init__(self, engine: Engine, model: MoEVLM, of: str, inputs: Inputs) -> None:
        """Take what was built of a model."""
        super().__init__(model, of, inputs)
        self.engine = engine

    def passes(self, num_tokens: int) -> Iterator[torch.Tensor]:
        """Do as the base says."""
        yield from self.engine.logits(self.embeds(), num_tokens)

    def answer(self, num_tokens: int) -> torch.Tensor:
        """Do as the base says."""
        return self.engine.answer(self.embeds(), num_tokens)

    def decoding(self, num_steps: int) -> Callable[[], torch.Tensor]:
        """Do as the base says."""
        self.engine.hold(self.embeds(), num_steps)
        return functools.partial(self.engine.go_on, num_steps)


class PeerArms(dict[str, PeerArm]):
    """The peers' arms of one scenario, by name; most scenarios have none."""

    def beside(self, ours: Callable[[str], Any], theirs: Callable[[str], Any]) -> Callable[[str], Any]:
        """Return what does something for every arm: for a peer's the latter."""
        return lambda arm: (theirs if arm in self else ours)(arm)

    def costs(self, of_ours: Mapping[str, Any]) -> dict[str, Any]:
        """Return what each arm computes and moves: a peer's what its model does."""
        return {**of_ours, **{name: of_ours[peer.of] for name, peer in self.items()}}

    @property
    def facts(self) -> dict[str, float]:
        """Say in the record that these are decoders: the images of all arms are encoded by our tower."""
        return {"peers_encode_images": 0.0} if self else {}


def peer_arms(names: Sequence[str], models: Mapping[str, MoEVLM], inputs: Inputs, *, room: int) -> PeerArms:
    """Build the arms of peers beside models.

    Args:
        names: Keys of `fixtures.peers.PEERS`.
        room: Tokens that the prompts may be followed by.
    """
    return PeerArms(
        {f"{name}/{arm}": BUILDERS[name](model, arm, inputs, room) for name in names for arm, model in models.items()}
    )


def _llama(model: MoEVLM, of: str, inputs: Inputs, room: int) -> PeerArm:
    from bench.peers.llama import LlamaCpp  # may be missing

    return SteppedArm(LlamaCpp(model, inputs.prompt_tokens, room=room), model, of, inputs)


def _vllm(model: MoEVLM, of: str, inputs: Inputs, room: int) -> PeerArm:
    from bench.peers.vllm import Vllm  # may be missing

    return EngineArm(Vllm(model, inputs.prompt_tokens, room=room), model, of, inputs)


Builder = Callable[["MoEVLM", str, Inputs, int], PeerArm]
BUILDERS: Mapping[str, Builder] = {"llama.cpp": _llama, "vllm": _vllm}
