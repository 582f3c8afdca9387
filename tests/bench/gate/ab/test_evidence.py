"""What is claimed of scenarios and groups at one look, beside the changes that launches were drawn with."""

import math

import numpy as np

from bench.gate.ab.evidence import Evidence, weigh
from tests.bench.gate.ab.suites import Floats, changed, effects, panel

EFFECT = math.log(1.02)


def drawn(num_launches: int, num_scenarios: int = 12, *, sd: float = 0.02, seed: int = 0) -> Floats:
    return np.asarray(sd * np.random.default_rng(seed).normal(size=(num_launches, num_scenarios, 2)))


def weighed(values_LSA: Floats) -> Evidence:
    return weigh(panel(values_LSA), np.full(values_LSA.shape[1], EFFECT))


def test_launches_of_which_a_third_show_nothing_claim_nothing_however_large_their_mean() -> None:
    values = drawn(16)
    real = [number for number in range(16) if number % 4 != 1]
    values[real, 0, 0] += np.array([0.0, 0.15, 0.15] * 4)
    assert not weighed(values).is_slower_SA[0, 0]
    values[real, 0, 0] += np.array([0.15, 0.0, 0.0] * 4)
    assert weighed(values).is_slower_SA[0, 0]


def test_one_arm_of_a_scenario_is_found_where_all_others_became_slower_as_a_whole() -> None:
    percent = {(place, arm): 20.0 for place in range(1, 48) for arm in ("moe", "dense")}
    found = weighed(changed(drawn(9, 48), effects(48, {**percent, (0, "moe"): 20.0})))
    assert found.is_slower_SA[0].tolist() == [True, False]
    assert np.all(found.is_slower_SA[1:])


def test_what_base_shows_against_itself_is_no_change() -> None:
    found = weighed(drawn(13, 48) + 0.04)
    assert np.abs(found.estimate_SA.mean()) < 0.006
    assert not found.is_slower_SA.any()
    assert not any(one.is_slower for one in found.groups)


def test_placebos_that_agree_by_chance_make_no_slower_group() -> None:
    """As measured: each process of unchanged code was a sixth slower in one arm, or not, for as long as it lived."""
    values = drawn(12, 8)
    values[:, 0, 1] = [0.022, -0.157, 0.030, 0.061, 0.107, -0.190, -0.126, 0.094, 0.130, -0.187, 0.014, 0.100]
    assert not any(one.is_slower for one in weighed(values).groups)


def test_few_launches_tell_what_no_state_of_a_process_does() -> None:
    for percent, is_told in ((30.0, True), (18.0, False)):
        found = weighed(changed(drawn(3), effects(12, {(0, "moe"): percent})))
        assert bool(found.is_slower_SA[0, 0]) is is_told
    assert weighed(changed(drawn(5), effects(12, {(0, "moe"): 18.0}))).is_slower_SA[0, 0]


def test_what_all_arms_share_is_told_of_the_suite_as_a_whole() -> None:
    found = weighed(changed(drawn(9, 48), effects(48, {(None, "moe"): 6.0, (None, "dense"): 6.0})))
    assert {(one.group, one.arm) for one in found.groups if one.is_slower} >= {("suite", "moe"), ("suite", "dense")}


def test_a_scenario_that_was_never_measured_is_not_known() -> None:
    values = drawn(6)
    values[:, 3] = np.nan
    found = weighed(values)
    assert np.all(np.isnan(found.estimate_SA[3]))
    assert found.num_launches_S[3] == 0
    assert not found.is_slower_SA[3].any()
