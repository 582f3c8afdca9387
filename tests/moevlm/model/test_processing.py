"""The processor expands every image to as many tokens as the model makes features, and is transformers' citizen."""

import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from transformers import CLIPVisionConfig
from transformers.models.llava_next.modeling_llava_next import LlavaNextModel

from fixtures.tokenizer.__main__ import train_tokenizer
from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
from moevlm.model.processing import MoEVLMProcessor, build_processor
from moevlm.model.tokenizer import TOKENIZER_PATH, load_tokenizer
from moevlm.model.vision_language import MoEVLM

GRIDS = ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))
ODD_SIZES = [(201, 300), (333, 91), (97, 101), (1, 500), (640, 641), (57, 56), (2237, 1754)]  # (height, width)


def config_of(visual: str, *, image_size: int = 56, vocab_size: int = 1024, image_token_id: int = 3) -> MoEVLMConfig:
    pinpoints = [[rows * image_size, columns * image_size] for rows, columns in GRIDS]
    return MoEVLMConfig(
        vision_config=CLIPVisionConfig(
            image_size=image_size, patch_size=14, hidden_size=32, intermediate_size=32, num_hidden_layers=2,
            num_attention_heads=2,
        ),
        text_config=MoEVLMTextConfig(
            vocab_size=vocab_size, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, max_position_embeddings=512,
        ),
        image_token_id=image_token_id,
        image_grid_pinpoints=None if visual == "fixed" else pinpoints,
    )  # fmt: skip


def image_of(size: tuple[int, int]) -> Image.Image:
    height, width = size
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


def features_of_transformers(processor: MoEVLMProcessor, config: MoEVLMConfig, size: tuple[int, int]) -> int:
    """Pack one feature a patch as LLaVA-NeXT does, with no weights."""
    tiles = processor.image_processor([image_of(size)], return_tensors="pt").pixel_values[0].shape[0]
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2
    packed, _ = LlavaNextModel.pack_image_features(
        SimpleNamespace(config=config),
        [torch.zeros(tiles, patches, 1)],
        torch.tensor([size]),
        "default",
        torch.zeros(1),
    )
    return int(packed[0].shape[0])


@pytest.mark.parametrize("size", ODD_SIZES)
def test_anyres_counts_are_those_of_llava_next_packing(size: tuple[int, int]) -> None:
    config = config_of("anyres")
    processor = build_processor(config)
    assert processor.num_image_tokens(*size) == features_of_transformers(processor, config, size)


@pytest.mark.parametrize("visual", ["fixed", "anyres"])
def test_every_placeholder_gets_a_feature_of_the_model(visual: str) -> None:
    config = config_of(visual)
    processor, model = build_processor(config), MoEVLM(config).eval()
    sizes = ODD_SIZES[:2] + ODD_SIZES[4:6]
    batch = processor(images=[image_of(size) for size in sizes], text=["<image>"] * len(sizes), padding=True,
                      return_tensors="pt")  # fmt: skip
    pixels = {name: batch[name] for name in ("pixel_values", "image_sizes") if name in batch}
    with torch.inference_mode():
        features = model.model.get_image_features(**pixels).pooler_output
    placeholders = (batch["input_ids"] == processor.image_token_id).sum(1)
    assert [len(feature) for feature in features] == placeholders.tolist()


def test_a_tile_of_336_px_costs_576_tokens_in_the_fixed_scheme() -> None:
    processor = build_processor(config_of("fixed", image_size=336))
    assert {processor.num_image_tokens(*size) for size in ODD_SIZES} == {576}


@pytest.mark.parametrize(
    ("size", "expected"),
    [((2237, 1754), 2448), ((557, 800), 2242), ((400, 448), 42 * 48 + 42 + 576)],  # medians; and by hand
)
def test_anyres_counts_at_336_px_are_the_published_ones(size: tuple[int, int], expected: int) -> None:
    assert build_processor(config_of("anyres", image_size=336)).num_image_tokens(*size) == expected


@pytest.mark.parametrize("visual", ["fixed", "anyres"])
def test_tiles_are_those_the_image_processor_cuts(visual: str) -> None:
    processor = build_processor(config_of(visual))
    for size in ODD_SIZES:
        pixels = processor.image_processor([image_of(size)], return_tensors="pt").pixel_values
        assert processor.num_tiles(*size) == (1 if visual == "fixed" else pixels.shape[1])


def test_the_scheme_and_its_limits_are_named() -> None:
    assert build_processor(config_of("fixed")).visual == "fixed"
    assert build_processor(config_of("anyres")).grids == GRIDS


def test_prompts_are_padded_on_the_left() -> None:
    batch = build_processor(config_of("fixed"))(text=["a", "a longer text"], padding=True, return_tensors="pt")
    assert batch["attention_mask"][0].tolist()[0] == 0
    assert batch["attention_mask"][:, -1].tolist() == [1, 1]


def test_more_image_tokens_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match="as many <image> as there are images, 1, got 2"):
        build_processor(config_of("fixed"))(images=[image_of((9, 9))], text=["<image><image>"])


@pytest.mark.parametrize(
    ("change", "message"),
    [({"vocab_size": 1023}, "vocab_size must be at least 1024"), ({"image_token_id": 7}, "image_token_id must be 3")],
)
def test_a_configuration_that_the_tokenizer_does_not_fit_is_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_processor(config_of("fixed", **change))


def test_the_shipped_tokenizer_is_what_its_training_gives() -> None:
    assert json.loads(train_tokenizer().to_str())["model"] == json.loads(TOKENIZER_PATH.read_text())["model"]


def test_special_tokens_have_their_ids_and_text_survives_a_round_trip() -> None:
    tokenizer = load_tokenizer(max_length=64)
    assert tokenizer.convert_tokens_to_ids(["<pad>", "<s>", "</s>", "<image>"]) == [0, 1, 2, 3]
    text = "What is the value 1,234 of Café's bar?\n 7 %"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
    assert tokenizer("<image>" * 3, add_special_tokens=False).input_ids == [3, 3, 3]
