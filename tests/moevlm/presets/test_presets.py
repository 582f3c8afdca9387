"""Presets: names, depth, grids and the printed table."""

import pytest
from transformers import OlmoConfig

from fixtures.presets import main
from moevlm.config import MoEVLMConfig
from moevlm.model.parameters import parameter_counts
from moevlm.presets import PRESETS, preset_config, preset_variants

EVERY_VARIANT = [(name, variant) for name in PRESETS for variant in preset_variants(name)]


def test_olmo_has_the_shape_that_transformers_gives_it() -> None:
    text, published = preset_config("olmo-7b", "dense_reference").text_config, OlmoConfig()
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        assert getattr(text, name) == getattr(published, name), name


@pytest.mark.parametrize("variant", ["moe", "dense", "dense_active", "dense_reference"])
def test_depth_takes_layers_of_the_decoder_only(variant: str) -> None:
    full, two, one = (preset_config("7b", variant, depth=depth) for depth in (None, 2, 1))
    layers = full.text_config.num_hidden_layers
    totals = [parameter_counts(config) for config in (full, two, one)]
    assert totals[0].total - totals[2].total == (layers - 1) * (totals[1].total - totals[2].total)
    assert totals[0].vision == totals[2].vision
    assert one.text_config.hidden_size == full.text_config.hidden_size


@pytest.mark.parametrize("depth", [0, -1, 17])
def test_depth_outside_the_preset_is_an_error(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"depth must be in \[1, 16\], the layers of 7b moe, got {depth}"):
        preset_config("7b", depth=depth)


def test_unknown_names_are_errors_that_name_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"preset must be one of tiny, proxy, 7b, 34b, .*, got '8b'"):
        preset_config("8b")
    with pytest.raises(ValueError, match=r"variant of preset 7b must be one of moe, dense, .*, got 'sparse'"):
        preset_config("7b", "sparse")
    with pytest.raises(ValueError, match="variant of preset qwen3-32b must be one of dense_reference, got 'moe'"):
        preset_config("qwen3-32b")
    with pytest.raises(ValueError, match="visual must be one of fixed, anyres, got 'native'"):
        preset_config("7b", visual="native")


@pytest.mark.parametrize(("name", "tokens"), [("tiny", 16), ("proxy", 64), ("7b", 576), ("34b", 576)])
def test_tokens_of_one_tile(name: str, tokens: int) -> None:
    assert preset_config(name).image_seq_length == tokens


def test_anyres_grids_are_in_units_of_the_tile() -> None:
    assert preset_config("7b").image_grid_pinpoints is None
    llava_next = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
    assert sorted(preset_config("7b", visual="anyres").image_grid_pinpoints) == sorted(llava_next)
    assert preset_config("tiny", visual="anyres").image_grid_pinpoints[0] == [56, 112]


@pytest.mark.parametrize(("name", "variant"), EVERY_VARIANT)
def test_every_model_takes_long_prompts_and_the_shipped_special_tokens(name: str, variant: str) -> None:
    config: MoEVLMConfig = preset_config(name, variant)
    text = config.text_config
    assert text.max_position_embeddings >= 16384
    assert (text.pad_token_id, text.bos_token_id, text.eos_token_id, config.image_token_id) == (0, 1, 2, 3)
    assert text.vocab_size >= 2048


def test_the_command_prints_counts_and_parity(capsys: pytest.CaptureFixture[str]) -> None:
    main(["7b", "--dtype", "bfloat16"])
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert all(word in header for word in ("preset", "variant", "total", "active", "FFN", "text", "vision", "GiB"))
    assert [row.split()[:2] for row in rows] == [["7b", variant] for variant in preset_variants("7b")]
    assert "6,743,726,080" in rows[0]
    assert "303,507,456" in rows[0]
    assert "13.14" in rows[0]  # 7,053,531,136 parameters of 2 bytes
    assert "-0.031% of text" in rows[1]
    assert "-0.190% of active" in rows[2]


def test_the_command_takes_a_depth(capsys: pytest.CaptureFixture[str]) -> None:
    main(["tiny", "--depth", "1", "--dtype", "float32"])
    assert f"{parameter_counts(preset_config('tiny', depth=1)).total:,}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["8b"], "preset must be one of tiny, proxy, 7b, 34b"),
        (["tiny", "--depth", "3"], "depth must be in [1, 2], the layers of tiny moe, got 3"),
        (["tiny", "--dtype", "int3"], "invalid choice: 'int3'"),
    ],
)
def test_the_command_explains_what_it_cannot_do(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match="4"):
        main(arguments)
    assert message in capsys.readouterr().err
