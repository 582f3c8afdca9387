"""From a preset and a variant to a configuration; the twins' shapes follow from the MoE's."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from moevlm.presets.shapes import PRESETS, DecoderShape, Preset

if TYPE_CHECKING:
    from moevlm.config import MoEVLMConfig

VARIANTS = ("moe", "dense", "dense_active", "dense_reference")
VISUALS = ("fixed", "anyres")
ANYRES_GRIDS = ((1, 2), (2, 1), (2, 2), (1, 3), (3, 1))  # (rows, columns) of tiles, LLaVA-NeXT's


def preset_variants(name: str) -> tuple[str, ...]:
    """Return the variants that preset `name` has.

    Raises:
        ValueError: There is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}; choose one of them")
    return tuple(_decoder_shapes(PRESETS[name]))


def preset_config(
    name: str, variant: str = "moe", *, depth: int | None = None, visual: str = "fixed"
) -> "MoEVLMConfig":
    """Return the configuration of one variant of a preset.

    Args:
        name: A key of PRESETS.
        variant: "moe"; "dense", its twin of equal total parameters; "dense_active", of equal active parameters;
            "dense_reference", a published dense shape of about equal total parameters.
        depth: Decoder layers, at most the variant's own; widths and vision tower stay. None: all of them.
        visual: "fixed" (one tile an image) or "anyres" (up to five tiles, by the image's shape).

    Raises:
        ValueError: An unknown name, or a depth outside [1, the variant's layers].
    """
    from transformers import CLIPVisionConfig

    from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
    from moevlm.model.tokenizer import BOS_TOKEN_ID, EOS_TOKEN_ID, IMAGE_TOKEN_ID, PAD_TOKEN_ID

    variants = preset_variants(name)
    if variant not in variants:
        raise ValueError(f"variant of preset {name} must be one of {', '.join(variants)}, got {variant!r}; choose one")
    if visual not in VISUALS:
        raise ValueError(f"visual must be one of {', '.join(VISUALS)}, got {visual!r}; choose one of them")
    shape = _decoder_shapes(PRESETS[name])[variant]
    most = shape.num_hidden_layers
    if depth is not None and not 1 <= depth <= most:
        raise ValueError(f"depth must be in [1, {most}], the layers of {name} {variant}, got {depth}; choose fewer")
    vision = PRESETS[name].vision
    pinpoints = [[rows * vision.image_size, columns * vision.image_size] for rows, columns in ANYRES_GRIDS]
    return MoEVLMConfig(
        vision_config=CLIPVisionConfig(**asdict(vision)),
        text_config=MoEVLMTextConfig(
            **asdict(shape) | {"num_hidden_layers": depth or most},
            moe_intermediate_size=shape.intermediate_size,
            pad_token_id=PAD_TOKEN_ID,
            bos_token_id=BOS_TOKEN_ID,
            eos_token_id=EOS_TOKEN_ID,
        ),
        image_token_id=IMAGE_TOKEN_ID,
        image_grid_pinpoints=pinpoints if visual == "anyres" else None,
    )


def _decoder_shapes(preset: Preset) -> dict[str, DecoderShape]:
    """Return the shape of each variant the preset has; the twins follow from its MoE."""
    shapes = {}
    if moe := preset.moe:
        dense = replace(moe, num_experts=0, num_experts_per_tok=1)
        total_width = moe.num_experts * moe.intermediate_size
        shapes["moe"] = moe
        shapes["dense"] = replace(dense, intermediate_size=total_width, ffn_block_size=moe.intermediate_size)
        shapes["dense_active"] = replace(dense, intermediate_size=moe.num_experts_per_tok * moe.intermediate_size)
    if preset.dense_reference:
        shapes["dense_reference"] = preset.dense_reference
    return shapes
