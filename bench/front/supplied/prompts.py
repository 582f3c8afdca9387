"""Prompts as the benchmarks are usually asked: question, options, an instruction to answer shortly; the chat template.

The instructions are LLaVA-1.5's for short answers (Liu et al. 2023, arXiv:2310.03744, section 3), which most harnesses
use for ChartQA, DocVQA and MMMU. MathVista's own protocol lets a language model cut the answer out of a long one; here
the short answer is asked for and scored as it stands.
"""

from collections.abc import Sequence
from typing import Any

import torch

from bench.front.supplied.plain import as_text
from fixtures.tasks import Sample
from fixtures.tasks.marks import texts_between

WORD = "Answer the question using a single word or phrase."
LETTER = "Answer with the option's letter from the given choices directly."


def asked(sample: Sample) -> str:
    """Return the text of a prompt, `<image>` where an image stands, with the usual instruction in place of ours."""
    question, _, _ = sample.prompt.rpartition("\n")
    return f"{question}\n{LETTER if sample.options else WORD}"


def texts_of(processor: Any, sample: Sample) -> list[str]:
    """Return the texts around a prompt's images, in which the checkpoint's tokenizer finds none of its own tokens.

    Raises:
        ValueError: It finds one whatever is done.
    """
    return [as_text(processor, text) for text in texts_between(asked(sample))]


def encode(processor: Any, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    """Turn samples into a batch, padded on the left: through the chat template where the processor has one.

    Raises:
        ValueError: A row's text would be taken for a token.
    """
    if getattr(processor, "chat_template", None):
        return dict(
            processor.apply_chat_template(
                [_conversation(processor, sample) for sample in samples],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": True},
            )
        )
    # BLIP-2's and InstructBLIP's processors put their image tokens in front of a text themselves; theirs is no string.
    token = "" if getattr(processor, "num_query_tokens", None) else str(processor.image_token)
    texts = [token.join(texts_of(processor, sample)) for sample in samples]
    images = [list(sample.images) for sample in samples]
    return dict(processor(text=texts, images=images, padding=True, return_tensors="pt"))


def _conversation(processor: Any, sample: Sample) -> list[dict[str, Any]]:
    """Write a sample as one turn of a user: texts and images in the order of the prompt."""
    first, *rest = texts_of(processor, sample)
    content: list[dict[str, Any]] = [{"type": "text", "text": first}] if first.strip() else []
    for image, text in zip(sample.images, rest, strict=True):
        content.append({"type": "image", "image": image})
        if text.strip():
            content.append({"type": "text", "text": text.strip()})
    return [{"role": "user", "content": content}]
