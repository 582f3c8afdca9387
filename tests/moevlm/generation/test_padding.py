"""Tests of padding: masks by hand, and when it is counted."""

import pytest
import torch

from moevlm.generation import padding
from moevlm.generation.padding import Padding, positions
from moevlm.generation.prefill import prefill
from moevlm.model import vision_language
from moevlm.model.early_number import EarlyNumber

IDS = torch.zeros(2, 3, dtype=torch.long)


@pytest.mark.parametrize("dtype", [torch.long, torch.bool, torch.float32])
def test_padding_on_the_left_is_told_of_new_tokens_too(dtype: torch.dtype) -> None:
    mask = Padding(torch.tensor([[1, 1, 1], [0, 0, 1]]).to(dtype)).mask(2)
    assert mask is not None
    assert mask.dtype == torch.bool
    assert mask.int().tolist() == [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]
    assert positions(IDS, mask).tolist() == [[0, 1, 2], [0, 0, 0]]


@pytest.mark.parametrize("mask", [None, torch.ones(2, 3)])
def test_without_padding_there_is_no_mask(mask: torch.Tensor | None) -> None:
    assert Padding(mask).mask(2) is None
    assert positions(IDS, None).tolist() == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize("mask", [[[1, 1, 1], [1, 1, 0]], [[0, 1, 1], [1, 0, 0]], [[1, 0, 0], [0, 0, 0]]])
def test_padding_at_the_end_is_refused(mask: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="attention_mask must pad on the left, got padding at the end; "):
        Padding(torch.tensor(mask)).mask(1)


def test_padding_is_counted_before_the_tower_runs(make_model, prompt, monkeypatch):
    model, order = make_model(), []
    kinds = {"count": EarlyNumber.__init__, "read": EarlyNumber.read, "tower": type(model.model).get_image_features}

    def noting(name):
        return lambda *given, **named: order.append(name) or kinds[name](*given, **named)

    class Noted(EarlyNumber):
        __init__, read = noting("count"), noting("read")

    monkeypatch.setattr(padding, "EarlyNumber", Noted)
    monkeypatch.setattr(vision_language.MoEVLMModel, "get_image_features", noting("tower"))
    mask = torch.ones_like(prompt["input_ids"])
    prefill(model, {**prompt, "attention_mask": mask}, max_new_tokens=1)
    assert order == ["count", "tower", "read"]
