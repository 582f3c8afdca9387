"""A checkpoint of the user's own: prompts word for word, the model's own answers, scores and intervals by hand."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    Qwen3Config,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from bench.front.supplied.__main__ import main
from bench.front.supplied.answering import Answered
from bench.front.supplied.checkpoint import Checkpoint, load_checkpoint
from bench.front.supplied.document import accuracy_by_kind, document
from bench.front.supplied.prompts import LETTER, WORD, asked, encode
from bench.pages.pareto.documents import read_tiers
from fixtures.tasks import Sample, load_samples
from fixtures.workload import load_workload
from moevlm import MoEVLM
from moevlm.model.parameters import parameter_counts
from moevlm.model.processing import build_processor
from moevlm.model.tokenizer import load_tokenizer
from moevlm.presets import preset_config
from moevlm.smoes.ablations import specialized
from tests.fixtures.parquet_rows import ROWS, image_cell, write_rows

TEMPLATE = (
    "{% for m in messages %}USER: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}"
    "{{ c['text'] }}{% endif %}{% endfor %}{% endfor %} ASSISTANT:"
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, rows in ROWS.items():
        (folder / name).mkdir()
        write_rows(folder / name, name, *rows)
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a tiny model of ours, one of SMoES, one of LLaVA's architecture and one that sees nothing."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    for name, specialization in (("ours", "plain"), ("smoes", "smoes-attention")):
        config = preset_config("tiny")
        config.text_config = specialized(config.text_config, specialization)
        MoEVLM(config).save_pretrained(folder / name)
        build_processor(config).save_pretrained(folder / name)
    tokenizer = load_tokenizer(max_length=2048)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
    vision = CLIPVisionConfig(image_size=28, patch_size=14, num_hidden_layers=2, **sizes)
    text = Qwen3Config(vocab_size=2048, num_hidden_layers=1, num_key_value_heads=1, head_dim=16, **sizes)
    llava = LlavaConfig(vision_config=vision, text_config=text, image_token_id=tokenizer.image_token_id)
    LlavaForConditionalGeneration(llava).save_pretrained(folder / "llava")
    square = {"height": 28, "width": 28}
    LlavaProcessor(
        LlavaImageProcessorPil(size={"shortest_edge": 28}, crop_size=square), tokenizer, patch_size=14,
        vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=TEMPLATE,
    ).save_pretrained(folder / "llava")  # fmt: skip
    blind = GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=64, bos_token_id=0, eos_token_id=0)
    GPT2LMHeadModel(blind).save_pretrained(folder / "gpt2")
    return folder


def load(checkpoints: Path, name: str) -> Checkpoint:
    return load_checkpoint(str(checkpoints / name), device=CPU, dtype=torch.float32)


def run(checkpoint: Path | str, benchmark: str, data: Path, out: Path, *options: str) -> int:
    return main(["--checkpoint", str(checkpoint), "--benchmark", benchmark, "--data", str(data), "--out", str(out),
                 "--max-new-tokens", "3", "--device", "cpu", *options])  # fmt: skip


def samples_of(data: Path, benchmark: str) -> list[Sample]:
    return load_samples(data / benchmark, load_workload(benchmark))


def test_questions_are_asked_with_the_usual_instruction(data: Path) -> None:
    assert asked(samples_of(data, "chartqa")[0]) == f"<image>\nValue of 0?\n{WORD}"
    assert asked(samples_of(data, "mmmu")[0]) == f"What is <image>?\nA. one\nB. two\n{LETTER}"


def test_a_chat_template_gets_texts_and_images_in_the_order_of_the_prompt(checkpoints: Path, data: Path) -> None:
    processor = load(checkpoints, "llava").processor
    tokens = encode(processor, samples_of(data, "mmmu")[1:])["input_ids"][0]
    text = processor.tokenizer.decode(tokens).replace("<image>" * 4, "<image>")  # 4 tokens an image
    said = f"<s>USER: Is <image>or<image>larger?\nA. one\nB. two\n{LETTER} ASSISTANT:"
    assert text.replace(" <image>", "<image>") == said.replace(" <image>", "<image>")


def test_without_a_template_the_prompt_is_written_as_it_is(checkpoints: Path, data: Path) -> None:
    processor = load(checkpoints, "ours").processor
    batch = encode(processor, samples_of(data, "chartqa")[:1])
    text = processor.tokenizer.decode(batch["input_ids"][0])
    assert text == "<s>" + "<image>" * 16 + f"\nValue of 0?\n{WORD}"
    assert batch["pixel_values"].shape[0] == 1


@pytest.mark.parametrize("task", ROWS)
@pytest.mark.parametrize("name", ["ours", "llava"])
def test_each_benchmark_gives_a_document_that_pareto_reads(
    checkpoints: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, task: str
) -> None:
    out = tmp_path / "mine.json"
    assert run(checkpoints / name, task, data / task, out, "--name", "mine") == 0
    tier = read_tiers([out])["supplied"]
    (point,) = tier.points
    assert (point.task, point.series, point.num_samples) == (task, "mine", len(ROWS[task]))
    assert 0 <= point.accuracy.low <= point.accuracy.high <= 1
    assert all(interval.low > 0 for interval in point.throughput.values())
    printed = capsys.readouterr().out
    assert "accuracy, all" in printed
    assert f"python -m bench pareto {out}" in printed


def test_a_checkpoint_is_called_by_the_last_part_of_its_path(checkpoints: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.json"
    assert run(f"{checkpoints / 'ours'}/", "docvqa", data / "docvqa", out) == 0
    assert json.loads(out.read_text())["models"][0]["variant"] == "ours"


def test_answers_are_the_models_own_greedy_tokens_in_batches_too(checkpoints: Path, data: Path, tmp_path: Path) -> None:
    found = []
    for size in ("1", "3"):
        out = tmp_path / f"{size}.json"
        assert run(checkpoints / "ours", "chartqa", data / "chartqa", out, "--batch-size", size) == 0
        found.append([answer["answer"] for answer in json.loads(out.read_text())["models"][0]["answers"]])
    assert found[0] == found[1]
    ours = load(checkpoints, "ours")
    inputs = encode(ours.processor, samples_of(data, "chartqa")[:1])
    tokens = inputs["input_ids"]
    for _ in range(3):  # plainly: the whole sequence again for each token
        logits = ours.model(input_ids=tokens, pixel_values=inputs["pixel_values"]).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], dim=1)
    said = ours.processor.tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert found[0][0] == said.strip()


def answered(*answers: str, ttft_s: float = 0.5, e2e_s: float = 1.0) -> Answered:
    return Answered(answers=answers, num_prompt_tokens=30, ttft_s=ttft_s, e2e_s=e2e_s)


def test_scores_kinds_and_rates_by_hand(checkpoints: Path, data: Path) -> None:
    """Of 0, 1, 2, 3 right, right, wrong, wrong; requests 2 / 1 s + 2 / 3 s: 4 in 4 s; tokens 60 in 1 s."""
    batches = [answered("0", "1.04"), answered("4", "three", e2e_s=3.0)]
    samples = samples_of(data, "chartqa")
    ours = load(checkpoints, "ours")
    found = document(ours, "chartqa", samples, batches, name="mine", machine={}, workload="")["models"][0]
    assert {kind: value["estimate"] for kind, value in found["accuracy"].items()} == {
        "all": 0.5, "human": 0.5, "augmented": 0.5,
    }  # fmt: skip
    assert found["throughput"]["req_per_s"]["estimate"] == 1.0
    assert found["throughput"]["prefill_tok_per_s"]["estimate"] == 60.0
    assert (found["kind"], found["unparsed_rate"]) == ("moe", 0.0)


def test_unparsed_answers_count_0_and_are_reported(checkpoints: Path, data: Path) -> None:
    samples, ours = samples_of(data, "mmmu"), load(checkpoints, "ours")
    found = document(ours, "mmmu", samples, [answered("B", "?")], name="mine", machine={}, workload="")["models"][0]
    assert found["accuracy"]["all"]["estimate"] == 0.5
    assert found["unparsed_rate"] == 0.5
    assert [answer["score"] for answer in found["answers"]] == [1.0, None]


def test_the_interval_is_that_of_as_many_draws_as_samples(data: Path) -> None:
    """400 coin tosses: 1.96 sqrt(0.25 / 400) = 0.049."""
    found = accuracy_by_kind(100 * samples_of(data, "chartqa"), [0.0, 1.0] * 200)["all"]
    assert (found["low"], found["high"]) == pytest.approx((0.451, 0.549), abs=0.006)


@pytest.mark.parametrize(("name", "kind"), [("ours", "moe"), ("smoes", "smoes"), ("llava", "dense")])
def test_only_a_model_with_bins_is_smoes_and_active_parameters_are_counted(
    checkpoints: Path, name: str, kind: str
) -> None:
    checkpoint = load(checkpoints, name)
    assert checkpoint.kind == kind
    if kind != "dense":
        counts = parameter_counts(checkpoint.model.config)
        assert checkpoint.num_active_parameters == counts.total - counts.text + counts.active
        assert checkpoint.num_parameters == counts.total


def without(name: str) -> Any:
    """Return how to spoil a copy of a checkpoint: without one of its files."""
    return lambda folder: (folder / name).unlink()


def lose_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(iter(sorted(tensors))))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("gpt2", None, "must be an image-text-to-text model, got model_type gpt2"),
        ("none", None, "--checkpoint must be a folder with config.json, or a model's name on the hub"),
        ("ours", without("processor_config.json"), "must hold .*processor"),
        ("ours", without("model.safetensors"), "the weights of .* must load"),
        ("ours", lose_a_weight, "must hold every weight of its architecture"),
    ],
)
def test_a_checkpoint_that_cannot_answer_is_one_clear_error(
    checkpoints: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, spoil: Any,
    message: str,
) -> None:  # fmt: skip
    folder = tmp_path / name
    if name != "none":
        shutil.copytree(checkpoints / name, folder)
    if spoil:
        spoil(folder)
    assert run(folder, "chartqa", data / "chartqa", tmp_path / "mine.json") == 4
    captured = capsys.readouterr().err.strip()
    assert captured.count("error: ") == 1
    assert re.search(message, captured)
    assert not (tmp_path / "mine.json").exists()


@pytest.mark.parametrize(
    ("rows", "file", "message"),
    [
        ([{"image": image_cell(), "query": "a?"}], "test-0.parquet", "it lacks label, human_or_machine"),
        (ROWS["chartqa"], "train-0.parquet", "must hold parquet files of the split test"),
    ],
)  # fmt: skip
def test_data_that_cannot_be_read_is_one_clear_error(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: Any, file: str, message: str
) -> None:
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / file)
    assert run(checkpoints / "ours", "chartqa", tmp_path, tmp_path / "mine.json") == 4
    assert message in capsys.readouterr().err


def test_a_limit_below_1_is_refused(checkpoints: Path, data: Path, tmp_path: Path, capsys: Any) -> None:
    assert run(checkpoints / "ours", "chartqa", data / "chartqa", tmp_path / "m.json", "--limit", "0") == 4
    assert "--limit must be at least 1, got 0" in capsys.readouterr().err
