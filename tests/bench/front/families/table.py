"""What the families' published checkpoints have beyond their classes' defaults: tokens, templates, parts that fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.bench.front.families import templates


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a family's checkpoint is made."""

    model_type: str = ""  # where the family's name is no kind of transformers'
    config: Mapping[str, Any] = field(default_factory=dict)  # changes of the small configuration
    image: Mapping[str, Any] = field(default_factory=dict)  # fields of preprocessor_config.json
    image_type: str = ""  # where transformers maps none to the family
    processor: Mapping[str, Any] = field(default_factory=dict)  # fields of processor_config.json
    processor_class: str = ""  # as above
    video: Mapping[str, Any] = field(default_factory=dict)  # fields of video_preprocessor_config.json
    named: Mapping[str, str] = field(default_factory=dict)  # the tokenizer's tokens by name
    marks: Mapping[str, str] = field(default_factory=dict)  # tokens of the configuration's ids
    mark: str | None = "<image>"  # what the chat template writes for an image; None without one
    template: str = templates.PLAIN


QWEN_MARKS = {"image": "<|image_pad|>", "video": "<|video_pad|>", "vision_start": "<|vision_start|>",
              "vision_end": "<|vision_end|>", "audio": "<|audio_pad|>"}  # fmt: skip
QWEN_MARK = "<|vision_start|><|image_pad|><|vision_end|>"
QWEN: dict[str, Any] = {"marks": QWEN_MARKS, "mark": QWEN_MARK, "template": templates.QWEN}
GLM_MARKS = {"image": "<|image|>", "image_start": "<|begin_of_image|>", "image_end": "<|end_of_image|>",
             "video": "<|video|>", "video_start": "<|begin_of_video|>", "video_end": "<|end_of_video|>"}  # fmt: skip
GLM: dict[str, Any] = {"marks": GLM_MARKS, "mark": "<|begin_of_image|><|image|><|end_of_image|>"}
IMG = {"image": "[IMG]"}
GEMMA = {"boi_token": "<start_of_image>", "image_token": "<image_soft_token>", "eoi_token": "<end_of_image>"}
OMNI = {"image_token": "<|image_pad|>", "audio_token": "<|audio_pad|>", "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>"}  # fmt: skip
GEMMA4 = {"image_token": "<|image|>", "audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>"}
ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0}}
LINEAR = {"layer_types": ["linear_attention", "full_attention"]}
AXIAL = {"rope_parameters": {**ROPE["rope_parameters"], "mrope_section": [3, 3, 2]}}
MROPE = {"rope_parameters": {"mrope_section": [2, 3, 3]}}  # of half a head's 16
QWEN2 = {**QWEN, "config": {"text_config": MROPE}}
QWEN3 = {**QWEN, "config": {"vision_config": {"deepstack_visual_indexes": [0]}, "text_config": MROPE}}
QWEN35 = {**QWEN, "config": {"text_config": {**MROPE, **LINEAR}}}
GLM4 = {**GLM, "config": {"text_config": MROPE}}
CODES = range(64)  # of a picture's discrete tokens
SQUARE = [[56, 112], [112, 56], [112, 112]]


def _letters(code: int) -> str:
    """Write a number as Chameleon names its tokens: A for 0."""
    return "".join(chr(ord("A") + int(digit)) for digit in str(code))


FAMILIES: dict[str, Family] = {
    "apertus1p5": Family(
        config={"audio_config": {"codebook_dim": 64}, "vision_config": {"codebook_size": 64}},
        image={"feature_extractor_type": "WavTokenizerFeatureExtractor"},
    ),
    "aria": Family(
        config={
            "vision_config": {"image_size": 980, "patch_size": 70},
            "projector_patch_to_query_dict": {"49": 128, "196": 256},
        },
        image={"max_image_size": 490},
        named={"image_token": "<fim_prefix>"},
        mark="<fim_prefix>",
    ),
    "aya_vision": Family(
        config={"downsample_factor": 2},
        image={"crop_to_patches": True, "min_patches": 1, "max_patches": 2},
        processor={"img_size": 56, "downsample_factor": 2},
        marks={"image": "<|IMG_PATCH|>"},
    ),
    "blip": Family(mark=None),
    "blip-2": Family(
        config={"image_token_index": 3, "text_config": {"word_embed_proj_dim": 64}},
        processor={"num_query_tokens": 32},
        mark=None,
    ),
    "chameleon": Family(
        config={
            "vq_config": {"channel_multiplier": [1, 1], "num_embeddings": len(CODES), "resolution": 16},
            "vocabulary_map": {"<image>": 3, **{f"IMGIMG{_letters(code)}Z": 2200 + code for code in CODES}},
        },
        image={"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}},
        processor={"image_seq_length": 64},
    ),
    "cohere2_vision": Family(image={"patch_size": 2}),
    "cohere_compass": Family(
        config={
            "text_config": {
                "layer_types": ["sliding_attention", "full_attention"],
                "rope_parameters": {
                    "sliding_attention": AXIAL["rope_parameters"],
                    "full_attention": AXIAL["rope_parameters"],
                },
            },
            "vision_config": {"deepstack_visual_indexes": [0]},
        },
        mark="<|VISION_START|><|IMAGE_PAD|><|VISION_END|>",
        marks={"image": "<|IMAGE_PAD|>"},
    ),
    "cosmos3_edge": Family(**QWEN),
    "cosmos3_omni": Family(processor_class="Qwen3VLProcessor", **QWEN3),
    "deepseek_ocr2": Family(
        config={
            "text_config": {"num_experts_per_tok": 2, "mlp_layer_types": ["dense", "sparse"], **ROPE},
            "vision_config": {"encoder_config": ROPE, "sam_config": {"downsample_channels": [64, 64]}},
        },
    ),
    "deepseek_vl": Family(
        named={"image_token": "<image_placeholder>"}, mark="<image_placeholder>", template=templates.DEEPSEEK
    ),
    "deepseek_vl_hybrid": Family(
        config={"high_res_vision_config": {"image_size": 64, "global_attn_indexes": [1], "window_size": 2}},
        image={"high_res_size": {"height": 64, "width": 64}},
        named={"image_token": "<image_placeholder>"},
        mark="<image_placeholder>",
        template=templates.DEEPSEEK,
    ),
    "diffusion_gemma": Family(
        config={
            "canvas_length": 8,
            "vision_config": {"model_type": "gemma4_vision"},
            "text_config": {"num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 32},
        },
        named=GEMMA4,
        image={"feature_extractor_type": "Gemma4AudioFeatureExtractor"},
        image_type="Gemma4ImageProcessor",
        mark="<|image|>",
    ),
    "dots3_note": Family(
        config={
            "text_config": {"num_key_value_heads": 4},
            "audio_config": {"adapter_input_size": 64},
            "vision_config": {
                "per_layer_config": {},
                "mlp_layer_types": ["dense", "dense"],
                "adapter_in_dim": 64,
                "adapter_out_dim": 64,
            },
        },
        image={"temporal_patch_size": 1},
        mark="<|img|><|imgpad|><|endofimg|>",
        marks={"image": "<|imgpad|>"},
    ),
    "emu3": Family(
        config={
            "vq_config": {"codebook_size": len(CODES), "hidden_size": 128},
            "vocabulary_map": {
                "<image>": 3,
                "<|extra_200|>": 2199,
                **{f"<|visual token {code:06d}|>": 2200 + code for code in CODES},
            },
        },
        image={"min_pixels": 64 * 64, "max_pixels": 64 * 64},
    ),
    "ernie4_5_vl_moe": Family(
        config={
            "text_config": {
                "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0, "mrope_section": [3, 3, 2]}
            }
        },
        video={"draw_on_frames": False},
        mark="<|image_start|><image><|image_end|>",
    ),
    "exaone4_5": Family(**QWEN),
    "fast_vlm": Family(
        processor_class="LlavaProcessor",
        image_type="CLIPImageProcessor",
        processor={"patch_size": 64},
        image={"size": {"shortest_edge": 256}, "crop_size": {"height": 256, "width": 256}},
    ),
    "florence2": Family(
        config={
            "vision_config": {
                "depths": [1, 1],
                "num_heads": [2, 2],
                "num_groups": [2, 2],
                "embed_dim": [32, 64],
                "patch_size": [7, 3],
                "patch_stride": [4, 2],
                "patch_padding": [3, 1],
                "patch_prenorm": [False, True],
            }
        },
        image={"size": {"height": 64, "width": 64}, "crop_size": {"height": 64, "width": 64}, "image_seq_length": 65},
        mark=None,
    ),
    "fuyu": Family(mark=None),
    "gemma3": Family(
        config={"mm_tokens_per_image": 16},
        named=GEMMA,
        mark="<start_of_image>",
    ),
    "gemma3n": Family(
        config={"text_config": {"num_kv_shared_layers": 0}},
        image={"feature_extractor_type": "Gemma3nAudioFeatureExtractor"},
        named={"image_token": "<image_soft_token>"},
        mark="<image_soft_token>",
    ),
    "gemma4": Family(config={"vision_config": {"model_type": "gemma4_vision"}}, named=GEMMA4, mark="<|image|>"),
    "gemma4_unified": Family(
        config={"vision_config": {"model_type": "gemma4_unified_vision"}}, named=GEMMA4, mark="<|image|>"
    ),
    "git": Family(mark=None),
    "glm46v": Family(**GLM4),
    "glm4v": Family(**GLM4),
    "glm4v_moe": Family(
        image_type="Glm4vImageProcessor",
        config={"text_config": {"rope_parameters": {"mrope_section": [2, 1, 1]}}},
        **GLM,
    ),
    "glm5_next": Family(
        config={"text_config": {"num_hidden_layers": 4, "num_key_value_heads": 4, "qk_rope_head_dim": 0, **MROPE}},
        **GLM,
    ),
    "glm_ocr": Family(processor_class="Glm46VProcessor", image_type="Glm46VImageProcessor", **GLM4),
    "glmga": Family(processor_class="Glm46VProcessor", **GLM4),
    "got_ocr2": Family(
        config={"vision_config": {"image_size": 1024}}, mark="<img><imgpad></img>", marks={"image": "<imgpad>"}
    ),
    "granite4_vision": Family(
        config={
            "image_grid_pinpoints": [[128, 256], [256, 128]],
            "deepstack_layer_map": [[0, 0]],
            "downsample_rate": "1/2",
            "spatial_target_layers": [1],
            "text_config": {"model_type": "granite"},
            "vision_config": {"model_type": "clip_vision_model", "patch_size": 32, "image_size": 128},
        },
        image={"image_grid_pinpoints": [[128, 256], [256, 128]]},
        processor={"downsample_rate": "1/2", "num_additional_image_tokens": 1},
    ),
    "granite_docling": Family(processor={"image_seq_len": 1}),
    "hunyuan_vl": Family(
        config={
            "text_config": {
                "head_dim": 16,
                "rope_parameters": {
                    "rope_type": "dynamic",
                    "alpha": 1000.0,
                    "rope_theta": 10_000.0,
                    "factor": 1.0,
                    "mrope_section": [2, 2, 2, 2],
                },
            }
        },
        named={
            "image_token": "<hy_image>",
            "image_start_token": "<hy_image_start>",
            "image_end_token": "<hy_image_end>",
        },
        mark="<hy_image_start><hy_image><hy_image_end>",
    ),
    "hy_v4_vl": Family(config={"text_config": {"rope_parameters": {"mrope_section": [2, 1, 1]}}}, **QWEN),
    "hyperclovax_vision_v2": Family(**QWEN),
    "idefics2": Family(config={"perceiver_config": {"resampler_n_latents": 16}}),
    "idefics3": Family(
        image={"size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 128}}, processor={"image_seq_len": 4}
    ),
    "inkling2": Family(
        config={"text_config": {"unpadded_vocab_size": 2304}},
        mark="<|unused_200054|>",
        marks={"image": "<|unused_200054|>"},
    ),
    "inkling2_loop": Family(
        config={"text_config": {"unpadded_vocab_size": 2304}},
        mark="<|unused_200054|>",
        marks={"image": "<|unused_200054|>"},
    ),
    "inkling_mm_model": Family(mark="<|unused_200054|>", marks={"image": "<|unused_200054|>"}),
    "instructblip": Family(
        config={"image_token_index": 3, "text_config": {"word_embed_proj_dim": 64}},
        processor={"num_query_tokens": 32},
        mark=None,
    ),
    "instructblipvideo": Family(mark=None),
    "internvl": Family(
        config={"image_seq_length": 4},
        processor={"image_seq_length": 4},
        image={"crop_to_patches": True, "min_patches": 1, "max_patches": 2},
        named={
            "context_image_token": "<IMG_CONTEXT>",
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "video_token": "<video>",
        },
        marks={"image": "<IMG_CONTEXT>"},
        mark="<IMG_CONTEXT>",
        template=templates.INTERNVL,
    ),
    "janus": Family(
        config={"vq_config": {"num_embeddings": 64}},
        named={"image_token": "<image_placeholder>"},
        mark="<image_placeholder>",
    ),
    "kimi_k25": Family(config={"text_config": {"head_dim": 8}}, mark="<|media_pad|>", marks={"image": "<|media_pad|>"}),
    "kosmos-2": Family(mark=None, processor_class="Kosmos2Processor"),
    "kosmos-2.5": Family(
        config={"latent_query_num": 16},
        processor={"num_image_tokens": 16},
        mark=None,
        processor_class="Kosmos2_5Processor",
    ),
    "lfm3_vl": Family(**QWEN),
    "lighton_ocr": Family(named={"image_token": "[IMG]"}, mark="[IMG]"),
    "llama4": Family(
        config={"vision_config": {"intermediate_size": 256, "projector_input_dim": 64}},
        mark="<|image|>",
        marks={"image": "<|patch|>"},
    ),
    "llava": Family(
        config={"vision_feature_layer": -1}, processor={"num_additional_image_tokens": 1}, template=templates.LLAVA
    ),
    "llava-olmoe": Family(
        model_type="llava",
        config={"vision_feature_layer": -1, "text_config": {"model_type": "olmoe"}},
        processor={"num_additional_image_tokens": 1},
        template=templates.LLAVA,
    ),
    "llava_next": Family(
        config={"image_grid_pinpoints": SQUARE},
        image={"image_grid_pinpoints": SQUARE},
        processor={"num_additional_image_tokens": 1},
        template=templates.LLAVA_NEXT,
    ),
    "llava_next_video": Family(
        config={"image_grid_pinpoints": SQUARE},
        image={"image_grid_pinpoints": SQUARE},
        processor={"num_additional_image_tokens": 1},
        video={"video_processor_type": "LlavaNextVideoVideoProcessor"},
    ),
    "llava_onevision": Family(
        config={"image_grid_pinpoints": SQUARE}, image={"image_grid_pinpoints": SQUARE}, template=templates.ONEVISION
    ),
    "minicpm_ocr": Family(named={"image_token": "<image>"}, config={"image_token_id": 3, "text_config": LINEAR}),
    "minicpmv4_6": Family(named={"image_token": "<image>"}, config={"image_token_id": 3, "text_config": LINEAR}),
    "minicpmv4_7": Family(named={"image_token": "<image>"}, config={"image_token_id": 3, "text_config": LINEAR}),
    "minimax_m3_vl": Family(config={"merged_hidden_size": 256}, mark="]<]image[>[", marks={"image": "]<]image[>["}),
    "mistral3": Family(processor={"patch_size": 16, "spatial_merge_size": 2}, mark="[IMG]", marks=IMG),
    "mistral_large4": Family(
        config={"text_config": {"num_key_value_heads": 4}},
        processor={"patch_size": 16, "spatial_merge_size": 2},
        mark="[IMG]",
        marks=IMG,
    ),
    "mllama": Family(
        config={
            "vision_config": {"intermediate_layers_indices": [0], "vision_output_dim": 128},
            "text_config": {"cross_attention_layers": [1]},
        },
        mark="<|image|>",
        marks={"image": "<|image|>"},
    ),
    "molmo2": Family(
        config={"adapter_config": {"vision_feature_layer": [1, 0]}},
        mark="<|image|>",
        marks={"image_patch": "<im_patch>"},
    ),
    "muse_glimmer": Family(
        config={"projector_hidden_size": 64, "out_hidden_size": 256, "vision_config": {"out_hidden_size": 256}},
        mark="<|patch|>",
        marks={"image": "<|patch|>"},
    ),
    "muse_spark": Family(
        config={
            "audio_config": {"num_hidden_layers": 4},
            "out_hidden_size": 256,
            "vision_config": {"out_hidden_size": 256},
        },
        image={"feature_extractor_type": "MuseSparkFeatureExtractor"},
        mark="<|patch|>",
        marks={"image": "<|patch|>"},
    ),
    "nemotron_h_omni": Family(
        config={"image_token_id": 3}, image={"feature_extractor_type": "ParakeetFeatureExtractor"}
    ),
    "ovis2": Family(marks={"image": "<IMG_ATOM>"}),
    "paddleocr_vl": Family(config={"text_config": MROPE}),
    "paligemma": Family(image={"image_seq_length": 16}, mark=None),
    "pi0": Family(image={"image_seq_length": 16}, mark=None),
    "pix2struct": Family(mark=None),
    "qianfan_ocr": Family(
        config={"image_seq_length": 4},
        processor={"image_seq_length": 4},
        named={"context_image_token": "<IMG_CONTEXT>", "start_image_token": "<img>", "end_image_token": "</img>"},
        marks={"image": "<IMG_CONTEXT>"},
    ),
    "qwen2_5_omni_thinker": Family(
        processor_class="Qwen2_5OmniProcessor",
        image_type="Qwen2VLImageProcessor",
        named=OMNI,
        image={"feature_extractor_type": "WhisperFeatureExtractor"},
        **QWEN2,
    ),
    "qwen2_5_vl": Family(**QWEN2),
    "qwen2_vl": Family(**QWEN2),
    "qwen3_5": Family(**QWEN35),
    "qwen3_5_moe": Family(**QWEN35),
    "qwen3_omni_moe_thinker": Family(
        processor_class="Qwen3OmniMoeProcessor",
        image_type="Qwen2VLImageProcessor",
        named=OMNI,
        image={"feature_extractor_type": "WhisperFeatureExtractor"},
        **QWEN3,
    ),
    "qwen3_vl": Family(**QWEN3),
    "qwen3_vl_moe": Family(image_type="Qwen2VLImageProcessor", **QWEN3),
    "qwen4_exp": Family(
        config={
            "text_config": {
                **MROPE,
                **LINEAR,
                "indexer_budget": 64,
                "indexer_compress_ratio": 4,
                "indexer_n_heads": 4,
                "indexer_kv_heads": 1,
                "indexer_head_dim": 16,
            }
        },
        **QWEN,
    ),
    "shieldgemma2": Family(config={"mm_tokens_per_image": 16}, named=GEMMA, mark="<start_of_image>"),
    "smolvlm": Family(
        image={"size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 128}}, processor={"image_seq_len": 4}
    ),
    "step3p7": Family(config={"text_config": {"sliding_window": 16}}, mark="<im_patch>", marks={"image": "<im_patch>"}),
    "t5gemma2": Family(
        config={"encoder": {"mm_tokens_per_image": 16}},
        image={"size": {"height": 64, "width": 64}},
        named=GEMMA,
        mark=None,
    ),
    "udop": Family(mark=None),
    "unlimited_ocr": Family(config={"vision_config": {"sam_config": {"downsample_channels": [64, 64]}}}),
    "video_llama_3": Family(**QWEN),
    "video_llava": Family(image={"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}),
    "vipllava": Family(
        config={"vision_feature_layers": [-1, -2]},
        template=templates.LLAVA,
        processor={"num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"},
    ),
    "vision-encoder-decoder": Family(mark=None),
}
