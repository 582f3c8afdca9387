"""Tests of recorded routing: what is kept of a model's choices, and the file that holds it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from moevlm import RoutingProfile, apply_profile
from moevlm.routing.profiles import NUM_NOISE_ROWS
from moevlm.steering.replay import NUM_ROWS, RecordedRouting, load_routing, record_routing, save_routing

Make = Callable[..., Any]
FIRST_VISION_ROW = NUM_NOISE_ROWS


def recording(**changes: Any) -> RecordedRouting:
    fields = {
        "ids_LTK": torch.tensor([[[0, 1], [1, 2], [1, 3]]]),
        "rows_T": torch.tensor([0, 1, FIRST_VISION_ROW]),
        "num_experts": 4,
    }
    return RecordedRouting(**{**fields, **changes})


@pytest.fixture
def prompts(make_prompt: Make) -> dict[str, torch.Tensor]:
    """Return two prompts with an image each, the second padded by 3 tokens on the left."""
    ids_BS = make_prompt(2, 16)
    mask_BS = torch.ones_like(ids_BS)
    mask_BS[1, :3] = 0
    ids_BS[:, 5:9] = 5
    return {"input_ids": ids_BS, "attention_mask": mask_BS, "pixel_values": torch.randn(2, 3, 28, 28)}


def test_load_counts_tokens_by_modality_and_expert() -> None:
    assert recording().load().tolist() == [[[1, 2, 1, 0], [0, 1, 0, 1]]]


def test_prefill_and_decode_steps_are_recorded_without_padding(
    make_model: Make, prompts: dict[str, torch.Tensor]
) -> None:
    recorded = record_routing(make_model(), prompts, num_steps=3)
    assert recorded.ids_LTK.shape == (2, 16 + 13 + 2 * 3, 2)
    image = [FIRST_VISION_ROW + position for position in range(5, 9)]
    padded_image = [FIRST_VISION_ROW + 97 + position for position in range(2, 6)]
    first = [*range(5), *image, *range(9, 16)]
    second = [97, 98, *padded_image, *range(97 + 6, 97 + 13)]
    steps = [16, 97 + 13, 17, 97 + 14, 18, 97 + 15]
    assert recorded.rows_T.tolist() == [*first, *second, *steps]


def test_replaying_a_recording_repeats_its_choices_on_the_same_inputs(
    make_model: Make, prompts: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    model = make_model()
    recorded = record_routing(model, prompts, num_steps=2)
    save_routing(tmp_path / "file", recorded)
    with torch.no_grad():
        for layer in model.model.language_model.layers:
            layer.mlp.gate.weight.neg_()  # the model itself would now choose the others
    ids = [recorded.ids_LTK.sort(-1).values]
    for text in ("weights", f"replay:{tmp_path / 'file'}"):
        apply_profile(model, RoutingProfile.parse(text))
        ids.append(record_routing(model, prompts, num_steps=2).ids_LTK.sort(-1).values)
    assert not torch.equal(ids[1], ids[0])
    assert torch.equal(ids[2], ids[0])


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    save_routing(tmp_path / "file", recording())
    loaded = load_routing(tmp_path / "file")
    assert torch.equal(loaded.ids_LTK, recording().ids_LTK)
    assert torch.equal(loaded.rows_T, recording().rows_T)
    assert loaded.num_experts == 4


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no tensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "weights")
    save_file({"weight": torch.zeros(1)}, tmp_path / "others", metadata={"num_experts": "4"})
    for name in ("text", "weights", "others"):
        with pytest.raises(ValueError, match=f"must be what save_routing wrote, got '.*{name}'"):
            load_routing(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"rows_T": torch.tensor([0, 1])}, r"must be \(L, T, K\) and \(T,\), got \(1, 3, 2\) and \(2,\)"),
        ({"num_experts": 3}, r"recorded expert ids must be in \[0, 3\), got 0 to 3"),
        ({"rows_T": torch.tensor([0, 1, NUM_ROWS])}, r"recorded rows must be in \[0, 1018\), got 0 to 1018"),
        ({"rows_T": torch.tensor([0, 1, 2])}, "must be of text and vision, got none of vision; add a prompt"),
    ],
)
def test_what_no_model_can_have_chosen_is_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        recording(**changes)
