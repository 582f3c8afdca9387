"""Trained twins compared: means, intervals and differences by hand."""

import math
from pathlib import Path
from typing import Any

import pytest

from bench.gate.stats import Interval, mean_interval
from bench.pages.twins.documents import COEF, Setting, read_settings, variant_names
from bench.pages.twins.sentences import about, undecided, weights
from bench.pages.twins.tables import kind_table, reach_table, routing_rows, summary_rows
from tests.bench.pages.sample_twins import TRAINED, trained, write


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    (found,) = read_settings(write(tmp_path))
    return found


def test_the_interval_of_a_mean_is_students_by_hand() -> None:
    """Of 1, 2, 3: mean 2, sd 1, and t = 4.303 with two degrees of freedom: 2 +- 4.303 / sqrt(3)."""
    assert mean_interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 2 - 2.4841, 2 + 2.4841), abs=1e-3)
    assert mean_interval([0.25]) == Interval(0.25, -math.inf, math.inf)


def test_rows_hold_means_and_the_paired_difference_to_plain(setting: Setting) -> None:
    rows = {row[0]: row for row in routing_rows(setting)}
    assert rows["dense"][1:] == ("0.50", "", "", "", "")
    assert rows["plain"][-1] == ""
    accuracy, msi, layers, imbalance, difference = rows["smoes-attention"][1:]
    assert accuracy == "0.60 (0.50, 0.60, 0.70)"
    assert msi == mean_interval([0.4, 0.45, 0.5]).text(".2f")
    assert (layers, imbalance) == ("0.60, 0.30", "1.50 [1.50, 1.50]")
    assert difference == "+0.20 [+0.20, +0.20]"  # every seed differs by (0.3 + 0.1) / 2


def test_the_summary_goes_over_settings_and_counts_what_is_certain(tmp_path: Path) -> None:
    """On charts every seed is 0.2 above plain; on documents 0.1, -0.1 and 0; one seed of a variant counts nowhere."""
    plain = [trained("plain", seed, [0.3, 0.4], task="documents") for seed in range(3)]
    other = [
        trained("smoes-attention", s, [0.3 + d, 0.4 + d], 2.0, task="documents") for s, d in enumerate((0.1, -0.1, 0))
    ]
    settings = read_settings(write(tmp_path, [*TRAINED, *plain, *other, trained("hard-routing", 0, [1.0, 1.0])]))
    assert [setting.name for setting in settings] == ["charts, small", "documents, small"]
    assert summary_rows(settings) == [
        ("plain", "2", "0.25 to 0.35", "", "", "", "in 1 of 2", "1.50"),
        ("smoes-attention", "2", "0.35 to 0.45", "+0.00 to +0.20", "1 of 2", "0 of 2", "in 1 of 2", "1.50 to 2.00"),
    ]
    half = 0.1 * 4.3027 / math.sqrt(3)
    assert undecided(settings) == [
        f"smoes-attention is not told apart from plain by MSI on documents, small (+0.00 [-{half:.2f}, +{half:.2f}])."
    ]


def test_what_carries_over_is_the_range_over_all_twins(setting: Setting) -> None:
    headers, rows = reach_table([setting])
    assert headers == ("task", "twins", "all", "main split", "hard split", "tinted")
    assert rows == [
        ("charts", "7", "0.50 to 0.70", "", "", "0.40 to 0.60"),
        ("charts, without sight", "", "0.10", "", "", ""),
    ]


def test_kinds_are_means_over_seeds_beside_guessing(setting: Setting) -> None:
    headers, rows = kind_table(setting)
    assert headers == ("variant", "value")
    assert rows == [("dense", "0.60"), ("plain", "0.70"), ("smoes-attention", "0.70"), ("without sight", "0.05")]


def test_a_setting_says_how_large_its_twins_are(setting: Setting) -> None:
    assert about(setting) == (
        "dense: 294 k parameters; plain, smoes-attention: 297 k parameters, 186 k active. Hidden size 64, 2 layers, "
        "4 experts of width 16, 2 a token. 200 steps of 12 pictures, 100 to 102 s of processor time a twin."
    )


def weighted(seed: int, coef: float, msi: float, load: float) -> dict[str, Any]:
    return trained("smoes-attention", seed, [msi, msi], load, **{COEF: coef})


def test_weights_of_the_loss_are_compared_over_common_seeds(tmp_path: Path) -> None:
    usual = [weighted(seed, 1e-3, 0.5 + 0.1 * seed, 2.0 + seed) for seed in range(3)]
    plain = [trained("plain", seed, [0.2, 0.2], 1.4) for seed in range(2)]
    settings = read_settings(
        write(tmp_path, [*plain, *usual, weighted(1, 0.0, 0.3, 1.75), weighted(1, 1e-2, 0.9, 4.0)])
    )
    assert weights(settings) == [
        "charts, small, smoes-attention, seed 1, loss weighted 0, 0.001 and 0.01: MSI is 0.30, 0.60 and 0.90, and the "
        "busiest expert carries 1.75, 3.00 and 4.00 times the mean load (of plain 0.20 and 1.40)."
    ]
    assert weights(read_settings(write(tmp_path, usual))) == []
    assert weights(read_settings(write(tmp_path, [*usual, weighted(7, 0.0, 0.3, 1.75)]))) == []


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
    path = write(tmp_path, [trained(name, 0, recipe={"steps": n}) for n, name in enumerate("ab")])
    with pytest.raises(ValueError, match=r"must share their recipe, got two for charts small: .* score it apart"):
        read_settings(path)


def test_one_seed_in_common_with_plain_decides_nothing(tmp_path: Path) -> None:
    twins = [trained("plain", 0, [0.2]), trained("plain", 5, [0.2])]
    settings = read_settings(write(tmp_path, [*twins, *(trained("kl", seed, [0.4]) for seed in (0, 1, 2))]))
    assert summary_rows(settings)[1][3:6] == ("", "", "")
    assert undecided(settings) == []


def test_no_loss_is_never_the_usual_weight_and_of_several_as_frequent_all_are_named() -> None:
    swept = [{"variant": "sm", COEF: coef} for coef in (0.0, 0.0, 1e-4, 1e-3)]
    assert variant_names(swept) == ["sm at 0", "sm at 0", "sm at 0.0001", "sm at 0.001"]
    assert variant_names([*swept, swept[-1]])[-2:] == ["sm", "sm"]


def test_a_seed_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="each seed of a variant must be there once, got seed 0 of dense on"):
        read_settings(write(tmp_path, [trained("dense", 0), trained("dense", 0)]))
