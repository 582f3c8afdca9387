"""A tokenizer that has the tokens that a family's processor asks for, read from that processor's source."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedTokenizerFast

from moevlm.model.tokenizer import TOKENIZER_PATH

LITERAL = re.compile(r"""["'](<[^"'{}\s()\\]{1,40}>|\[[A-Z_]+\]|\|[A-Z]+\|)["']""")
NAMED = re.compile(r"tokenizer\.((?:[a-z]+_)+token)(?:_id)?\b")
GUARDED = re.compile(r"""attr\(\s*(?:self\.)?tokenizer, ["']([a-z_]+_token)""")
OWN = {"bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "add_bos_token", "add_eos_token"}


def tokenizer_of(processor: type | None, named: Mapping[str, str]) -> PreTrainedTokenizerFast:
    """Return the shipped tokenizer with a processor's own tokens added.

    Args:
        named: Tokens that a published tokenizer of the family has by name, `image_token` say.
    """
    module = inspect.getmodule(processor)
    source = inspect.getsource(module) if processor and module else ""
    missing = set(NAMED.findall(source)) - set(GUARDED.findall(source)) - OWN - set(named)
    tokens = {name: "<image>" if name == "image_token" else f"<|{name.removesuffix('_token')}|>" for name in missing}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZER_PATH), bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens=dict(sorted({**tokens, **named}.items())), model_max_length=4096,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    tokenizer.add_tokens(sorted(set(LITERAL.findall(source)) | {"<image>"}), special_tokens=True)
    return tokenizer


def ids_of(fields: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, marks: Mapping[str, str]) -> dict[str, Any]:
    """Return what a configuration's fields of token ids must be for a tokenizer, and add those tokens that it lacks.

    Args:
        fields: Of the configuration, with its parts.
        marks: Tokens of fields whose names do not tell: of `image_token_id` the one by `image`.
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            found[name] = ids_of(value, tokenizer, marks)
        elif (match := re.fullmatch(r"(\w+?)(?:_token)?_(?:id|index)", str(name))) and type(value) in (int, list):
            found[name] = _id_of(match[1], tokenizer, marks)
    return found


def _id_of(name: str, tokenizer: PreTrainedTokenizerFast, marks: Mapping[str, str]) -> int:
    if name == "decoder_start":
        name = "bos"
    own = "<image>" if name == "image" else f"<|{name}|>"
    token = marks.get(name) or getattr(tokenizer, f"{name}_token", None) or own
    if tokenizer.convert_tokens_to_ids(token) == tokenizer.unk_token_id:
        tokenizer.add_tokens([token], special_tokens=True)
    return int(tokenizer.convert_tokens_to_ids(token))
