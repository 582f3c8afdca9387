"""Named shapes: vision towers and decoders, and the presets made of them."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class VisionShape:
    """Fields of CLIPVisionConfig; a tile has (image_size / patch_size)^2 tokens."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: int
    patch_size: int = 14


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """Fields of MoEVLMTextConfig; in an MoE `intermediate_size` is the width of one of its `num_experts` experts."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    intermediate_size: int
    ffn_block_size: int | None = None
    num_experts: int = 0
    num_experts_per_tok: int = 1


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One scale: an MoE, from which its twins follow, a normal dense model of about its total size, or both."""

    vision: VisionShape
    moe: DecoderShape | None = None
    dense_reference: DecoderShape | None = None


CLIP_LARGE_336 = VisionShape(  # ViT-L/14-336, the tower of LLaVA-1.5 and LLaVA-NeXT: 576 tokens a tile
    hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=336,
)  # fmt: skip
VIT_PROXY = VisionShape(  # 64 tokens
    hidden_size=256, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=4, image_size=112,
)  # fmt: skip
VIT_TINY = VisionShape(  # 16 tokens
    hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=56,
)  # fmt: skip

TINY = DecoderShape(
    hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
    vocab_size=2048, intermediate_size=32, num_experts=8, num_experts_per_tok=2,
)  # fmt: skip
TINY_REFERENCE = DecoderShape(
    hidden_size=64, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
    vocab_size=2048, intermediate_size=96,
)  # fmt: skip
PROXY = DecoderShape(
    hidden_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4, head_dim=64,
    vocab_size=8192, intermediate_size=256, num_experts=16, num_experts_per_tok=2,
)  # fmt: skip
PROXY_REFERENCE = DecoderShape(
    hidden_size=576, num_hidden_layers=16, num_attention_heads=9, num_key_value_heads=3, head_dim=64,
    vocab_size=8192, intermediate_size=1504,
)  # fmt: skip
MOE_7B = DecoderShape(
    hidden_size=2048, num_hidden_layers=16, num_attention_heads=16, num_key_value_heads=4, head_dim=128,
    vocab_size=32064, intermediate_size=1024, num_experts=64, num_experts_per_tok=8,
)  # fmt: skip
LLAVA_7B = DecoderShape(  # LLaVA-1.5-7B's decoder (Vicuna)
    hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32, head_dim=128,
    vocab_size=32064, intermediate_size=11008,
)  # fmt: skip
MOE_34B = DecoderShape(
    hidden_size=2048, num_hidden_layers=55, num_attention_heads=32, num_key_value_heads=4, head_dim=128,
    vocab_size=64000, intermediate_size=768, num_experts=128, num_experts_per_tok=8,
)  # fmt: skip
LLAVA_34B = DecoderShape(  # LLaVA-NeXT-34B's decoder (Yi)
    hidden_size=7168, num_hidden_layers=60, num_attention_heads=56, num_key_value_heads=8, head_dim=128,
    vocab_size=64000, intermediate_size=20480,
)  # fmt: skip
OLMOE_1B_7B = replace(MOE_7B, num_key_value_heads=16, vocab_size=50304)  # MolmoE-1B's decoder
OLMO_7B = replace(LLAVA_7B, vocab_size=50304)
QWEN3_30B_A3B = replace(MOE_34B, num_hidden_layers=48, vocab_size=151936)
QWEN3_32B = DecoderShape(
    hidden_size=5120, num_hidden_layers=64, num_attention_heads=64, num_key_value_heads=8, head_dim=128,
    vocab_size=151936, intermediate_size=25600,
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
