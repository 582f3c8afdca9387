"""Paths of arms: arms of ours take one, whatever peers and parts take."""

import pytest

from bench.harness.paths import check_paths


def test_a_moe_by_operators_beside_a_dense_twin_by_modules_is_refused_with_a_remedy() -> None:
    paths = {"moe": "fused", "dense": "modules", "dense_active": "fused"}
    with pytest.raises(
        ValueError,
        match=r"must take one path, got moe: fused, dense: modules, dense_active: fused; mend .*, or leave it out",
    ):
        check_paths(paths)


@pytest.mark.parametrize(
    "paths",
    [
        {},
        {"moe": "fused"},
        {"moe": "modules", "dense": "modules"},
        {"moe": "fused", "dense": ""},
        {"moe": "fused", "moe/attention": "modules", "transformers/generate": "theirs"},
    ],
)
def test_one_path_what_nobody_knows_and_what_only_explains_are_compared(paths: dict[str, str]) -> None:
    check_paths(paths)
