"""Take a checkpoint through the front: its document, its prompt, and answers by plain steps to hold its own against."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from bench.front.supplied.__main__ import main
from bench.front.supplied.checkpoint import Checkpoint

NUM_TOKENS = 3  # of an answer
LENGTHENED = ("attention_mask", "mm_token_type_ids", "token_type_ids")


class Asked(NamedTuple):
    """How the command ended on a checkpoint."""

    code: int
    document: dict[str, Any]  # empty where there is none
    out: Path


def ask(checkpoint: Path | str, task: str, data: Path, out: Path, *options: str) -> Asked:
    """Run the command on two questions at once."""
    code = main([f"--checkpoint={checkpoint}", f"--benchmark={task}", f"--data={data}", f"--out={out}", "--limit=2",
                 "--batch-size=2", f"--max-new-tokens={NUM_TOKENS}", "--device=cpu", *options])  # fmt: skip
    return Asked(code, json.loads(out.read_text())["models"][0] if out.exists() else {}, out)


def prompt_of(checkpoint: Checkpoint, inputs: Mapping[str, torch.Tensor]) -> str:
    """Return the text of a prompt, the tokens of an image as one of them."""
    text = checkpoint.processor.tokenizer.decode(inputs["input_ids"][0])
    mark = re.escape(str(checkpoint.processor.image_token))
    return re.sub(f"({mark})( ?{mark})+", checkpoint.processor.image_token, text)


def plain_answer(checkpoint: Checkpoint, inputs: Mapping[str, torch.Tensor]) -> str:
    """Answer without a cache and without generate: the whole sequence again for each token."""
    inputs, num_prompt = dict(inputs), inputs["input_ids"].shape[1]
    for _ in range(NUM_TOKENS):
        token = checkpoint.model(**inputs).logits[:, -1:].argmax(-1)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], token], dim=1)
        for name in set(LENGTHENED) & set(inputs):
            value = torch.full_like(token, name == "attention_mask")
            inputs[name] = torch.cat([inputs[name], value], dim=1)
    tokens = inputs["input_ids"][0, num_prompt:]
    return str(checkpoint.processor.tokenizer.decode(tokens, skip_special_tokens=True)).strip()
