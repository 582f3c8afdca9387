"""Files of a checkpoint as they come: shards, bfloat16, spread over devices, gated, missing, without template."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from bench.front.supplied.checkpoint import load_checkpoint
from bench.front.supplied.prompts import encode
from fixtures.tasks import load_samples
from fixtures.workload import load_workload
from tests.bench.front.families.asking import ask, prompt_of
from tests.bench.front.families.saved import save_family
from tests.fixtures.parquet_rows import ROWS, write_rows

CPU = torch.device("cpu")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9976576152\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, "chartqa", *ROWS["chartqa"])
    return folder


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A LLaVA-1.5 in bfloat16, in several files with an index."""
    save_family("llava", tmp_path / "llava", dtype=torch.bfloat16, shard="200KB")
    return tmp_path / "llava"


def test_shards_in_bfloat16_answer_in_the_dtype_that_is_asked_for(sharded: Path, data: Path, tmp_path: Path) -> None:
    shards = sorted(sharded.glob("model-*-of-*.safetensors"))
    assert len(shards) > 1
    assert (sharded / "model.safetensors.index.json").exists()
    with safe_open(shards[0], "pt") as file:
        assert file.get_tensor(next(iter(file.keys()))).dtype is torch.bfloat16
    for dtype in ("float32", "bfloat16"):
        assert ask(sharded, "chartqa", data, tmp_path / f"{dtype}.json", f"--dtype={dtype}").code == 0
        assert json.loads((tmp_path / f"{dtype}.json").read_text())["machine"]["dtype"] == dtype


def without(name: str) -> Callable[[Path], object]:
    return lambda folder: [path.unlink() for path in folder.glob(name)]


def pointers(folder: Path) -> None:
    """Leave what git clones without git-lfs."""
    for path in folder.glob("*.safetensors"):
        path.write_bytes(POINTER)


def foreign(folder: Path) -> None:
    """Make it a checkpoint with code of its own, of an architecture that transformers has not."""
    own = {"AutoConfig": "configuration.OwnConfig", "AutoModel": "modeling.OwnModel"}
    (folder / "config.json").write_text(json.dumps({"model_type": "deepseek_vl_v2", "auto_map": own}))
    (folder / "configuration.py").write_text("raise SystemExit('this code ran')")


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a shard missing": (without("model-00001-*"), r"the weights of .* must .*got .*; download them again$"),
    "no index": (without("*.index.json"), r"the weights of .* must load, got .*; download them again$"),
    "pointers of git-lfs": (pointers, r"must be the .* parameters of its config.json, got \d+ bytes; download them ag"),
    "no processor": (without("*processor_config.json"), r"must hold .*processor.*; save it beside the weights with"),
    "no tokenizer": (without("tokenizer*"), r"must hold its processor, got .*; save it beside the weights with"),
    "code of its own": (foreign, r"of an architecture that transformers has without code of .*; take one in transform"),
}


@pytest.mark.parametrize("name", CASES)
def test_files_that_are_not_there_are_one_clear_line(
    name: str, sharded: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    spoil, rule = CASES[name]
    spoil(sharded)
    monkeypatch.setattr("builtins.input", lambda _: "y")  # transformers asks whether to run a stranger's code
    assert ask(sharded, "chartqa", data, tmp_path / "mine.json").code == 4
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert re.search(rule, said), said


def test_without_a_chat_template_a_prompt_is_its_image_and_its_text(sharded: Path, data: Path) -> None:
    without("chat_template.jinja")(sharded)
    checkpoint = load_checkpoint(str(sharded), device=CPU, dtype=torch.float32)
    inputs = encode(checkpoint.processor, load_samples(data, load_workload("chartqa"))[:1])
    assert prompt_of(checkpoint, inputs).startswith("<s><image>\nValue of 0?\nAnswer")


@pytest.mark.parametrize("place", ["chat_template.json", "tokenizer_config.json"])
def test_a_chat_template_is_found_where_older_checkpoints_keep_it(place: str, sharded: Path, data: Path) -> None:
    """In a file of JSON beside the processor, or in the tokenizer's configuration alone."""
    template = (sharded / "chat_template.jinja").read_text()
    (sharded / "chat_template.jinja").unlink()
    found = json.loads((sharded / place).read_text()) if (sharded / place).exists() else {}
    (sharded / place).write_text(json.dumps({**found, "chat_template": template}))
    checkpoint = load_checkpoint(str(sharded), device=CPU, dtype=torch.float32)
    inputs = encode(checkpoint.processor, load_samples(data, load_workload("chartqa"))[:1])
    assert prompt_of(checkpoint, inputs).startswith("<s>USER: <image>\nValue of 0?\n")


def test_a_checkpoint_that_is_not_here_while_offline_says_how_to_fetch_it(
    data: Path, tmp_path: Path, capsys: Any
) -> None:
    assert ask("llava-hf/llava-1.5-7b-hf", "chartqa", data, tmp_path / "mine.json").code == 4
    assert "; fetch it where there is a network, `hf download llava-hf/llava-1.5-7b-hf`" in capsys.readouterr().err


def test_layers_spread_over_devices_answer_as_on_one(sharded: Path, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    one, spread = (
        ask(sharded, "chartqa", data, tmp_path / f"{number}.json", *options).document
        for number, options in enumerate([(), ("--device-map=auto",)])
    )
    assert spread["answers"] == one["answers"]
    assert spread["weights"] == one["weights"]
