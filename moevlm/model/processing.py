"""Images and prompts -> model inputs: LLaVA's processors around the shipped tokenizer, one tile an image or anyres."""

from typing import Any

from transformers import LlavaNextProcessor
from transformers.image_utils import make_flat_list_of_images
from transformers.models.llava_next.modeling_llava_next import image_size_to_num_patches

from moevlm.config import MoEVLMConfig
from moevlm.model.image_processing import MoEVLMAnyresImageProcessorPil, MoEVLMFixedImageProcessorPil, fetch_rgb
from moevlm.model.tokenizer import load_tokenizer

CLASS_TOKENS = 1  # CLIP's class token comes before the patches; the "default" feature strategy drops it again
# Messages in their order, a text on a line of its own after images, as prompts are written here; roles mean nothing.
CHAT_TEMPLATE = r"""
{%- for message in messages %}{{ '' if loop.first else '\n' }}
    {%- if message.content is string %}{{ message.content }}
    {%- else %}
        {%- for part in message.content %}
            {{- '<image>' if part.type == 'image' else ('' if loop.first else '\n') + part.text }}
        {%- endfor %}
    {%- endif %}
{%- endfor %}"""
FIXED_GRIDS = ((1, 1),)  # (rows, columns) of tiles: the fixed scheme sees the whole image in one


class MoEVLMProcessor(LlavaNextProcessor):
    """Turn images and prompts into inputs; an image processor without grids makes it the fixed scheme (LLaVA-1.5).

    Each `<image>` of a prompt becomes as many image tokens as the model makes features of that image. Images are taken
    as people store them, whatever image processor is given: `moevlm.model.rgb.as_rgb` says how.
    """

    @property
    def tile_px(self) -> int:
        """Return the side of one tile, pixels."""
        return int(self.image_processor.crop_size["height"])

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Return the grids of tiles an image may be cut into, (rows, columns): the limits of the visual scheme."""
        pinpoints = getattr(self.image_processor, "image_grid_pinpoints", None)
        if pinpoints is None:
            return FIXED_GRIDS
        return tuple((height // self.tile_px, width // self.tile_px) for height, width in pinpoints)

    @property
    def visual(self) -> str:
        """Name the visual scheme: fixed or anyres."""
        return "fixed" if self.grids == FIXED_GRIDS else "anyres"

    def num_image_tokens(self, height: int, width: int) -> int:
        """Count the tokens of one image: (tile / patch)^2, and in anyres the unpadded grid and a newline a row.

        Args:
            height: Height of the image as it is seen, upright, pixels.
            width: Width of the image as it is seen, pixels.
        """
        return self._get_number_of_features(height, width, self.tile_px, self.tile_px) - self._dropped_features

    def num_tiles(self, height: int, width: int) -> int:
        """Count the tiles that the tower sees of an image, sides in pixels: in anyres its grid and the whole image."""
        if self.visual == "fixed":
            return 1
        return int(image_size_to_num_patches([height, width], self.image_processor.image_grid_pinpoints, self.tile_px))

    def prepare_inputs_layout(self, images: Any = None, *others: Any, **kwargs: Any) -> Any:
        """Fetch the images as RGB: transformers' hook before anything looks at them."""
        return super().prepare_inputs_layout(None if images is None else fetch_rgb(images), *others, **kwargs)

    def validate_inputs(self, images: Any = None, text: Any = None, *others: Any, **kwargs: Any) -> None:
        """Refuse prompts that name more or fewer images than are given; transformers 5.17 does not look.

        Raises:
            ValueError: The counts differ, or transformers refuses the request.
        """
        num_marks = sum(prompt.count(self.image_token) for prompt in text or ())
        flat: list[Any] = [] if images is None else make_flat_list_of_images(images)  # type: ignore[assignment]
        if text is not None and num_marks != len(flat):
            raise ValueError(
                f"prompts must have as many {self.image_token} as there are images, {len(flat)}, got {num_marks}; "
                "correct the text or the images"
            )
        super().validate_inputs(images, text, *others, **kwargs)

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int, **kwargs: Any) -> str:
        """Return the image tokens of one image of the batch: transformers' hook for expanding a prompt."""
        if self.visual == "anyres":
            return str(super().replace_image_token(image_inputs, image_idx, **kwargs))
        height, width = image_inputs["pixel_values"][image_idx].shape[-2:]
        num_features = self._get_number_of_features(height, width, height, width)
        return str(self.image_token * (num_features - self._dropped_features))

    @property
    def _dropped_features(self) -> int:
        """Count the features that the feature strategy leaves out: the class token's, or none."""
        return int(self.vision_feature_select_strategy == "default")

    def _get_number_of_features(self, orig_height: int, orig_width: int, height: int, width: int) -> int:
        """Count the features with the class token; transformers' own counting calls this too."""
        if self.visual == "anyres":
            return int(super()._get_number_of_features(orig_height, orig_width, height, width))
        patches = (height // self.patch_size) * (width // self.patch_size)
        return int(patches + self.num_additional_image_tokens)


def build_processor(config: MoEVLMConfig) -> MoEVLMProcessor:
    """Build the processor whose image tokens and lengths are those of a model of this configuration.

    Args:
        config: Configuration of the model; its scheme is fixed where image_grid_pinpoints is None, anyres otherwise.

    Raises:
        ValueError: The shipped tokenizer does not fit the vocabulary or the image token.
    """
    tokenizer = load_tokenizer(max_length=config.text_config.max_position_embeddings)
    if config.text_config.vocab_size < len(tokenizer):
        raise ValueError(
            f"vocab_size must be at least {len(tokenizer)}, the shipped tokenizer's, got "
            f"{config.text_config.vocab_size}; enlarge it, or build MoEVLMProcessor around your own tokenizer"
        )
    if config.image_token_id != tokenizer.image_token_id:
        raise ValueError(
            f"image_token_id must be {tokenizer.image_token_id}, the shipped tokenizer's, got {config.image_token_id}; "
            "change it, or build MoEVLMProcessor around your own tokenizer"
        )
    return MoEVLMProcessor(  # type: ignore[no-untyped-call]  # transformers' constructor has no types
        _build_image_processor(config),
        tokenizer,
        patch_size=config.vision_config.patch_size,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        num_additional_image_tokens=CLASS_TOKENS,
        chat_template=CHAT_TEMPLATE,
    )


def _build_image_processor(config: MoEVLMConfig) -> MoEVLMFixedImageProcessorPil | MoEVLMAnyresImageProcessorPil:
    side: int = config.vision_config.image_size  # type: ignore[assignment]  # declared as a pair too; ours is square
    size, crop_size = {"shortest_edge": side}, {"height": side, "width": side}
    if config.image_grid_pinpoints is None:  # padded to a square: a page keeps its margins
        return MoEVLMFixedImageProcessorPil(size=size, crop_size=crop_size, do_pad=True)
    return MoEVLMAnyresImageProcessorPil(
        size=size, crop_size=crop_size, image_grid_pinpoints=config.image_grid_pinpoints
    )
