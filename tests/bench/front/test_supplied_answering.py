"""Answers of models that hand back more or less than a decoder does, and what a checkpoint that fails says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from jinja2 import TemplateError
from transformers import (
    AddedToken,
    Gemma3Processor,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
    T5Gemma2Config,
    T5Gemma2ForConditionalGeneration,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.t5gemma2.configuration_t5gemma2 import (
    T5Gemma2DecoderConfig,
    T5Gemma2EncoderConfig,
    T5Gemma2TextConfig,
)

from bench.front.supplied.__main__ import main
from bench.front.supplied.answering import AnsweringError, answer
from bench.front.supplied.checkpoint import Checkpoint
from bench.front.supplied.prompts import WORD, encode
from bench.harness.clock import make_clock
from bench.pages.pareto.documents import read_tiers
from fixtures.programs.ending import ended
from fixtures.tasks import Sample, load_samples
from fixtures.workload import load_workload
from moevlm import MoEVLM
from moevlm.model.processing import build_processor
from moevlm.model.tokenizer import TOKENIZER_PATH, load_tokenizer
from moevlm.presets import preset_config
from tests.fixtures.parquet_rows import ROWS, write_rows

NUM_TOKENS = 3  # of an answer


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_rows(tmp_path, "chartqa", *ROWS["chartqa"])
    return tmp_path


@pytest.fixture
def samples(data: Path) -> list[Sample]:
    return load_samples(data, load_workload("chartqa"))


def ours() -> Checkpoint:
    torch.manual_seed(0)
    config = preset_config("tiny")
    return Checkpoint(name="ours", model=MoEVLM(config).eval(), processor=build_processor(config))


def encoder_decoder() -> Checkpoint:
    """Build a T5Gemma 2 of one layer each: its encoder reads image and question, its decoder begins anew."""
    torch.manual_seed(0)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZER_PATH), bos_token="<s>", eos_token="</s>", pad_token="<pad>", padding_side="left",
        extra_special_tokens={"image_token": "<image>", "boi_token": "<boi>", "eoi_token": "<eoi>"},
    )  # fmt: skip
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {"vocab_size": len(tokenizer), "num_key_value_heads": 1, "head_dim": 16, "layer_types": ["full_attention"],
            "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, **sizes}  # fmt: skip
    encoder = T5Gemma2EncoderConfig(
        text_config=T5Gemma2TextConfig(**text),
        vision_config=SiglipVisionConfig(image_size=28, patch_size=14, vision_use_head=False, **sizes),
        mm_tokens_per_image=4,
    )
    config = T5Gemma2Config(
        encoder=encoder, decoder=T5Gemma2DecoderConfig(**text), image_token_index=tokenizer.image_token_id
    )
    processor = Gemma3Processor(
        Gemma3ImageProcessorPil(size={"height": 28, "width": 28}), tokenizer, image_seq_length=4
    )
    model = T5Gemma2ForConditionalGeneration(config).eval()
    return Checkpoint(name="encoder-decoder", model=model, processor=processor)


def answers_of(checkpoint: Checkpoint, samples: list[Sample], batch_size: int = 2) -> list[str]:
    clock = make_clock(torch.device("cpu"))
    batches = answer(checkpoint, samples, batch_size=batch_size, max_new_tokens=NUM_TOKENS, clock=clock)
    return [text for batch in batches for text in batch.answers]


def test_an_encoder_decoders_answer_is_all_that_its_decoder_says(samples: list[Sample]) -> None:
    """Held against plain steps: the whole decoder again for each token. A prompt is 31 tokens, an answer 3."""
    checkpoint = encoder_decoder()
    said = answers_of(checkpoint, samples[:2])
    inputs = encode(checkpoint.processor, samples[:1])
    read = {name: inputs[name] for name in ("input_ids", "attention_mask", "pixel_values")}
    tokens = torch.tensor([[1]])
    for _ in range(NUM_TOKENS):
        logits = checkpoint.model(**read, decoder_input_ids=tokens).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], dim=1)
    assert said[0] == checkpoint.processor.tokenizer.decode(tokens[0, 1:], skip_special_tokens=True).strip()
    assert said[0]


def test_what_tells_images_from_text_is_left_out_where_the_model_does_not_take_it(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """generate() refuses what no forward takes."""
    plain = answers_of(ours(), samples[:2])

    def told(*arguments: Any) -> dict[str, torch.Tensor]:
        encoded = encode(*arguments)
        return {**encoded, "mm_token_type_ids": torch.zeros_like(encoded["input_ids"])}

    monkeypatch.setattr("bench.front.supplied.answering.encode", told)
    assert answers_of(ours(), samples[:2]) == plain


class Noting:
    """A processor that notes the texts it is given."""

    def __init__(self) -> None:
        self.image_token, self.texts = AddedToken("<image>"), [""]
        self.tokenizer = load_tokenizer(max_length=64)

    def __call__(self, text: list[str], **_: Any) -> dict[str, torch.Tensor]:
        self.texts = text
        return {}


@pytest.mark.parametrize(("name", "mark"), [("Noting", "<image>"), ("Blip2Processor", ""), ("FuyuProcessor", "")])
def test_an_image_token_need_not_be_a_string_nor_be_written_by_us(samples: list[Sample], name: str, mark: str) -> None:
    processor = type(name, (Noting,), {})()
    encode(processor, samples[:1])
    assert processor.texts == [f"{mark}\nValue of 0?\n{WORD}"]


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException, after: int) -> Checkpoint:
    """Return ours, whose generate fails after so many calls: the first batch takes three, each other one two."""
    checkpoint, calls = ours(), iter(range(100))
    generate = checkpoint.model.generate

    def fails(**inputs: Any) -> torch.Tensor:
        if next(calls) >= after:
            raise error
        tokens: torch.Tensor = generate(**inputs)
        return tokens

    monkeypatch.setattr(checkpoint.model, "generate", fails)
    return checkpoint


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no text"),
        TypeError("no text"),
        KeyError("no text"),
        IndexError("no text"),
        TemplateError("no text"),
        AttributeError("no text"),
        RuntimeError("no text\nat line 1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_model_that_takes_no_prompt_of_ours_is_one_error_with_its_cause(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    said = rf"the model of ours must take questions 1 to 2 .*row 0 and on\), got {type(error).__name__}: '?no text'?; "
    with pytest.raises(AnsweringError, match=said + ".* chat_template.jinja .* or take another checkpoint$") as raised:
        answers_of(failing(monkeypatch, error, after=0), samples)
    assert raised.value.__cause__ is error


def test_a_processor_that_takes_no_prompt_of_ours_is_told_from_a_model(samples: list[Sample]) -> None:
    def refuses(**_: Any) -> None:
        raise ValueError("a task token must come first")

    refuses.image_token = "<image>"  # type: ignore[attr-defined]
    refuses.tokenizer = load_tokenizer(max_length=64)  # type: ignore[attr-defined]
    checkpoint = Checkpoint(name="florence", model=None, processor=refuses)
    with pytest.raises(AnsweringError, match=r"the processor of florence must .* ValueError: a task token must come"):
        answers_of(checkpoint, samples)


def test_memory_that_runs_out_asks_for_a_smaller_batch(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsweringError, match=r"OutOfMemoryError: CUDA out of memory; give a smaller --batch-size"):
        answers_of(failing(monkeypatch, torch.OutOfMemoryError("CUDA out of memory"), after=0), samples)


def test_other_errors_are_not_taken_for_the_checkpoints(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        answers_of(failing(monkeypatch, ZeroDivisionError(), after=0), samples)


DEVICE_GONE = RuntimeError("the device is gone")


@pytest.fixture
def stopped(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command on a checkpoint that fails after so many calls; return what it printed as its error."""

    def run(after: int, error: BaseException = DEVICE_GONE, code: int = 4) -> str:
        checkpoint = failing(monkeypatch, error, after=after)
        monkeypatch.setattr("bench.front.supplied.__main__.load_checkpoint", lambda *_, **__: checkpoint)
        options = ["--checkpoint", "ours", "--benchmark", "chartqa", "--data", str(data), "--device", "cpu"]
        arguments = [*options, "--out", str(data / "mine.json"), "--max-new-tokens", str(NUM_TOKENS)]
        assert ended(lambda: main(arguments)) == code
        assert not (data / "mine.json").exists()
        return capsys.readouterr().err

    return run


def test_a_run_that_fails_in_the_middle_keeps_its_answers_beside(stopped: Callable[..., str], data: Path) -> None:
    """Batches of one: calls 0, 1, 2 are question 1's, 3 and 4 question 2's."""
    said = stopped(5)
    kept = data / "mine.json.partial"
    assert "must take questions 3 to 3" in said
    assert "stop before it with --limit 2. The 2 questions before are kept in" in said
    assert [one["source"][-5:] for one in json.loads(kept.read_text())["models"][0]["answers"]] == ["row 0", "row 1"]
    assert read_tiers([kept])["supplied"].points[0].num_samples == 2


def test_a_run_that_fails_at_once_says_that_nothing_is_written(stopped: Callable[..., str], data: Path) -> None:
    assert "No question was answered, nothing is written" in stopped(0)
    assert not (data / "mine.json.partial").exists()


def test_an_interrupted_run_keeps_its_answers_too(stopped: Callable[..., str], data: Path) -> None:
    said = stopped(5, KeyboardInterrupt(), 130)
    assert said.endswith("interrupted: The 2 questions before are kept in "
                         f"{data / 'mine.json.partial'}, as --limit 2 would give them\n")  # fmt: skip
    assert (data / "mine.json.partial").exists()


def test_a_defect_in_the_middle_loses_no_answers(stopped: Callable[..., str], data: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        stopped(5, ZeroDivisionError())
    assert (data / "mine.json.partial").exists()
