"""Checkpoints laid out like published ones of the main families: prompt word for word, the answers of plain steps."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from bench.front.supplied.checkpoint import load_checkpoint
from bench.front.supplied.prompts import WORD, encode
from bench.pages.pareto.documents import read_tiers
from fixtures.tasks import load_samples
from fixtures.workload import load_workload
from tests.bench.front.families.asking import ask, plain_answer, prompt_of
from tests.bench.front.families.saved import save_family
from tests.fixtures.parquet_rows import ROWS, write_rows

ASKED = f"Value of 0?\n{WORD}"
CHAT = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
QWEN = f"{CHAT}<|vision_start|><|image_pad|><|vision_end|>{ASKED}<|im_end|>\n<|im_start|>assistant\n"
DEEPSEEK = f"You are a helpful language and vision assistant.\n\nUser: <image_placeholder>{ASKED}\n\nAssistant:"


class Expected(NamedTuple):
    """What a family's checkpoint must be asked, and how many parameters its routed experts have: by hand."""

    prompt: str
    routed: int = 0  # layers * experts * 3 * hidden_size * moe_intermediate_size; of four experts two a token


EXPERTS = 2 * 4 * 3 * 64 * 32
ALWAYS = ("llava", "qwen2_5_vl", "qwen3_vl_moe", "internvl")  # a second each; the others are `long`
MAIN = {
    "llava": Expected(f"USER: <image>\n{ASKED} ASSISTANT:"),
    "llava-olmoe": Expected(f"USER: <image>\n{ASKED} ASSISTANT:", 2 * EXPERTS),  # of a width of 64
    "llava_next": Expected(f"[INST] <image>\n{ASKED} [/INST]"),
    "llava_onevision": Expected(f"<|im_start|>user <image>\n\n{ASKED}<|im_end|><|im_start|>assistant\n"),
    "qwen2_5_vl": Expected(QWEN),
    "qwen3_vl": Expected(QWEN),
    "qwen3_vl_moe": Expected(QWEN, EXPERTS),
    "internvl": Expected(f"<|im_start|>user\n<img><IMG_CONTEXT></img>\n{ASKED}<|im_end|>\n<|im_start|>assistant\n"),
    "deepseek_vl": Expected(DEEPSEEK),
    "deepseek_ocr2": Expected(f"user: <image>{ASKED}assistant:", EXPERTS // 2),  # of two layers one has experts
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, "chartqa", *ROWS["chartqa"])
    return folder


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=[] if name in ALWAYS else [pytest.mark.long]) for name in MAIN]
)
def test_a_published_layout_goes_from_load_to_front(family: str, data: Path, tmp_path: Path) -> None:
    save_family(family, tmp_path / family)
    asked = ask(tmp_path / family, "chartqa", data, tmp_path / "mine.json")
    assert asked.code == 0
    assert read_tiers([asked.out])["supplied"].points[0].num_samples == 2
    checkpoint = load_checkpoint(str(tmp_path / family), device=torch.device("cpu"), dtype=torch.float32)
    inputs = encode(checkpoint.processor, load_samples(data, load_workload("chartqa"))[:1])
    assert prompt_of(checkpoint, inputs).removeprefix("<s>") == MAIN[family].prompt
    assert asked.document["answers"][0]["answer"] == plain_answer(checkpoint, inputs)
    active = asked.document["num_parameters"] - MAIN[family].routed // 2
    assert asked.document["num_active_parameters"] == active
    assert asked.document["kind"] == ("moe" if MAIN[family].routed else "dense")
