"""Tests of which scenarios are judged together."""

import pytest

from bench.gate.groups import SUITE, group_of, group_of_id, grouped


@pytest.mark.parametrize(
    ("scenario", "params", "group"),
    [
        ("bench_decode[proxy-mmmu-uniform-b1-s128]", {"scale": "proxy", "batch_size": 1}, "decode at proxy"),
        ("bench_prefill[7b@1-mmmu-uniform-b1-s640]", {"scale": "7b@1"}, "prefill at 7b@1"),
        ("bench_decode[b1-tiny]", {"batch_size": 1, "scale": "tiny"}, "decode at tiny"),  # whatever the id's order
        ("bench_trained_prefill[charts]", {"task": "charts"}, "trained prefill"),
        ("bench_sorting[fast-10]", {"how": "fast", "size": 10}, "sorting"),  # "fast" is no scale
        ("bench_sorting", {}, "sorting"),
    ],
)
def test_a_group_is_a_benchmark_at_a_scale_as_the_parameters_say(
    scenario: str, params: dict[str, object], group: str
) -> None:
    assert group_of(scenario, params) == group


@pytest.mark.parametrize(
    ("scenario", "group"),
    [
        ("bench_decode[proxy-mmmu-uniform-b1-s128]", "decode at proxy"),
        ("bench_trained_prefill[charts]", "trained prefill"),
        ("bench_sorting", "sorting"),
    ],
)
def test_without_parameters_the_id_tells_the_scale(scenario: str, group: str) -> None:
    assert group_of_id(scenario) == group
    assert group_of(scenario, {}) == group


def test_scenarios_are_gathered_by_group_and_the_suite_holds_all() -> None:
    groups = {"a": "decode at tiny", "b": "prefill at tiny", "c": "decode at tiny", "d": "prefill at tiny"}
    assert grouped(groups) == {
        "decode at tiny": ["a", "c"],
        "prefill at tiny": ["b", "d"],
        SUITE: ["a", "b", "c", "d"],
    }


def test_a_group_of_one_or_of_everything_is_not_judged_twice() -> None:
    assert grouped({"a": "decode at tiny", "b": "decode at tiny"}) == {SUITE: ["a", "b"]}
    assert grouped({"a": "decode at tiny"}) == {}
