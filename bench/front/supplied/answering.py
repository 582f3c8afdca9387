"""Answer questions batch by batch, greedily, on the clock: twice each, to the first token and to the end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from bench.front.supplied.checkpoint import Checkpoint
from bench.front.supplied.prompts import encode
from bench.harness.clock import Clock
from fixtures.tasks import Sample


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
        checkpoint: Who answers.
        samples: Questions of one benchmark.
        batch_size: Requests at once.
        max_new_tokens: Where an answer that does not end is cut.
        clock: Of the model's device.
    """
    for start in range(0, len(samples), batch_size):
        inputs = _inputs(checkpoint, samples[start : start + batch_size])
        first_token, whole = (_generation(checkpoint, inputs, length) for length in (1, max_new_tokens))
        if not start:
            whole()
        prefill, timed = clock.measure(first_token), clock.measure(whole)
        tokens_BN: torch.Tensor = timed.result  # type: ignore[assignment]  # the clock hands back what the call returned
        new_BN = tokens_BN[:, inputs["input_ids"].shape[1] :]
        texts = checkpoint.processor.tokenizer.batch_decode(new_BN, skip_special_tokens=True)
        yield Answered(
            answers=tuple(text.strip() for text in texts),
            num_prompt_tokens=int(inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])).sum()),
            ttft_s=prefill.seconds,
            e2e_s=timed.seconds,
        )


def _inputs(checkpoint: Checkpoint, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    model = checkpoint.model
    return {
        name: tensor.to(model.device, model.dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in encode(checkpoint.processor, samples).items()
    }


def _generation(checkpoint: Checkpoint, inputs: dict[str, torch.Tensor], length: int) -> Callable[[], object]:
    return lambda: checkpoint.model.generate(**inputs, max_new_tokens=length, do_sample=False, num_beams=1)
