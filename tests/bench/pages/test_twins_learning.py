"""When twins began to look, what their seeds could tell apart, and what rises with MSI: by hand and against scipy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy

from bench.contrasts import graded_of
from bench.pages.twins.documents import COEF, Setting, read_settings
from bench.pages.twins.learning import learned
from bench.pages.twins.power import power_of
from bench.pages.twins.relations import draw_relations, relations
from bench.power import Plan, excluded, measured_spread, seen
from tests.bench.pages.sample_twins import trained, write


def setting_of(folder: Path, twins: list[dict[str, Any]]) -> Setting:
    (found,) = read_settings(write(folder, twins))
    return found


def stepped(variant: str, steps: Sequence[int | None]) -> list[dict[str, Any]]:
    return [trained(variant, seed, [0.2], transition=step) for seed, step in enumerate(steps)]


def test_who_began_is_counted_with_its_exact_interval_and_compared_by_ranks(tmp_path: Path) -> None:
    """Of 4 that began of 4 the exact interval is 0.025 ** (1 / 4) to 1; plain's one that never began is the last."""
    plain, soon = [900, 1000, None, 1100], [300, 400, 500, 600]
    twins = [*stepped("plain", plain), *stepped("sm", soon), trained("dense", 0)]
    rows = {row.variant: row for row in learned(setting_of(tmp_path, twins), "plain")}
    assert set(rows) == {"plain", "sm"}  # dense does not tell
    assert (rows["plain"].started, rows["plain"].finished, rows["plain"].median) == (4, 3, 1000)
    assert rows["sm"].share == pytest.approx((1.0, 0.025 ** (1 / 4), 1.0))
    assert rows["sm"].steps == (300, 400, 500, 600)
    assert rows["sm"].p_value == pytest.approx(2 / 70)  # all before all: the most extreme of 70 orders, either way
    assert rows["plain"].p_value is None
    assert rows["plain"].accuracy == pytest.approx((0.5 + 0.6 + 0.7 + 0.8) / 4)
    assert rows["plain"].accuracy_finished == pytest.approx((0.5 + 0.6 + 0.8) / 3)
    assert rows["plain"].spread_finished == pytest.approx(np.std([0.5, 0.6, 0.8], ddof=1))


def test_p_values_hold_over_a_settings_variants_and_nothing_that_differs_is_none(tmp_path: Path) -> None:
    twins = [*stepped("plain", [900, 901, 902, 903]), *stepped("a", [1, 2, 3, 4]), *stepped("b", [900, 901, 902, 904])]
    rows = {row.variant: row for row in learned(setting_of(tmp_path, twins), "plain")}
    assert rows["a"].p_value == pytest.approx(2 * 2 / 70)
    never = [*stepped("plain", [None, None]), *stepped("sm", [None, None])]
    (_, other) = learned(setting_of(tmp_path, never), "plain")
    assert (other.p_value, other.finished, other.accuracy_finished) == (1.0, 0, None)


def pointed(variant: str, rng: np.random.Generator, seeds: int) -> list[dict[str, Any]]:
    made = []
    for seed in range(seeds):
        sums = rng.binomial(4, 0.6, size=30).tolist()
        accuracy = {"all": {"estimate": sum(sums) / 120}}
        made.append(trained(variant, seed, accuracy=accuracy, blind={}, points={"sums": sums, "counts": [4] * 30}))
    return made


def test_power_is_that_of_the_spread_that_the_seeds_have(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    setting = setting_of(tmp_path, [*pointed("dense", rng, 3), *pointed("kl", rng, 3), *pointed("sm", rng, 2)])
    found = power_of(setting)
    graded = [graded_of(twins) for twins in setting.variants.values()]
    spread = measured_spread([one for one in graded if one])
    assert found is not None
    assert spread is not None
    assert (found.num_seeds, found.num_pairs, found.is_bound) == (3, 3, False)
    now, planned = (Plan(spread=spread, num_seeds=n, num_pictures=p) for n, p in ((3, 30), (10, 600)))
    assert (found.seen, found.seen_together) == (seen(now), seen(now, comparisons=3))
    assert (found.planned, found.planned_together) == (seen(planned), seen(planned, comparisons=3))
    assert found.planned_excluded == excluded(planned)
    assert found.hours == pytest.approx(10 * (101 + 101 + 100.5) / 3600)


def test_without_points_seeds_alone_bound_what_can_be_seen(tmp_path: Path) -> None:
    """Accuracies of 0.5, 0.6 and 0.7 have a standard deviation of 0.1; Student's test of two such threes by scipy."""
    twins = [trained(variant, seed) for variant in ("dense", "kl") for seed in range(3)]
    found = power_of(setting_of(tmp_path, twins))
    assert found is not None
    assert found.is_bound
    assert found.spread["seeds"] == pytest.approx(0.1)
    asked = scipy.stats.t.ppf(0.975, 4)
    assert scipy.stats.nct.sf(asked, 4, found.seen / (0.1 * np.sqrt(2 / 3))) == pytest.approx(0.8, abs=1e-3)
    assert power_of(setting_of(tmp_path, twins[:3])) is None
    assert power_of(setting_of(tmp_path, [trained("dense", 0), trained("kl", 0)])) is None


def lossy(seed: int, msi: float, accuracy: float, **fields: Any) -> dict[str, Any]:
    return trained("sm", seed, [msi], accuracy={"all": {"estimate": accuracy}}, **{COEF: 1e-3, **fields})


def test_what_rises_with_msi_is_a_rank_correlation_over_twins_with_the_loss(tmp_path: Path) -> None:
    """Ranks 1 to 5 against 1, 3, 2, 5, 4: rho = 1 - 6 x 4 / (5 x 24) = 0.8; plain twins do not count."""
    values = [(0.1, 0.50), (0.2, 0.60), (0.3, 0.55), (0.4, 0.70), (0.5, 0.65)]
    twins = [lossy(seed, *pair) for seed, pair in enumerate(values)]
    (found,) = relations(setting_of(tmp_path, [*twins, trained("plain", 0, [0.9])]))
    assert (found.quantity, found.num_twins) == ("accuracy, %", 5)
    assert found.rank_correlation == pytest.approx(0.8)
    assert relations(setting_of(tmp_path, twins[:4])) == []
    assert relations(setting_of(tmp_path, [lossy(seed, 0.5, 0.1 * seed) for seed in range(6)])) == []


def test_layers_and_devices_are_drawn_beside_accuracy_where_they_are_told(tmp_path: Path) -> None:
    twins = [lossy(seed, 0.1 * (seed + 1), 0.5 + 0.01 * seed) for seed in range(5)]
    for seed, twin in enumerate(twins):
        twin["layer_s"] = {"prefill": {"estimate": 1e-3 * (9 - seed)}, "decode": {"estimate": 1e-4 * (seed + 1)}}
        twin["routing"]["crossing"] = [0.9 - 0.1 * seed]
    setting = setting_of(tmp_path, twins)
    told = {one.quantity: one.rank_correlation for one in relations(setting)}
    assert told == pytest.approx(
        {
            "accuracy, %": 1.0,
            "ms a layer, prefill": -1.0,
            "ms a layer, decode": 1.0,
            "leave their device, %": -1.0,
        }
    )
    figure = draw_relations(setting.variants)
    drawn = {axes.get_ylabel(): axes.lines[0].get_xydata() for axes in figure.axes}
    assert set(drawn) == set(told)
    crossing = np.asarray(drawn["leave their device, %"])
    assert crossing[0] == pytest.approx((0.1, 90.0))
    bare = draw_relations(setting_of(tmp_path, [trained("sm", seed, [0.5]) for seed in range(2)]).variants)
    assert [axes.get_ylabel() for axes in bare.axes] == ["accuracy, %"]
