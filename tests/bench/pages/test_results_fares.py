"""Tests of how MoEs fare: what is compared with which kind of rival; counted by hand."""

from collections import Counter
from pathlib import Path
from typing import Any

from bench.gate.stats import Interval
from bench.pages.pareto.documents import Tier, read_tiers
from bench.pages.pareto.page import facts_of
from bench.pages.pareto.pairs import Pair
from bench.pages.results.fares import fares, rival
from tests.bench.pages.sample_twins import document, entry

EQUAL_TOTAL, EQUAL_ACTIVE = "dense, about equal total parameters", "dense, about equal active parameters"


def tier_of(tmp_path: Path, *entries: dict[str, Any], num_seeds: int = 2) -> Tier:
    seeded = [{**one, "seed": seed} for one in entries for seed in range(num_seeds)]
    (tier,) = read_tiers([document(tmp_path, seeded)]).values()
    return tier


def counted(tier: Tier) -> list[tuple[str, str, Counter[str]]]:
    return [
        (who, against, Counter(pair.outcome for pair in pairs)) for who, against, pairs in fares(facts_of(tier).pairs)
    ]


def test_outcomes_are_kept_over_sizes_and_by_rivals_apart(tmp_path: Path) -> None:
    """SMoES at two sizes, of 1,000 parameters and 400 active; accuracies are +-0.02."""
    tier = tier_of(
        tmp_path,
        entry("dense", 0, 0.50),
        entry("dense_active", 0, 0.10, num_parameters=400, num_active_parameters=400),
        entry("smoes-attention", 0, 0.60),
        entry("dense", 0, 0.50, size="medium"),
        entry("smoes-attention", 0, 0.51, size="medium"),
    )
    assert counted(tier) == [
        ("SMoES", EQUAL_TOTAL, {"wins": 1, "open": 1}),
        ("SMoES", EQUAL_ACTIVE, {"wins": 1}),
    ]


def test_plain_moes_are_counted_apart_and_are_a_rival(tmp_path: Path) -> None:
    names = {"dense": 0.50, "plain": 0.40, "smoes-gaussian": 0.50, "hard-routing": 0.39}
    assert counted(tier_of(tmp_path, *(entry(name, 0, accuracy) for name, accuracy in names.items()))) == [
        ("SMoES", EQUAL_TOTAL, {"open": 1}),
        ("SMoES", "plain MoEs", {"wins": 1}),
        ("plain MoEs", EQUAL_TOTAL, {"loses": 1}),
        ("SMoES' ablations", EQUAL_TOTAL, {"loses": 1}),
        ("SMoES' ablations", "plain MoEs", {"open": 1}),
    ]


def test_two_plain_moes_tell_nothing_of_specialization(tmp_path: Path) -> None:
    tier = tier_of(tmp_path, entry("plain", 0, 0.50), entry("plain", 0, 0.60, size="medium"))
    small, medium = tier.points
    assert rival(Pair(point=medium, against=small, difference=Interval(0.1, 0.0, 0.2), num_seeds=2, speedup=None)) == ""


def test_what_was_trained_once_is_not_judged(tmp_path: Path) -> None:
    tier = tier_of(tmp_path, entry("dense", 0, 0.50), entry("plain", 0, 0.40), num_seeds=1)
    assert counted(tier) == [("plain MoEs", EQUAL_TOTAL, {"one seed": 1})]


def test_a_dense_model_of_another_size_is_a_rival_of_its_own(tmp_path: Path) -> None:
    """1,000 parameters and 400 active are not about 650; 590 are about 400, to a factor of 1.5."""
    tier = tier_of(
        tmp_path,
        entry("dense", 0, 0.50, num_parameters=650, num_active_parameters=650),
        entry("dense_active", 0, 0.50, num_parameters=590, num_active_parameters=590),
        entry("plain", 0, 0.60),
    )
    assert [against for _, against, _ in fares(facts_of(tier).pairs)] == [EQUAL_ACTIVE, "dense, other sizes"]
