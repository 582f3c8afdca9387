"""Parameters that a token meets, of checkpoints whose configurations name their experts in ways of their own."""

from typing import Any

import pytest
import torch
from transformers import AriaConfig, AriaTextConfig, Qwen3Config

from bench.front.supplied.checkpoint import Checkpoint, on_device


class Named(torch.nn.Module):
    """A model with one shared parameter of 7 numbers and experts of 40, under Aria's names."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.shared = torch.nn.Parameter(torch.zeros(7))
        self.mlp = torch.nn.ModuleDict({"experts": torch.nn.ModuleDict({"fc1": torch.nn.Linear(4, 10, bias=False)})})


def test_arias_experts_are_counted() -> None:
    """Eight experts of five numbers, two a token."""
    config = AriaConfig(text_config=AriaTextConfig(moe_num_experts=8, moe_topk=2))
    checkpoint = Checkpoint(name="aria", model=Named(config), processor=None)
    assert (checkpoint.num_parameters, checkpoint.num_active_parameters, checkpoint.kind) == (47, 17, "moe")


def test_experts_that_no_field_counts_are_refused_and_not_called_dense() -> None:
    checkpoint = Checkpoint(name="other", model=Named(Qwen3Config()), processor=None)
    with pytest.raises(ValueError, match=r"a model with experts must say .* one of num_experts, .* got none in Qwen3C"):
        _ = checkpoint.num_active_parameters


def test_checkpoints_of_one_shape_are_told_apart_by_their_weights() -> None:
    """A tuned one differs; one in another place on disk, under another name, does not."""
    one, same, tuned = (Checkpoint(name=name, model=Named(Qwen3Config()), processor=None) for name in "abc")
    with torch.no_grad():
        for checkpoint in (one, same, tuned):
            checkpoint.model.mlp["experts"]["fc1"].weight.fill_(1.0)
        tuned.model.shared += 0.5
    assert one.weights == same.weights != tuned.weights


def test_weights_that_do_not_fit_say_how_large_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    model = torch.nn.Linear(1024, 1024 * 256, bias=False)  # 2**28 numbers of four bytes
    monkeypatch.setattr(model, "to", full)
    with pytest.raises(ValueError, match=r"the weights of big must fit on cuda, got 1\.0 GiB of them; .* bfloat16"):
        on_device(torch.device("cuda"), model, "big")
