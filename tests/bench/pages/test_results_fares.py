"""Tests of how MoEs fare: outcomes counted by hand, against each kind of rival apart."""

from pathlib import Path
from typing import Any

import pytest

from bench.pages.pareto.documents import Tier, read_tiers
from bench.pages.results.fares import fares_rows, tiers_compared, told_apart
from tests.bench.pages.sample_twins import document, entry


def tiers_of(tmp_path: Path, *entries: dict[str, Any], num_seeds: int = 2) -> dict[str, Tier]:
    seeded = [{**one, "seed": seed} for one in entries for seed in range(num_seeds)]
    return read_tiers([document(tmp_path, seeded)])


@pytest.fixture
def tiers(tmp_path: Path) -> dict[str, Tier]:
    """Return SMoES at two sizes, of 1,000 parameters and 400 active; accuracies are +-0.02."""
    return tiers_of(
        tmp_path,
        entry("dense", 0, 0.50),
        entry("dense_active", 0, 0.10, 200.0, num_parameters=400, num_active_parameters=400),
        entry("smoes-attention", 0, 0.60, 50.0),
        entry("dense", 0, 0.50, size="medium"),
        entry("smoes-attention", 0, 0.51, 80.0, size="medium"),
    )


def test_outcomes_are_counted_over_sizes_and_rivals_apart(tiers: dict[str, Tier]) -> None:
    assert fares_rows(tiers.values()) == [
        ("measured", "SMoES", "dense, about equal total parameters", "2", "1", "0", "1", "0", "0.50 to 0.80"),
        ("measured", "SMoES", "dense, about equal active parameters", "1", "1", "0", "0", "0", "0.25"),
    ]
    assert tiers_compared(tiers) == ["**Measured**: 400 to 1 k parameters; charts."]


def test_what_is_certain_is_named_with_its_interval(tiers: dict[str, Tier]) -> None:
    """Both intervals are +-2 points, so their difference is +-2.8."""
    assert told_apart(tiers.values()) == [
        "smoes-attention small is more accurate than dense small on charts: +10.0 [+7.2, +12.8] points.",
        "smoes-attention small is more accurate than dense_active small on charts: +50.0 [+47.2, +52.8] points.",
    ]


def test_plain_moes_are_counted_apart_and_are_a_rival(tmp_path: Path) -> None:
    names = {"dense": 0.50, "plain": 0.40, "smoes-gaussian": 0.50, "hard-routing": 0.39}
    rows = fares_rows(tiers_of(tmp_path, *(entry(name, 0, accuracy) for name, accuracy in names.items())).values())
    assert [row[1:7] for row in rows] == [
        ("SMoES", "dense, about equal total parameters", "1", "0", "0", "1"),
        ("SMoES", "plain MoEs", "1", "1", "0", "0"),
        ("plain MoEs", "dense, about equal total parameters", "1", "0", "1", "0"),
        ("SMoES' ablations", "dense, about equal total parameters", "1", "0", "1", "0"),
        ("SMoES' ablations", "plain MoEs", "1", "0", "0", "1"),
    ]


def test_what_was_trained_once_is_not_judged(tmp_path: Path) -> None:
    tiers = tiers_of(tmp_path, entry("dense", 0, 0.50), entry("plain", 0, 0.40), num_seeds=1)
    assert [row[3:8] for row in fares_rows(tiers.values())] == [("1", "0", "0", "0", "1")]
    assert told_apart(tiers.values()) == []


def test_a_dense_model_of_another_size_has_a_row_of_its_own(tmp_path: Path) -> None:
    """1,000 parameters and 400 active are not about 650; 590 are about 400, to a factor of 1.5."""
    tiers = tiers_of(
        tmp_path,
        entry("dense", 0, 0.50, num_parameters=650, num_active_parameters=650),
        entry("dense_active", 0, 0.50, num_parameters=590, num_active_parameters=590),
        entry("plain", 0, 0.60),
    )
    assert [row[2:5] for row in fares_rows(tiers.values())] == [
        ("dense, about equal active parameters", "1", "1"),
        ("dense, other sizes", "1", "1"),
    ]
    assert len(told_apart(tiers.values())) == 2
