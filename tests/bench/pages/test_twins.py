"""Trained twins compared: means, limits and differences by hand, and what settings are read from a document."""

import math
from pathlib import Path

import pytest

from bench.gate.stats import Interval, mean_interval
from bench.pages.twins.documents import COEF, Setting, read_settings, variant_names
from bench.pages.twins.page import Value, numbers, twins_page, values
from tests.bench.pages.sample_twins import TRAINED, trained, write


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    (found,) = read_settings(write(tmp_path))
    return found


def by_name(setting: Setting) -> dict[tuple[str, str], Value]:
    return {(row.variant, row.measure): row for row in values(setting)}


def test_the_interval_of_a_mean_is_students_by_hand() -> None:
    """Of 1, 2, 3: mean 2, sd 1, and t = 4.303 with two degrees of freedom: 2 +- 4.303 / sqrt(3)."""
    assert mean_interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 2 - 2.4841, 2 + 2.4841), abs=1e-3)
    assert mean_interval([0.25]) == Interval(0.25, -math.inf, math.inf)


def test_a_twins_numbers_are_means_over_layers_and_what_it_lacks_is_left_out() -> None:
    dense = numbers(trained("dense", 1, log=[], styles={}))
    assert dense == {
        "parameters": 294_000,
        "active parameters": 294_000,
        "processor time, s": 101,
        "accuracy, all": 0.6,
        "accuracy, value": 0.7,
    }
    moe = numbers(trained("sm", 0, [0.2, 0.6], 1.75, **{COEF: 1e-3}))
    assert set(moe) - set(dense) == {
        *("weight of the loss", "last task loss, nats", "accuracy, style tinted"),
        *("MSI", "load", "MSI, last minus first layer", "MSI, layer 0", "MSI, layer 1"),
    }
    assert (moe["MSI"], moe["load"]) == pytest.approx((0.4, 1.75))
    assert moe["MSI, last minus first layer"] == pytest.approx(0.4)
    assert (moe["weight of the loss"], moe["last task loss, nats"], moe["MSI, layer 1"]) == (1e-3, 1.0, 0.6)


def test_rows_hold_means_over_seeds_and_of_routing_their_limits(setting: Setting) -> None:
    """MSI of three seeds is 0.4, 0.45 and 0.5: sd 0.05, and 0.45 +- 4.3027 x 0.05 / sqrt(3)."""
    found = by_name(setting)
    msi = found["smoes-attention", "MSI"]
    assert msi.seeds == 3
    assert msi.of_seed == pytest.approx({0: 0.4, 1: 0.45, 2: 0.5})
    assert (msi.mean, msi.low, msi.high) == pytest.approx((0.45, 0.45 - 0.12421, 0.45 + 0.12421), abs=1e-4)
    accuracy = found["smoes-attention", "accuracy, all"]
    assert (accuracy.mean, accuracy.least, accuracy.greatest) == pytest.approx((0.6, 0.5, 0.7))
    assert (accuracy.low, accuracy.high, accuracy.minus_plain) == (None, None, None)
    assert not any(row.measure == "MSI" for row in values(setting) if row.variant == "dense")


def test_limits_of_msi_end_at_0_and_1_and_those_of_load_do_not(tmp_path: Path) -> None:
    """Means 0.5 and 2 of two seeds: t = 12.7 with one degree of freedom reaches beyond both."""
    twins = [trained("plain", 0, [0.1], 1.0), trained("plain", 1, [0.9], 3.0)]
    found = by_name(read_settings(write(tmp_path, twins))[0])
    assert (found["plain", "MSI"].low, found["plain", "MSI"].high) == (0.0, 1.0)
    assert found["plain", "load"].high == pytest.approx(2 + 12.7062, abs=1e-3)


def test_msi_is_compared_with_plain_seed_by_seed(tmp_path: Path) -> None:
    """0.1, -0.1 and 0 above plain: 0 +- 4.3027 x 0.1 / sqrt(3); a variant without a seed of plain's is not compared."""
    plain = [trained("plain", seed, [0.3 + 0.1 * seed]) for seed in range(3)]
    other = [trained("sm", seed, [0.3 + 0.1 * seed + more]) for seed, more in enumerate((0.1, -0.1, 0.0))]
    found = by_name(read_settings(write(tmp_path, [*plain, *other, trained("kl", 9, [1.0])]))[0])
    half = 4.3027 * 0.1 / math.sqrt(3)
    assert found["sm", "MSI"].minus_plain == pytest.approx((0.0, -half, half), abs=1e-4)
    assert (found["plain", "MSI"].minus_plain, found["kl", "MSI"].minus_plain) == (None, None)
    assert found["sm", "load"].minus_plain is None


def test_one_seed_in_common_with_plain_decides_nothing(tmp_path: Path) -> None:
    twins = [trained("plain", 0, [0.2]), trained("plain", 5, [0.2])]
    (found,) = read_settings(write(tmp_path, [*twins, *(trained("kl", seed, [0.4]) for seed in (0, 1, 2))]))
    minus = by_name(found)["kl", "MSI"].minus_plain
    assert minus
    assert not minus.is_bounded


def test_what_guessing_gets_stands_beside_its_questions_alone(setting: Setting) -> None:
    found = by_name(setting)
    assert [found["plain", f"accuracy, {name}"].without_sight for name in ("all", "value")] == [0.1, 0.05]
    assert found["plain", "accuracy, style tinted"].without_sight is None


def test_how_far_it_carries_is_told_by_splits_and_styles(setting: Setting) -> None:
    assert twins_page([Path("a.json")], [setting]).facts["reach"] == ["accuracy, all", "accuracy, style tinted"]


def test_tasks_and_sizes_may_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, [*TRAINED, trained("dense", 5, task="documents"), trained("dense", 6, size="medium")])
    assert [setting.name for setting in read_settings(path)] == ["charts, small", "charts, medium", "documents, small"]
    (documents,) = read_settings(path, task="documents")
    assert [found["seed"] for found in documents.twins] == [5]
    assert [setting.name for setting in read_settings(path, size="medium")] == ["charts, medium"]
    with pytest.raises(ValueError, match="--task must be one of charts, documents, got 'maps'; choose one"):
        read_settings(path, task="maps")
    with pytest.raises(ValueError, match="--size must be one of small, got 'medium'; choose one"):
        read_settings(path, task="documents", size="medium")


def test_another_weight_of_the_loss_is_another_variant(tmp_path: Path) -> None:
    usual = [{**t, COEF: 1e-3} if t["variant"] == "smoes-attention" else t for t in TRAINED]
    (found,) = read_settings(write(tmp_path, [*usual, {**trained("kl", 0), COEF: 0.0}]))
    assert list(found.variants) == ["dense", "plain", "smoes-attention", "kl at 0"]


def test_a_weight_is_named_only_of_variants_that_have_the_loss(tmp_path: Path) -> None:
    smoes = [{**trained(name, 0), COEF: 1e-2} for name in ("kl", "sm")]
    (found,) = read_settings(write(tmp_path, [trained("dense", 0), trained("dense", 1), trained("plain", 0), *smoes]))
    assert list(found.variants) == ["dense", "plain", "kl", "sm"]


def test_twins_of_two_recipes_are_not_compared(tmp_path: Path) -> None:
    path = write(tmp_path, [trained(name, 0, recipe={"num_pictures": 9, "steps": n}) for n, name in enumerate("ab")])
    with pytest.raises(ValueError, match=r"must share their recipe, got two for charts small: .* score it apart"):
        read_settings(path)


def test_no_loss_is_never_the_usual_weight_and_of_several_as_frequent_all_are_named() -> None:
    swept = [{"variant": "sm", COEF: coef} for coef in (0.0, 0.0, 1e-4, 1e-3)]
    assert variant_names(swept) == ["sm at 0", "sm at 0", "sm at 0.0001", "sm at 0.001"]
    assert variant_names([*swept, swept[-1]])[-2:] == ["sm", "sm"]


def test_a_seed_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="each seed of a variant must be there once, got seed 0 of dense on"):
        read_settings(write(tmp_path, [trained("dense", 0), trained("dense", 0)]))
