"""Small models for the model's tests: wide initialisation, so that greedy output is not one repeated token."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from moevlm import MoEVLM, MoEVLMConfig
from moevlm.kernels.cpu import choosing
from moevlm.smoes.ablations import specialization_fields
from tests.moevlm.chosen_ways import forget

IMAGE_TOKEN_ID = 5
IMAGE_TOKENS = 4  # of one picture of VISION's size
TEXT = {
    "vocab_size": 256,
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
ANYRES_PINPOINTS = [[28, 56], [56, 28], [56, 56]]


@pytest.fixture
def make_config() -> Callable[..., MoEVLMConfig]:
    """Build a small configuration; keywords change the decoder, `pinpoints` makes it anyres."""

    def make(pinpoints: list[list[int]] | None = None, **text: Any) -> MoEVLMConfig:
        return MoEVLMConfig(
            text_config={**TEXT, **text},
            vision_config=dict(VISION),
            image_token_id=IMAGE_TOKEN_ID,
            image_grid_pinpoints=pinpoints,
        )

    return make


@pytest.fixture
def make_model(make_config: Callable[..., MoEVLMConfig]) -> Callable[..., MoEVLM]:
    """Build a small random model; keywords as `make_config`, and the dtype."""

    def make(dtype: torch.dtype = torch.float32, **config: Any) -> MoEVLM:
        torch.manual_seed(0)
        return MoEVLM(make_config(**config)).to(dtype).eval()

    return make


@pytest.fixture
def checkpoint() -> Callable[..., None]:
    """Make a model recompute its layers in the backward pass; keywords as torch's checkpoint takes them."""

    def enable(model: MoEVLM, **options: bool) -> None:
        newest = getattr(model, "activation_checkpointing_enable", None)  # from transformers 5.23
        (newest or model.gradient_checkpointing_enable)(options or None)

    return enable


@pytest.fixture
def make_prompt() -> Callable[..., torch.Tensor]:
    """Draw random text tokens (B, S), with `image_tokens` image tokens from position 2 on."""

    def make(batch_size: int, length: int, image_tokens: int = 0, seed: int = 1) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        ids_BS = torch.randint(IMAGE_TOKEN_ID + 1, TEXT["vocab_size"], (batch_size, length), generator=generator)
        ids_BS[:, 2 : 2 + image_tokens] = IMAGE_TOKEN_ID
        return ids_BS

    return make


@pytest.fixture
def make_smoes(make_model: Callable[..., MoEVLM]) -> Callable[..., MoEVLM]:
    """Build a small model of a variant of SMoES, four bins of its eight experts; keywords as `make_config`."""

    def make(name: str = "smoes-attention", **more: Any) -> MoEVLM:
        fields = specialization_fields(name, TEXT["num_experts"])
        bins = {"num_bins": 4} if "num_bins" in fields else {}
        return make_model(**{**fields, **bins, **more})

    return make


@pytest.fixture
def prompt(make_prompt: Callable[..., torch.Tensor]) -> dict[str, torch.Tensor]:
    """Two samples of unequal length with an image each, padded on the left."""
    ids_BS = make_prompt(2, 20, image_tokens=IMAGE_TOKENS)
    ids_BS[1, 2 : 2 + IMAGE_TOKENS] = 7
    ids_BS[1, 9 : 9 + IMAGE_TOKENS] = IMAGE_TOKEN_ID
    mask_BS = torch.ones_like(ids_BS)
    mask_BS[1, :5] = 0
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(3))
    return {"input_ids": ids_BS, "attention_mask": mask_BS, "pixel_values": pixels}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Ask for a way of feed-forwards, as a fresh process would."""

    def ask(name: str) -> None:
        monkeypatch.setenv(choosing.VARIABLE, name)
        forget()

    yield ask
    monkeypatch.undo()
    forget()
