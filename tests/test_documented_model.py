"""The README's lines on the model run as they stand, and what they save is what transformers' own classes read."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

README = Path(__file__).parents[1] / "README.md"


def test_the_readmes_model_decodes_alike_both_ways_and_after_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)
    names: dict[str, Any] = {}
    exec(compile(code, str(README), "exec"), names)
    first, then, *together = re.findall(r"\[\[([\d, ]+)\]\]", capsys.readouterr().out)
    said = [[int(token) for token in part.split(", ")] for part in (f"{first}, {then}", *together)]
    assert said[0] == said[1]
    read = AutoModelForImageTextToText.from_pretrained("saved").eval()
    picture, question = Image.new("RGB", (120, 80), "red"), "<image>Which colour is it?"
    inputs = AutoProcessor.from_pretrained("saved")(images=[picture], text=[question], return_tensors="pt")
    with torch.inference_mode():
        again = read.generate(**inputs, max_new_tokens=8, do_sample=False)[0, -8:]
    assert again.tolist() == said[0]
