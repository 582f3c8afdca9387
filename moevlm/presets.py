"""Named model shapes and their variants; `python -m moevlm.presets` prints how many parameters each has."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tabulate import tabulate
from transformers import CLIPVisionConfig

from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
from moevlm.parameters import ParameterCounts, parameter_counts
from moevlm.tokenizer import BOS_TOKEN_ID, EOS_TOKEN_ID, IMAGE_TOKEN_ID, PAD_TOKEN_ID

VARIANTS = ("moe", "dense", "dense_active", "dense_reference")
VISUALS = ("fixed", "anyres")
ANYRES_GRIDS = ((1, 2), (2, 1), (2, 2), (1, 3), (3, 1))  # (rows, columns) of tiles, LLaVA-NeXT's
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "fp32": 4, "bf16": 2, "fp16": 2}
BYTES_PER_GIB = 2**30
PARITY_BASES = {"dense": "text", "dense_active": "active", "dense_reference": "text"}  # the moe count each matches
TABLE_HEADERS = ("preset", "variant", "total", "text", "active", "FFN", "vision", "GiB", "difference to moe")


@dataclass(frozen=True, kw_only=True)
class VisionShape:
    """Sizes of a CLIP vision tower; a tile has (image_px / patch_px)^2 tokens."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    image_px: int
    patch_px: int = 14


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """Sizes of a decoder: an MoE of `num_experts` experts of `intermediate_size` each, dense where that is 0."""

    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab_size: int
    intermediate_size: int
    ffn_block_size: int | None = None
    num_experts: int = 0
    top_k: int = 1


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One scale: an MoE, from which its twins follow, a normal dense model of about its total size, or both."""

    vision: VisionShape
    moe: DecoderShape | None = None
    dense_reference: DecoderShape | None = None


CLIP_LARGE_336 = VisionShape(  # ViT-L/14-336, the tower of LLaVA-1.5 and LLaVA-NeXT: 576 tokens a tile
    hidden_size=1024, intermediate_size=4096, num_layers=24, num_heads=16, image_px=336,
)  # fmt: skip
VIT_PROXY = VisionShape(hidden_size=256, intermediate_size=1024, num_layers=6, num_heads=4, image_px=112)  # 64 tokens
VIT_TINY = VisionShape(hidden_size=32, intermediate_size=64, num_layers=2, num_heads=2, image_px=56)  # 16 tokens

TINY = DecoderShape(
    hidden_size=64, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=16, vocab_size=2048,
    intermediate_size=32, num_experts=8, top_k=2,
)  # fmt: skip
TINY_REFERENCE = DecoderShape(
    hidden_size=64, num_layers=4, num_heads=4, num_kv_heads=2, head_dim=16, vocab_size=2048, intermediate_size=96,
)  # fmt: skip
PROXY = DecoderShape(
    hidden_size=512, num_layers=8, num_heads=8, num_kv_heads=4, head_dim=64, vocab_size=8192,
    intermediate_size=256, num_experts=16, top_k=2,
)  # fmt: skip
PROXY_REFERENCE = DecoderShape(
    hidden_size=576, num_layers=16, num_heads=9, num_kv_heads=3, head_dim=64, vocab_size=8192, intermediate_size=1504,
)  # fmt: skip
MOE_7B = DecoderShape(
    hidden_size=2048, num_layers=16, num_heads=16, num_kv_heads=4, head_dim=128, vocab_size=32064,
    intermediate_size=1024, num_experts=64, top_k=8,
)  # fmt: skip
LLAVA_7B = DecoderShape(  # LLaVA-1.5-7B's decoder (Vicuna)
    hidden_size=4096, num_layers=32, num_heads=32, num_kv_heads=32, head_dim=128, vocab_size=32064,
    intermediate_size=11008,
)  # fmt: skip
MOE_34B = DecoderShape(
    hidden_size=2048, num_layers=55, num_heads=32, num_kv_heads=4, head_dim=128, vocab_size=64000,
    intermediate_size=768, num_experts=128, top_k=8,
)  # fmt: skip
LLAVA_34B = DecoderShape(  # LLaVA-NeXT-34B's decoder (Yi)
    hidden_size=7168, num_layers=60, num_heads=56, num_kv_heads=8, head_dim=128, vocab_size=64000,
    intermediate_size=20480,
)  # fmt: skip
OLMOE_1B_7B = replace(MOE_7B, num_kv_heads=16, vocab_size=50304)  # MolmoE-1B's decoder
OLMO_7B = replace(LLAVA_7B, vocab_size=50304)
QWEN3_30B_A3B = replace(MOE_34B, num_layers=48, vocab_size=151936)
QWEN3_32B = DecoderShape(
    hidden_size=5120, num_layers=64, num_heads=64, num_kv_heads=8, head_dim=128, vocab_size=151936,
    intermediate_size=25600,
)  # fmt: skip

PRESETS = {
    "tiny": Preset(vision=VIT_TINY, moe=TINY, dense_reference=TINY_REFERENCE),
    "proxy": Preset(vision=VIT_PROXY, moe=PROXY, dense_reference=PROXY_REFERENCE),
    "7b": Preset(vision=CLIP_LARGE_336, moe=MOE_7B, dense_reference=LLAVA_7B),
    "34b": Preset(vision=CLIP_LARGE_336, moe=MOE_34B, dense_reference=LLAVA_34B),
    # Published shapes, because their accuracy is published. Every decoder is Qwen3's block: OLMo's norms differ.
    "olmoe-1b-7b": Preset(vision=CLIP_LARGE_336, moe=OLMOE_1B_7B),
    "olmo-7b": Preset(vision=CLIP_LARGE_336, dense_reference=OLMO_7B),
    "qwen3-30b-a3b": Preset(vision=CLIP_LARGE_336, moe=QWEN3_30B_A3B),
    "qwen3-32b": Preset(vision=CLIP_LARGE_336, dense_reference=QWEN3_32B),
}


def preset_variants(name: str) -> tuple[str, ...]:
    """Return the variants that preset `name` has.

    Raises:
        ValueError: no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return tuple(_decoder_shapes(PRESETS[name]))


def preset_config(name: str, variant: str = "moe", *, depth: int | None = None, visual: str = "fixed") -> MoEVLMConfig:
    """Return the configuration of one variant of a preset.

    Args:
        name: a key of PRESETS.
        variant: "moe"; "dense", its twin of equal total parameters; "dense_active", of equal active parameters;
            "dense_reference", a published dense shape of about equal total parameters.
        depth: decoder layers, at most the variant's own; widths and vision tower stay. None: all of them.
        visual: "fixed" (one tile an image) or "anyres" (up to five tiles, by the image's shape).

    Raises:
        ValueError: an unknown name, or a depth outside [1, the variant's layers].
    """
    variants = preset_variants(name)
    if variant not in variants:
        raise ValueError(f"variant of preset {name} must be one of {', '.join(variants)}, got {variant!r}")
    if visual not in VISUALS:
        raise ValueError(f"visual must be one of {', '.join(VISUALS)}, got {visual!r}")
    shape = _decoder_shapes(PRESETS[name])[variant]
    if depth is not None and not 1 <= depth <= shape.num_layers:
        raise ValueError(f"depth must be in [1, {shape.num_layers}], the layers of {name} {variant}, got {depth}")
    vision = PRESETS[name].vision
    pinpoints = [[rows * vision.image_px, columns * vision.image_px] for rows, columns in ANYRES_GRIDS]
    return MoEVLMConfig(
        vision_config=_vision_config(vision),
        text_config=_text_config(replace(shape, num_layers=depth or shape.num_layers)),
        image_token_id=IMAGE_TOKEN_ID,
        image_grid_pinpoints=pinpoints if visual == "anyres" else None,
    )


def _decoder_shapes(preset: Preset) -> dict[str, DecoderShape]:
    """Return the shape of each variant the preset has; the twins follow from its MoE."""
    shapes = {}
    if moe := preset.moe:
        dense = replace(moe, num_experts=0, top_k=1)
        total_width = moe.num_experts * moe.intermediate_size
        shapes["moe"] = moe
        shapes["dense"] = replace(dense, intermediate_size=total_width, ffn_block_size=moe.intermediate_size)
        shapes["dense_active"] = replace(dense, intermediate_size=moe.top_k * moe.intermediate_size)
    if preset.dense_reference:
        shapes["dense_reference"] = preset.dense_reference
    return shapes


def _vision_config(shape: VisionShape) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        image_size=shape.image_px,
        patch_size=shape.patch_px,
    )


def _text_config(shape: DecoderShape) -> MoEVLMTextConfig:
    return MoEVLMTextConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        head_dim=shape.head_dim,
        num_experts=shape.num_experts,
        num_experts_per_tok=shape.top_k,
        moe_intermediate_size=shape.intermediate_size,
        ffn_block_size=shape.ffn_block_size,
        pad_token_id=PAD_TOKEN_ID,
        bos_token_id=BOS_TOKEN_ID,
        eos_token_id=EOS_TOKEN_ID,
    )


def _preset_name(name: str) -> str:
    try:
        preset_variants(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name


def _table_rows(name: str, *, dtype_bytes: int, depth: int | None) -> list[tuple[str | int | float, ...]]:
    """Return a line of TABLE_HEADERS for each variant of a preset."""
    counts = {variant: parameter_counts(preset_config(name, variant, depth=depth)) for variant in preset_variants(name)}
    return [
        (name, variant, f"{one.total:,}", f"{one.text:,}", f"{one.active:,}", f"{one.ffn:,}", f"{one.vision:,}",
         f"{one.total * dtype_bytes / BYTES_PER_GIB:.2f}", _difference(variant, counts))
        for variant, one in counts.items()
    ]  # fmt: skip


def _difference(variant: str, counts: dict[str, ParameterCounts]) -> str:
    """Return how far a dense variant's text parameters are from the count of the MoE that it matches."""
    basis = PARITY_BASES.get(variant)
    if basis is None or "moe" not in counts:
        return ""
    target = getattr(counts["moe"], basis)
    return f"{(counts[variant].text - target) / target:+.3%} of {basis}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m moevlm.presets", description="Print the presets' parameters.")
    parser.add_argument("names", nargs="*", type=_preset_name, default=list(PRESETS), metavar="preset")
    parser.add_argument("--dtype", choices=DTYPE_BYTES, default="bfloat16", help="what a weight is stored in")
    parser.add_argument("--depth", type=int, help="decoder layers; widths stay (default: all)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of the presets named on the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    table = {"dtype_bytes": DTYPE_BYTES[options.dtype], "depth": options.depth}
    try:
        rows = [row for name in options.names for row in _table_rows(name, **table)]
    except ValueError as error:
        parser.error(str(error))
    print(tabulate(rows, headers=TABLE_HEADERS, disable_numparse=True, stralign="right"))


if __name__ == "__main__":
    main()
