"""A stranger's checkpoint is loaded, or refused with its name, a rule and a remedy; nothing absurd is ever built."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.front.supplied.__main__ import main
from bench.front.supplied.checkpoint import load_checkpoint
from moevlm import MoEVLM
from moevlm.model.processing import build_processor
from moevlm.presets import preset_config
from tests.fixtures.parquet_rows import ROWS, write_rows

WEIGHTS = "model.safetensors"
NO_MODEL = "config.json must describe|--checkpoint must be|must hold its processor"  # by where it is met
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "ours"
    config = preset_config("tiny")
    MoEVLM(config).save_pretrained(folder)
    build_processor(config).save_pretrained(folder)
    return folder


def cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[: -(2**10)])


def content(name: str, found: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(found)


def said(*keys: str, value: object) -> Callable[[Path], object]:
    """Return what changes a field of the configuration."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        whole: Any = json.loads(path.read_text())
        place = whole
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        path.write_text(json.dumps(whole))

    return change


def a_folder(name: str) -> Callable[[Path], object]:
    return lambda folder: ((folder / name).unlink(), (folder / name).mkdir())


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut": (cut(WEIGHTS), "the weights of .* must load, got .*; download them again"),
    "weights empty": (content(WEIGHTS, b""), "must be the .* parameters of its config.json, got 0 bytes"),
    "weights of text": (content(WEIGHTS, b"\xff" * 2**20), "the weights of .* must load, got"),
    "weights a folder": (a_folder(WEIGHTS), "the weights of .* must load, got"),
    "no configuration": (content("config.json", b""), "--checkpoint must be a folder with config.json"),
    "a list": (content("config.json", b"[]"), "--checkpoint must be a folder with config.json"),
    "a deep one": (content("config.json", b"[" * 100_000), "--checkpoint must be a folder with config.json"),
    "no text": (content("config.json", b"\xff\xfe"), "--checkpoint must be a folder with config.json"),
    "a kind that is a list": (said("model_type", value=[]), "--checkpoint must be a folder with config.json"),
    "a billion layers": (said("text_config", "num_hidden_layers", value=10**9), "num_hidden_layers must be 10000 at m"),
    "a billion experts": (said("text_config", "num_experts", value=10**9), "num_experts must be 10000 at most"),
    "a billion words": (said("text_config", "vocab_size", value=10**9), "must be the .* parameters of its conf"),
    "a width of 400 digits": (said("text_config", "hidden_size", value=10**400), NO_MODEL),
    "a width of text": (said("text_config", "hidden_size", value="wide"), NO_MODEL),
    "a width below 0": (said("text_config", "hidden_size", value=-8), NO_MODEL),
    "parts that are none": (said("text_config", value=[]), "must be the .* parameters of its config.json"),
    "a processor of text": (content("tokenizer.json", b"\xff"), "must hold its processor, got .*; save it beside"),
    "an empty processor": (content("tokenizer.json", b"{}"), "must hold its processor, got .*; save it beside"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_checkpoint_is_refused(name: str, ours: Path, tmp_path: Path) -> None:
    spoil, rule = CASES[name]
    folder = shutil.copytree(ours, tmp_path / "ours")
    spoil(folder)
    with pytest.raises(ValueError, match=rule):
        load_checkpoint(str(folder), device=CPU, dtype=torch.float32)


def test_the_checkpoint_that_these_are_made_of_loads(ours: Path) -> None:
    assert load_checkpoint(str(ours), device=CPU, dtype=torch.float32).num_parameters > 0


def test_the_command_ends_4_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], ours: Path) -> None:
    (tmp_path / "data").mkdir()
    path = write_rows(tmp_path / "data", "docvqa", ROWS["docvqa"][0])
    arguments = ["--benchmark=docvqa", f"--data={tmp_path / 'data'}", f"--out={tmp_path / 'a.json'}", "--device=cpu"]
    folder = shutil.copytree(ours, tmp_path / "ours")
    content("config.json", b"[]")(folder)
    assert main([f"--checkpoint={folder}", *arguments]) == 4
    assert capsys.readouterr().err.startswith("error: --checkpoint must be a folder with config.json")
    path.write_bytes(path.read_bytes()[:-200])
    assert main([f"--checkpoint={ours}", *arguments]) == 4
    assert capsys.readouterr().err.startswith(f"error: {path} must be a readable parquet file, got ")
    assert not (tmp_path / "a.json").exists()
