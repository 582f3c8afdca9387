"""Prompts as the benchmarks are usually asked: question, options, an instruction to answer shortly; the chat template.

The instructions are LLaVA-1.5's for short answers (Liu et al. 2023, arXiv:2310.03744, section 3), which most harnesses
use for ChartQA, DocVQA and MMMU. MathVista's own protocol lets a language model cut the answer out of a long one; here
the short answer is asked for and scored as it stands. A row's text stays text, whatever a tokenizer takes for its own.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch

from fixtures.tasks import Sample
from fixtures.tasks.marks import texts_between

WORD = "Answer the question using a single word or phrase."
LETTER = "Answer with the option's letter from the given choices directly."
# Processors that put their image tokens in front of a text themselves.
MARKING = ("Blip2Processor", "Florence2Processor", "FuyuProcessor", "InstructBlipProcessor", "Kosmos2Processor")
KINDS_OF_TOKENS = "mm_token_type_ids"
JOINERS = ("\u2060", "\u200b")  # word joiner and zero-width space: nobody sees them


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
                processor_kwargs={"padding": True, **_kinds_of_tokens(processor)},
            )
        )
    token = "" if type(processor).__name__ in MARKING else str(processor.image_token)
    texts = [token.join(texts_of(processor, sample)) for sample in samples]
    images = [list(sample.images) for sample in samples]
    return dict(processor(text=texts, images=images, padding=True, return_tensors="pt"))


def _kinds_of_tokens(processor: Any) -> dict[str, bool]:
    """Ask for what tells images from text: some processors that know it leave it out."""
    return {f"return_{KINDS_OF_TOKENS}": True} if KINDS_OF_TOKENS in processor.model_input_names else {}


def _conversation(processor: Any, sample: Sample) -> list[dict[str, Any]]:
    """Write a sample as one turn of a user: texts and images in the order of the prompt."""
    first, *rest = texts_of(processor, sample)
    content: list[dict[str, Any]] = [{"type": "text", "text": first}] if first.strip() else []
    for image, text in zip(sample.images, rest, strict=True):
        content.append({"type": "image", "image": image})
        if text.strip():
            content.append({"type": "text", "text": text.strip()})
    return [{"role": "user", "content": content}]


def as_text(processor: Any, text: str) -> str:
    """Return a text of a row in which every name of a control token, `<image>` say, is letters.

    A character that nobody sees is put behind the first letter of such a name, one that the tokenizer keeps.

    Raises:
        ValueError: The tokenizer takes a name for its token in spite of it.
    """
    names = [name for name in _control_names(processor) if name in text]
    if not names:
        return text
    tokenizer = processor.tokenizer
    tokens = {tokenizer.convert_tokens_to_ids(name) for name in names} - {tokenizer.unk_token_id}
    for joiner in JOINERS:
        written = _broken(text, names, joiner)
        if tokens.isdisjoint(tokenizer(written, add_special_tokens=False).input_ids):
            return written
    raise ValueError(
        f"a question must be text alone, got {', '.join(names)}, which the tokenizer of this checkpoint takes for its "
        "own; remove that row, or write it otherwise"
    )


def _broken(text: str, names: Iterable[str], joiner: str) -> str:
    for name in names:
        text = text.replace(name, name[0] + joiner + name[1:])
    return text


@lru_cache(maxsize=4)
def _control_names(processor: Any) -> tuple[str, ...]:
    """Return what a tokenizer or its processor takes for more than letters, the longest first."""
    tokenizer = processor.tokenizer  # of mistral-common, some have no added tokens
    added = (token for token in getattr(tokenizer, "added_tokens_decoder", {}).values() if token.special)
    own = (value for name, value in vars(processor).items() if name.endswith("_token"))
    names = {str(token) for token in (*tokenizer.all_special_tokens, *added, *own) if token}
    return tuple(sorted((name for name in names if len(name) > 1), key=len, reverse=True))
