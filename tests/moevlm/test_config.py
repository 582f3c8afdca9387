"""Configurations: round trips, derived values, and what they refuse."""

import pytest
from transformers import AutoConfig, CLIPVisionConfig

from moevlm import MoEVLMConfig, MoEVLMTextConfig


@pytest.mark.parametrize("pinpoints", [None, [[28, 56], [56, 56]]])
@pytest.mark.parametrize("num_experts", [0, 8])
def test_configuration_survives_a_round_trip_through_auto_config(make_config, tmp_path, pinpoints, num_experts):
    config = make_config(pinpoints, num_experts=num_experts)
    config.save_pretrained(tmp_path)
    reloaded = AutoConfig.from_pretrained(tmp_path)
    assert type(reloaded) is MoEVLMConfig
    assert type(reloaded.text_config) is MoEVLMTextConfig
    assert type(reloaded.vision_config) is CLIPVisionConfig
    assert reloaded.to_diff_dict() == config.to_diff_dict()


def test_auto_config_knows_both_model_types():
    assert type(AutoConfig.for_model("moevlm")) is MoEVLMConfig
    assert type(AutoConfig.for_model("moevlm_text")) is MoEVLMTextConfig


def test_head_dim_defaults_to_the_even_share_of_the_width():
    assert MoEVLMTextConfig(hidden_size=96, num_attention_heads=6, num_key_value_heads=2).head_dim == 16


def test_rope_base_defaults_to_qwen3s():
    assert MoEVLMTextConfig().rope_parameters == {"rope_theta": 1_000_000.0, "rope_type": "default"}


@pytest.mark.parametrize(("strategy", "tokens"), [("default", 576), ("full", 577)])
def test_clip_large_336_gives_576_patch_features_and_one_of_the_class_token(strategy, tokens):
    vision = {"image_size": 336, "patch_size": 14}
    assert MoEVLMConfig(vision_config=vision, vision_feature_select_strategy=strategy).image_seq_length == tokens


def test_visual_scheme_follows_from_the_pinpoints(make_config):
    assert make_config().visual == "fixed"
    assert make_config([[28, 56]]).visual == "anyres"


def test_dense_twin_stores_its_feed_forward_in_the_blocks_of_the_moe():
    moe = MoEVLMTextConfig(num_experts=8, num_experts_per_tok=2, moe_intermediate_size=32)
    dense = MoEVLMTextConfig(intermediate_size=8 * 32, ffn_block_size=32)
    assert (moe.num_ffn_blocks, moe.ffn_block_width) == (dense.num_ffn_blocks, dense.ffn_block_width) == (8, 32)


def test_tying_the_head_is_the_decoders_choice(make_config):
    assert make_config(tie_word_embeddings=True).tie_word_embeddings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_experts": 8, "num_experts_per_tok": 9}, r"num_experts_per_tok must be in \[1, num_experts=8\], got 9; "),
        ({"num_experts": 8, "num_experts_per_tok": 0}, r"num_experts_per_tok must be in \[1, num_experts=8\], got 0; "),
        ({"num_experts": -1}, "num_experts must be at least 0, got -1; "),
        ({"num_experts": 8, "ffn_block_size": 32}, "ffn_block_size must be None in an MoE .*, got 32; "),
        ({"num_experts": 0, "ffn_block_size": 48}, "ffn_block_size must divide intermediate_size=256, got 48; "),
        ({"num_experts": 0, "ffn_block_size": 0}, "ffn_block_size must divide intermediate_size=256, got 0; "),
        ({"num_key_value_heads": 3}, "num_attention_heads must be a multiple of num_key_value_heads=3, got 4; "),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be at least 1, got 0; "),
        ({"head_dim": 15}, "head_dim must be even.*, got 15; "),
        ({"head_dim": None, "hidden_size": 66}, "hidden_size must be a multiple of num_attention_heads=4, got 66; "),
    ],
)
def test_sizes_that_do_not_fit_are_refused(make_config, wrong, message):
    with pytest.raises(ValueError, match=message):
        make_config(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image_token_id": 32064}, r"image_token_id must be in \[0, vocab_size=32064\), got 32064; "),
        ({"vision_feature_select_strategy": "cls"}, "must be one of default, full, got 'cls'; "),
        ({"image_grid_pinpoints": []}, r"image_grid_pinpoints must be None .*, got \[\]; "),
    ],
)
def test_choices_of_the_whole_model_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        MoEVLMConfig(**wrong)
