"""Parameter counts against published figures and sums by hand."""

from functools import cache

import pytest

from moevlm.model.parameters import ParameterCounts, parameter_counts
from moevlm.presets import PRESETS, preset_config, preset_variants

SCALES = ("tiny", "proxy", "7b", "34b")
EVERY_VARIANT = [(name, variant) for name in PRESETS for variant in preset_variants(name)]
CLIP_LARGE_336 = 303_507_456  # parameters of ViT-L/14-336's vision tower


@cache
def counts(name: str, variant: str = "moe") -> ParameterCounts:
    return parameter_counts(preset_config(name, variant))


@pytest.mark.parametrize(
    ("name", "variant", "text"),
    [
        ("7b", "moe", 6_743_726_080),
        ("7b", "dense", 6_741_628_928),
        ("34b", "moe", 34_533_781_248),
        ("34b", "dense", 34_519_363_328),
    ],
)
def test_text_parameters_to_the_digit(name: str, variant: str, text: int) -> None:
    assert counts(name, variant).text == text


@pytest.mark.parametrize(
    ("name", "variant", "billions"),
    [
        ("7b", "dense_active", 1.1045),
        ("7b", "dense_reference", 6.7389),
        ("34b", "dense_active", 3.3767),
        ("34b", "dense_reference", 34.3889),
        ("proxy", "moe", 0.0651),
        ("proxy", "dense", 0.0650),
        ("proxy", "dense_active", 0.0210),
        ("qwen3-30b-a3b", "moe", 30.5321),  # as published: 30.532B, 32.762B
        ("qwen3-32b", "dense_reference", 32.7621),
    ],
)
def test_text_parameters_in_billions(name: str, variant: str, billions: float) -> None:
    assert counts(name, variant).text / 1e9 == pytest.approx(billions, abs=6e-5)


@pytest.mark.parametrize(
    ("name", "variant", "billions"),
    [
        ("7b", "moe", 7.0535),
        ("7b", "dense", 7.0514),
        ("7b", "dense_reference", 7.0634),
        ("34b", "moe", 34.8436),
        ("34b", "dense", 34.8292),
        ("34b", "dense_reference", 34.7512),
    ],
)
def test_total_parameters_in_billions(name: str, variant: str, billions: float) -> None:
    assert counts(name, variant).total / 1e9 == pytest.approx(billions, abs=6e-5)


@pytest.mark.parametrize(("name", "billions"), [("7b", 1.107), ("34b", 3.391), ("proxy", 0.0210)])
def test_active_parameters(name: str, billions: float) -> None:
    assert counts(name).active / 1e9 == pytest.approx(billions, abs=6e-4)


def test_olmoe_differs_from_its_published_count_by_the_norms_alone() -> None:
    published = 6_919_161_856  # OLMoE-1B-7B-0924, whose q and k norms span all heads
    assert published - counts("olmoe-1b-7b").text == 16 * 2 * (2048 - 128)


@pytest.mark.parametrize(("name", "variant"), EVERY_VARIANT)
def test_the_vision_tower_is_the_same_in_every_variant(name: str, variant: str) -> None:
    assert counts(name, variant).vision == counts(name, preset_variants(name)[0]).vision


@pytest.mark.parametrize("name", ["7b", "34b"])
def test_the_large_presets_see_with_clip(name: str) -> None:
    assert counts(name).vision == CLIP_LARGE_336


@pytest.mark.parametrize("name", SCALES)
def test_the_twin_lacks_the_router_alone(name: str) -> None:
    text = preset_config(name).text_config
    assert counts(name).ffn == counts(name, "dense").ffn
    assert counts(name).text - counts(name, "dense").text == (
        text.num_hidden_layers * text.num_experts * text.hidden_size
    )


@pytest.mark.parametrize("name", SCALES)
def test_every_dense_variant_is_within_half_a_percent_of_what_it_matches(name: str) -> None:
    moe = counts(name)
    assert counts(name, "dense").text == pytest.approx(moe.text, rel=5e-3)
    assert counts(name, "dense_active").text == pytest.approx(moe.active, rel=5e-3)
    assert counts(name, "dense_reference").text == pytest.approx(moe.text, rel=5e-3)
