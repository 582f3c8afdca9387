"""Every family that transformers maps to image-text-to-text answers, or is refused with its reason before its weights.

What became of each is kept in RECORD, by the versions of transformers and torchvision: some need that one, or timm.
"""

import json
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
from transformers import GPT2Config, PreTrainedConfig, VisionEncoderDecoderConfig, ViTConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)

from bench.front.supplied.families import BROKEN, UNSUPPORTED
from bench.pages.pareto.documents import read_tiers
from tests.bench.front.families.asking import ask
from tests.bench.front.families.saved import save_family
from tests.bench.kept_runs import ROOT
from tests.fixtures.parquet_rows import ROWS, write_rows

RECORD = ROOT / "docs" / "records" / "families.json"
ANSWERS = "answers"
NOT_TRIED = {  # no small checkpoint of these was made
    "apertus1p5": "its tokens lie at offsets of a quarter of a million",
    "fast_vlm": "its vision tower is timm's, in one size",
    "fuyu": "its processor cuts the underscore off that a tokenizer of sentencepiece puts first, which none here does",
    "gemma3n": "its vision tower is timm's, in one size",
    "perception_lm": "its vision tower is timm's, in one size",
    "qwen2_5_omni_thinker": "it is published within a model that transformers maps elsewhere",
    "qwen3_omni_moe_thinker": "it is published within a model that transformers maps elsewhere",
}
REFUSED = {**UNSUPPORTED, **{name: why for (name, found), why in BROKEN.items() if found == version("transformers")}}
FAMILIES = [
    name for name in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES if name != "moevlm"
]  # ours is known once imported


def here() -> str:
    """Name what a family's outcome depends on."""
    try:
        torchvision = version("torchvision")
    except PackageNotFoundError:
        torchvision = "none"
    return f"transformers {version('transformers')}, torchvision {torchvision.partition('+')[0]}"


def kept() -> dict[str, dict[str, str]]:
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def keep(family: str, outcome: str) -> None:
    found = kept()
    found[here()] = dict(sorted({**found.get(here(), {}), family: outcome}.items()))
    RECORD.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, "chartqa", *ROWS["chartqa"])
    return folder


def config_of(family: str) -> PreTrainedConfig:
    """Return the defaults of a family; of pairs in general a pair."""
    if family == "vision-encoder-decoder":
        return VisionEncoderDecoderConfig.from_encoder_decoder_configs(
            ViTConfig(), GPT2Config(add_cross_attention=True)
        )
    return CONFIG_MAPPING[family]()


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore::FutureWarning")  # transformers of itself
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_answers_or_is_refused_with_its_reason(family: str, data: Path, tmp_path: Path, capsys: Any) -> None:
    folder, kind = tmp_path / family, CONFIG_MAPPING[family]
    if family in NOT_TRIED:
        keep(family, f"not tried: {NOT_TRIED[family]}")
        pytest.skip(NOT_TRIED[family])
    refused = family in REFUSED or kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    missing = ""
    if refused:
        config_of(family).save_pretrained(folder)  # without weights and processor: its configuration is enough
    else:
        try:
            save_family(family, folder)
        except ImportError as error:
            missing = str(error).partition("\n")[0]
            if not (folder / "config.json").exists():
                kind().save_pretrained(folder)
    asked = ask(folder, "chartqa", data, tmp_path / "mine.json")
    said = capsys.readouterr().err.strip()
    if refused:
        assert (asked.code, said.count("\n")) == (4, 0)
        why = REFUSED.get(family, "must be an image-text-to-text model")
        assert why in said
        keep(family, f"refused: {why}")
    elif asked.code == 0:
        assert read_tiers([asked.out])["supplied"].points[0].num_samples == 2
        keep(family, ANSWERS)
    else:
        assert said.endswith("; install the package that it names"), said
        keep(family, "needs " + next(name for name in ("torchvision", "timm", "num2words") if name in said.lower()))
        assert missing or "torchvision" in said.lower() or "num2words" in said


@pytest.mark.skipif(here() not in kept(), reason=f"not recorded for {here()}")
def test_the_record_tells_of_every_family_of_this_version() -> None:
    found = kept()[here()]
    assert set(found) == set(FAMILIES)
    assert {
        name for name, outcome in found.items() if outcome.startswith("not tried: ")
    } == NOT_TRIED.keys() & found.keys()
    refused = {name: outcome.removeprefix("refused: ") for name, outcome in found.items() if outcome[:8] == "refused:"}
    assert refused == {name: why for name, why in REFUSED.items() if name in found}
    assert (
        Counter(outcome.partition(":")[0].partition(" ")[0] for outcome in found.values())["answers"] > len(found) / 2
    )
