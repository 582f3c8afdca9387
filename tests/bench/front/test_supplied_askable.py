"""A row that cannot be asked is named before the model loads: the checkpoints of these tests have no weights."""

import re
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from bench.front.supplied.__main__ import main
from bench.front.supplied.checking import require_askable
from bench.front.supplied.prompts import WORD
from fixtures.tasks import Sample, load_samples
from fixtures.workload import load_workload
from moevlm import MoEVLMConfig
from moevlm.model.processing import build_processor
from moevlm.model.tokenizer import load_tokenizer
from moevlm.presets import preset_config
from tests.fixtures.parquet_rows import ROWS, image_cell, mmmu_row, write_rows

CHARTQA, DOCVQA, MATHVISTA = (ROWS[name][0] for name in ("chartqa", "docvqa", "mathvista"))


def cell_of(image: Image.Image, cut: int = 0) -> dict[str, Any]:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return {"bytes": buffer.getvalue()[: len(buffer.getvalue()) - cut], "path": None}


CUT = cell_of(Image.effect_noise((40, 30), 50), cut=300)
BOMB = {"bytes": cell_of(Image.new("1", (5_000, 5_000)))["bytes"], "path": None}


@pytest.fixture(scope="module")
def weightless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a checkpoint of ours of 256 positions, without its weights."""
    folder = tmp_path_factory.mktemp("weightless")
    config = preset_config("tiny")
    config.text_config.max_position_embeddings = 256
    config.save_pretrained(folder)
    build_processor(config).save_pretrained(folder)
    return folder


def error_of(checkpoint: Path, task: str, data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    options = ["--checkpoint", str(checkpoint), "--benchmark", task, "--data", str(data), "--device", "cpu"]
    assert main([*options, "--out", str(data / "mine.json")]) == 4
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    return said


@pytest.mark.parametrize(
    ("task", "bad", "message"),
    [
        ("chartqa", {**CHARTQA, "image": CUT}, "every image must be decodable, got .*row 1, column image; download"),
        ("chartqa", {**CHARTQA, "image": BOMB}, "every image must be decodable, got Image size .*row 1, column image"),
        ("mathvista", {**MATHVISTA, "decoded_image": None}, "row 1 .*column decoded_image must hold a value, got null"),
        ("chartqa", {**CHARTQA, "query": ""}, "row 1 .*a question must be a text, got ''; download"),
        ("mmmu", mmmu_row(question="Is <image 1> or <image 2> larger?"),
         "row 1 .*column image_2 must hold the image that a text names, got null; download"),
        ("docvqa", {**DOCVQA, "question": "why " * 300}, r"row 1: a prompt .* which leave 224 tokens .*got \d+; "),
    ],
    ids=["cut off", "too large", "null", "no question", "mark without image", "too long"],
)  # fmt: skip
def test_a_row_that_cannot_be_asked_is_named_with_a_remedy(
    weightless: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, bad: dict[str, Any], message: str
) -> None:
    write_rows(tmp_path, task, ROWS[task][0], bad)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000_000)
        assert re.search(message, error_of(weightless, task, tmp_path, capsys))


def test_without_such_a_row_the_weights_are_looked_for(
    weightless: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the rows that read differently, one says `<image>`."""
    write_rows(tmp_path, "chartqa", CHARTQA, {**CHARTQA, "query": "What does <image> mean?"})
    assert "the weights of" in error_of(weightless, "chartqa", tmp_path, capsys)


class Fitting:
    """A processor that takes images up to a ratio of sides of 20 and notes which rows it was given."""

    image_token = "<image>"

    def __init__(self) -> None:
        self.tokenizer = load_tokenizer(max_length=99)
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, images: list[list[Image.Image]], **_: Any) -> dict[str, torch.Tensor]:
        for image in images[0]:
            self.sizes.append(image.size)
            if max(image.size) > 20 * min(image.size):
                raise ValueError("absolute aspect ratio must be smaller than 20")
        return {"input_ids": torch.zeros(1, 60 if max(images[0][0].size) > 1000 else 40, dtype=torch.long)}


SIZES = [(40, 30), (40, 31), (41, 31), (5, 5), (1100, 900)]  # row 2 is the most in nothing


def samples_of(folder: Path, sizes: list[tuple[int, int]]) -> list[Sample]:
    rows = [{**CHARTQA, "image": image_cell(size), "query": "How many?"} for size in sizes]
    rows[1]["query"] = "How many of the many bars are there?"
    write_rows(folder, "chartqa", *rows)
    return load_samples(folder, load_workload("chartqa"))


def ask(samples: list[Sample], processor: Any, positions: int = 99) -> None:
    config = MoEVLMConfig(text_config={"max_position_embeddings": positions})
    require_askable(samples, processor, config, name="theirs", max_new_tokens=9)


def test_a_processor_is_tried_on_the_first_row_and_on_those_that_are_most_of_a_kind(tmp_path: Path) -> None:
    processor = Fitting()
    ask(samples_of(tmp_path, SIZES), processor)
    assert processor.sizes == [SIZES[0], SIZES[1], SIZES[3], SIZES[4]]


def test_a_row_whose_image_the_processor_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"^the processor of theirs must take every row, got ValueError: absolute aspect "
        r"ratio .* for .*row 5; remove the row that it does not take, or stop before it with --limit 5$",
    ):
        ask(samples_of(tmp_path, [*SIZES, (4, 100)]), Fitting())


def test_a_processor_that_takes_no_row_may_lack_its_template(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"row 0; its prompts may have a form of their own: give .*chat_template"):
        ask(samples_of(tmp_path, [(100, 1)] * 2), Fitting())


def test_a_prompt_with_its_image_tokens_must_fit_into_the_positions(tmp_path: Path) -> None:
    """Text and a token an image would fit; the processor makes 60 of the largest image."""
    samples = samples_of(tmp_path, SIZES)
    ask(samples, Fitting(), positions=69)
    with pytest.raises(ValueError, match=r"row 4: a prompt .* leave 59 tokens for a prompt, got 60; remove that row"):
        ask(samples, Fitting(), positions=68)


def test_tokens_of_our_images_are_counted_in_every_row(tmp_path: Path) -> None:
    """Row 2 is none of the extremes: of ratio 2 it fills 2 tiles, 4 rows of 8 tokens and a newline, and 16."""
    samples = samples_of(tmp_path, [(40, 40), (40, 40), (60, 30), (10, 100), (5, 5), (1000, 1000)])
    config = preset_config("tiny")
    config.image_grid_pinpoints = [[56, 112], [112, 56]]
    processor = build_processor(config)
    num_tokens = 4 * (8 + 1) + 16 + len(processor.tokenizer(f"\nHow many?\n{WORD}").input_ids)
    ask(samples, processor, positions=num_tokens + 9)
    with pytest.raises(ValueError, match=rf"row 2: a prompt .* got {num_tokens}; remove"):
        ask(samples, processor, positions=num_tokens + 8)


def test_without_positions_in_the_configuration_no_length_is_refused(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(is_encoder_decoder=False, get_text_config=lambda: SimpleNamespace())
    require_askable(samples_of(tmp_path, SIZES), Fitting(), config, name="theirs", max_new_tokens=10**9)
