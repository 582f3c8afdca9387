"""Tests of a device's part of a batch: against the rules of homes, and by hand."""

import pytest
import torch

from moevlm.model.batch_part import PARTS, BatchPart, part_by_modality
from moevlm.smoes.placement import HOME_RULES


@pytest.mark.parametrize("num_devices", [2, 4, 6])
@pytest.mark.parametrize("home", PARTS)
def test_parts_own_each_token_where_the_rule_says_it_is_at_home(home: str, num_devices: int) -> None:
    is_vision_BS = torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) < 0.5
    homes_BS = HOME_RULES[home](is_vision_BS, num_devices).view(5, 7)
    for device in range(num_devices):
        part = PARTS[home](device, num_devices)
        own_BS = torch.zeros_like(is_vision_BS)
        mine_BS = is_vision_BS[part.first :: part.step]
        own_BS[part.first :: part.step] = part.own_tokens(mine_BS.flatten()).view_as(mine_BS)
        assert torch.equal(own_BS, homes_BS == device)
        assert list(part.samples(len(mine_BS))) == list(range(5))[part.first :: part.step]


def test_partners_run_the_same_samples_and_own_one_modality_each() -> None:
    for device, partner in [(0, 2), (1, 3), (2, 0), (3, 1)]:
        part = part_by_modality(device, 4)
        assert part.partner == partner
        assert (part.first, part.step) == (device % 2, 2)
        assert part.at_home == (1 if device < 2 else 0)


def test_images_go_with_their_samples() -> None:
    inputs = {"input_ids": torch.tensor([[1], [2], [3]]), "pixel_values": torch.arange(6)}
    own = BatchPart(first=1, step=2).own_inputs(inputs)
    assert own["input_ids"].tolist() == [[2]]
    assert own["pixel_values"].tolist() == [2, 3]


def test_a_part_without_samples_has_no_images() -> None:
    inputs = {"input_ids": torch.tensor([[1]]), "attention_mask": torch.ones(1, 1), "pixel_values": torch.zeros(1)}
    own = BatchPart(first=1, step=2).own_inputs(inputs)
    assert set(own) == {"input_ids", "attention_mask"}
    assert own["input_ids"].shape == (0, 1)


@pytest.mark.parametrize("images", [0, 1, 5])
def test_images_that_cannot_be_dealt_out_are_refused(images: int) -> None:
    inputs = {"input_ids": torch.zeros(2, 3), "pixel_values": torch.zeros(images)}
    with pytest.raises(ValueError, match=f"pixel_values must hold as many rows for each of 2 samples, got {images}; "):
        BatchPart().own_inputs(inputs)
