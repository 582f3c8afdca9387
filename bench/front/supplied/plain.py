"""Text that a checkpoint's tokenizer would take for tokens of its own, written so that it stays text."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

JOINERS = ("\u2060", "\u200b")  # word joiner and zero-width space: nobody sees them


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
