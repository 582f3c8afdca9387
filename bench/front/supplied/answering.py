"""Answer questions batch by batch, greedily, on the clock: twice each, to the first token and to the end."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import signature

import torch
from jinja2 import TemplateError
from transformers import BatchFeature

from bench.front.supplied.causes import first_line
from bench.front.supplied.checkpoint import Checkpoint
from bench.front.supplied.prompts import KINDS_OF_TOKENS, encode
from bench.harness.clock import Clock
from fixtures.tasks import Sample

# What processors and models raise where a prompt or an image is none that they take: a template's own refusal, lists in
# place of tensors (AttributeError), a token beyond the embeddings (IndexError), tensors that do not fit, full memory.
ERRORS = (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, TemplateError)


class AnsweringError(ValueError):
    """A processor or a model did not take a batch."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One batch: its answers, prompt tokens without padding (image tokens with them), and seconds."""

    answers: tuple[str, ...]
    num_prompt_tokens: int
    ttft_s: float
    e2e_s: float


def answer(
    checkpoint: Checkpoint, samples: Sequence[Sample], *, batch_size: int, max_new_tokens: int, clock: Clock
) -> Iterator[Answered]:
    """Answer samples in their order; the first batch is answered once before, off the clock.

    Decoding images and making the inputs is off the clock, as in the suite's own scenarios.

    Args:
        max_new_tokens: Where an answer that does not end is cut.

    Raises:
        AnsweringError: The checkpoint did not take a batch.
    """
    for start in range(0, len(samples), batch_size):
        batch = samples[start : start + batch_size]
        with _one_error("processor", checkpoint, batch, start):
            encoded = BatchFeature(encode(checkpoint.processor, batch))
            inputs = _taken(checkpoint, encoded.to(checkpoint.model.device, checkpoint.model.dtype))  # of floats alone
        with _one_error("model", checkpoint, batch, start):
            answered = _generate(checkpoint, inputs, max_new_tokens, clock, is_first=not start)
        yield answered


def _generate(
    checkpoint: Checkpoint, inputs: dict[str, torch.Tensor], max_new_tokens: int, clock: Clock, *, is_first: bool
) -> Answered:
    greedily = partial(checkpoint.model.generate, **inputs, do_sample=False, num_beams=1)
    first_token, whole = (partial(greedily, max_new_tokens=length) for length in (1, max_new_tokens))
    if is_first:
        whole()
    prefill, timed = clock.measure(first_token), clock.measure(whole)
    tokens_BN: torch.Tensor = getattr(timed.result, "sequences", timed.result)  # some configurations ask for more
    new_BN = tokens_BN[:, _num_repeated(checkpoint, inputs) :]
    texts = checkpoint.processor.tokenizer.batch_decode(new_BN, skip_special_tokens=True)
    return Answered(
        answers=tuple(text.strip() for text in texts),
        num_prompt_tokens=int(inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])).sum()),
        ttft_s=prefill.seconds,
        e2e_s=timed.seconds,
    )


def _taken(checkpoint: Checkpoint, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Leave out what tells images from text where a processor makes it and its model does not take it."""
    takes = KINDS_OF_TOKENS in signature(checkpoint.model.forward).parameters
    return {name: value for name, value in inputs.items() if takes or name != KINDS_OF_TOKENS}


def _num_repeated(checkpoint: Checkpoint, inputs: dict[str, torch.Tensor]) -> int:
    """Count the prompt tokens that generate puts before an answer: a decoder of an encoder's output repeats none."""
    return 0 if checkpoint.model.config.is_encoder_decoder else inputs["input_ids"].shape[1]


@contextmanager
def _one_error(part: str, checkpoint: Checkpoint, batch: Sequence[Sample], start: int) -> Iterator[None]:
    """Say which part of a checkpoint did not take which questions, and what it said."""
    try:
        yield
    except ERRORS as error:
        raise AnsweringError(
            f"the {part} of {checkpoint.name} must take questions {start + 1} to {start + len(batch)} "
            f"({batch[0].source} and on), got {type(error).__name__}: {first_line(error)}; {remedy(error, start)}"
        ) from error


def remedy(error: Exception, start: int) -> str:
    """Say what helps where a checkpoint did not take a batch, or the row, that begins at a number."""
    if isinstance(error, torch.OutOfMemoryError):
        return "give a smaller --batch-size or --max-new-tokens, or a device with more memory"
    if start:  # it took questions before
        return f"remove the row that it does not take, or stop before it with --limit {start}"
    return (
        "its prompts may have a form of their own: give its processor the chat_template.jinja that it was trained "
        "with, or take another checkpoint"
    )
