"""Families that take no question, or that a version of transformers breaks, are refused by configuration alone."""

from pathlib import Path

import pytest
import torch
from transformers import AriaConfig, BlipConfig, Llama4Config

from bench.front.supplied.checkpoint import load_checkpoint, resident
from bench.front.supplied.families import require_supported
from bench.front.supplied.plausible import require_plausible


def test_a_family_that_takes_no_question_is_refused_before_anything_else_is_read(tmp_path: Path) -> None:
    """The folder holds no weights and no processor."""
    BlipConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"got model_type blip in .*, which writes captions: .*; take another$"):
        load_checkpoint(str(tmp_path), device=torch.device("cpu"), dtype=torch.float32)


@pytest.mark.parametrize("found", ["5.24.0", "5.17.0"])
def test_a_family_is_refused_where_that_version_of_transformers_breaks_it(
    found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.front.supplied.families.version", lambda _: found)
    if found == "5.17.0":
        require_supported("scout", Llama4Config())
        return
    with pytest.raises(ValueError, match=r"got model_type llama4 in scout, which transformers 5\.24\.0 itself fails"):
        require_supported("scout", Llama4Config())


def test_a_configuration_with_numbers_as_keys_is_read() -> None:
    """Aria's says how many tokens a picture of so many patches has."""
    assert {1225, 4900} <= AriaConfig().to_dict()["projector_patch_to_query_dict"].keys()
    require_plausible("aria", AriaConfig())


def test_layers_that_fit_on_no_device_are_refused() -> None:
    with torch.device("meta"):
        model = torch.nn.Linear(2, 2)
    with pytest.raises(
        ValueError, match=r"the weights of big must fit on the devices, got 2 tensors left off them, weig"
    ):
        resident(model, "big")
    assert resident(torch.nn.Linear(2, 2), "small").in_features == 2
