"""Tests of recycled layers in a record: too few for the caches, or of unknown ones, say so."""

import pytest

from bench.harness.recycled import DISTINCT_LAYERS, OVER_CACHE, flaw


@pytest.mark.parametrize(("over", "is_flawed"), [(3.99, True), (4.0, False), (100.0, False)])
def test_distinct_layers_must_pass_several_caches(over: float, is_flawed: bool) -> None:
    assert bool(flaw({DISTINCT_LAYERS: 2, OVER_CACHE: over})) is is_flawed


def test_an_unknown_cache_is_told() -> None:
    assert flaw({DISTINCT_LAYERS: 2}) == (
        "how large the last-level cache is, which its 2 distinct layers must exceed, is not known"
    )


def test_layers_of_their_own_have_nothing_to_exceed() -> None:
    assert flaw({"depth": 16}) == ""
