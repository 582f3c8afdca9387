"""Tests of gains: which scenarios give one, of whole and of sliced models, and what is dropped."""

import pytest
from msgspec import structs

from bench.harness.environment import kind_key
from bench.harness.record import Scenario
from bench.pages.results.gains import gains_of
from tests.bench.pages.sample_gains import PEAKS, arm, gains, scenario, sliced
from tests.bench.pages.sample_layers import layers_scenario
from tests.bench.sample_records import FINGERPRINT, record_of


def test_a_whole_model_gives_its_gain_as_it_is() -> None:
    (gain,) = gains(scenario(2.0, 5.0))
    assert gain.speedup == pytest.approx((2.5, 2.5, 2.5))
    assert (gain.scenario, gain.phase, gain.against) == ("bench_decode[7b-b1-s1024]", "decode", "dense")
    assert (gain.workload, gain.routing, gain.length, gain.batch_size) == ("mmmu", "uniform", "1024", 1)
    assert gain.throughput == pytest.approx({"moe": 1.0, "rival": 0.4})  # two tokens a unit
    assert (gain.depths, gain.predicted, gain.floor_share) == ((), None, {})


def test_slices_are_joined_to_the_whole_model() -> None:
    (gain,) = gains(*sliced(1.0, (0.5, 2.0)))
    assert gain.scale == "7b"
    assert gain.seconds == pytest.approx({"moe": 1.0 + 8.0, "rival": 1.0 + 32.0})
    assert gain.speedup.estimate == pytest.approx(33.0 / 9.0)
    assert gain.depths == (1, 2, 4)
    assert gain.check_error == pytest.approx(0.0, abs=1e-9)


def test_too_few_depths_or_no_line_give_no_gain_but_a_reason() -> None:
    few = gains_of([record_of(*sliced(1.0, (0.5, 2.0))[:2], peaks=PEAKS)])
    assert few.gains == []
    assert [one.why for one in few.dropped] == ["measured at 1, 2 layers; a line needs 3"]
    bent = [scenario(1.0, 1.0, depth=1), scenario(5.0, 5.0, depth=2), scenario(2.0, 2.0, depth=4)]
    found = gains_of([record_of(*bent, peaks=PEAKS)])
    assert found.gains == []
    assert [(one.scenario, one.against) for one in found.dropped] == [("bench_decode[7b-b1-s1024]", "dense")]
    assert "lie on no line (error 73 %)" in found.dropped[0].why  # 1 1/3 where 5 was measured


def test_depths_may_lie_in_several_records_of_one_machine() -> None:
    one, two, four = (record_of(scenario, peaks=PEAKS) for scenario in sliced(1.0, (0.5, 2.0)))
    assert len(gains_of([one, two, four]).gains) == 1
    other = {**two.kind, "device_model": "Other"}
    assert gains_of([one, record_of(*two.scenarios.values(), peaks=PEAKS, kind=other), four]).gains == []


def launched(name: str, one: Scenario) -> Scenario:
    """Return a scenario as another launch measured it."""
    arms = {arm: structs.replace(s, launches=(structs.replace(s.launches[0], id=name),)) for arm, s in one.arms.items()}
    return Scenario(id=one.id, arms=arms)


def test_the_launches_of_several_records_count_together_and_another_one_falls_into_the_interval() -> None:
    launches = {"a": (1.0, 2.0), "b": (1.2, 3.0), "c": (0.9, 2.7)}
    records = [record_of(launched(name, scenario(*times)), peaks=PEAKS) for name, times in launches.items()]
    (gain,) = gains_of(records).gains
    assert gain.num_launches == 3
    assert gain.speedup.estimate == pytest.approx((2.0 * 2.5 * 3.0) ** (1 / 3))
    assert gain.seconds["moe"] == pytest.approx((1.0 * 1.2 * 0.9) ** (1 / 3))
    assert gain.speedup.low < 1.9 < 3.1 < gain.speedup.high


@pytest.mark.parametrize("changes", [{"hashes": {"workload": "other"}}, {"path": "modules"}])
def test_of_a_scenario_of_other_work_the_last_record_counts(changes: dict[str, object]) -> None:
    old, new = launched("a", scenario(1.0, 2.0)), launched("b", scenario(1.0, 3.0, **changes))
    (gain,) = gains_of([record_of(old, peaks=PEAKS), record_of(new, peaks=PEAKS)]).gains
    assert (gain.num_launches, gain.speedup.estimate) == (1, pytest.approx(3.0))


def test_a_record_that_is_given_twice_counts_once() -> None:
    one = record_of(scenario(1.0, 2.0), peaks=PEAKS)
    assert [gain.num_launches for gain in gains_of([one, one]).gains] == [1]


def test_a_single_launch_has_the_spread_of_others_of_its_phase_where_it_is_known() -> None:
    def width(*others: Scenario) -> float:
        records = [record_of(one, peaks=PEAKS) for one in (*others, scenario(1.0, 2.0, batch=4))]
        (gain,) = [gain for gain in gains_of(records).gains if gain.batch_size == 4]
        return gain.speedup.high / gain.speedup.low

    spread = [launched(name, scenario(1.0, rival_s)) for name, rival_s in (("a", 2.0), ("b", 2.4))]
    assert width() == pytest.approx(1.0)
    assert width(*spread) > 1.2
    other = [launched(name, scenario(1.0, s, benchmark="bench_prefill")) for name, s in (("a", 2.0), ("b", 2.4))]
    assert width(*other) == pytest.approx(1.0)


def test_coverage_counts_the_launches_after_the_third() -> None:
    times = {"a": 2.0, "b": 2.1, "c": 2.2, "d": 2.15, "e": 9.0}
    records = [record_of(launched(name, scenario(1.0, rival_s)), peaks=PEAKS) for name, rival_s in times.items()]
    assert gains_of(records).coverage == (1, 2)


def test_the_bias_of_recycling_is_in_the_interval_of_recycled_layers_and_in_no_other() -> None:
    name = "bench_recycled[7b-b1-s640-decode]"
    times = {"moe": 1.0, "dense": 5.0, "moe/of4": 1.02, "dense/of4": 4.95, "anchor": 1.0}
    proof = record_of(Scenario(id=name, arms={one: arm(one, s, name) for one, s in times.items()}), peaks=PEAKS)
    plain, widened = (gains_of([record_of(scenario(2.0, 5.0, distinct=4), peaks=PEAKS), *more]).gains[0].speedup
                      for more in ([], [proof]))  # fmt: skip
    assert widened.estimate == plain.estimate
    assert widened.low == pytest.approx(plain.low)
    assert widened.high == pytest.approx(plain.high * 1.02 / 0.99)  # the true ratio is as much higher
    (whole,) = gains_of([record_of(scenario(2.0, 5.0), peaks=PEAKS), proof]).gains
    assert whole.speedup == pytest.approx((2.5, 2.5, 2.5))
    answers = scenario(2.0, 5.0, distinct=4, benchmark="bench_generate")
    (answer,) = gains_of([record_of(answers, peaks=PEAKS), proof]).gains
    assert answer.speedup.high > 1.02 * answer.speedup.estimate


@pytest.mark.parametrize(("device", "machines"), [("cpu", 1), ("cuda", 2)])
def test_cores_that_stand_idle_make_no_other_machine_of_a_cpu(device: str, machines: int) -> None:
    kinds = [kind_key({**FINGERPRINT, "device": device, "device_count": count}) for count in (1, 2)]
    times = {"a": 2.0, "b": 2.1}
    records = [
        record_of(launched(name, scenario(1.0, rival_s)), peaks=PEAKS, kind=kind)
        for (name, rival_s), kind in zip(times.items(), kinds, strict=True)
    ]
    assert [gain.num_launches for gain in gains_of(records).gains] == [2 // machines] * machines


def test_a_floor_is_that_of_the_best_peaks_of_all_runs_of_the_machine() -> None:
    cost = {"flops": 0.0, "bytes": 10.0}  # 1 s at PEAKS
    fast = {name: 2 * value for name, value in PEAKS.items()}
    records = [
        record_of(scenario(2.0, 5.0, batch=1, cost=cost), peaks=PEAKS),
        record_of(scenario(2.0, 5.0, batch=8, cost=cost), peaks=fast),
    ]
    found = gains_of(records).gains
    assert [gain.floor_share["moe"] for gain in found] == pytest.approx([0.25, 0.25])
    assert [gain.floor_share["rival"] for gain in found] == pytest.approx([0.1, 0.1])
    assert [gain.predicted for gain in found] == [1.0, 1.0]


def test_the_floors_ratio_is_the_rivals_over_the_moes() -> None:
    one = scenario(2.0, 5.0, cost={"flops": 50.0, "bytes": 10.0})  # 1 s of bytes
    dense = structs.replace(one.arms["dense"], cost={"flops": 50.0, "bytes": 40.0})  # 4 s of bytes
    (gain,) = gains(Scenario(id=one.id, arms={**one.arms, "dense": dense}))
    assert gain.predicted == pytest.approx(4.0)
    assert gain.floor_share == pytest.approx({"moe": 0.5, "rival": 0.8})


def test_as_many_layers_as_the_whole_model_has_are_the_whole_model() -> None:
    (gain,) = gains(scenario(2.0, 5.0, depth=16))
    assert (gain.scale, gain.depths, gain.seconds["moe"]) == ("7b", (), 2.0)


def test_peers_counted_scenarios_and_what_is_of_no_phase_have_no_gain() -> None:
    one = scenario(2.0, 5.0)
    peer = Scenario(id=one.id, arms={**one.arms, "transformers/eager": one.arms["dense"]})
    assert [gain.against for gain in gains(peer)] == ["dense"]
    counted = Scenario(id=one.id, arms={name: series for name, series in one.arms.items() if name != "anchor"})
    assert gains(counted) == []
    others = record_of(layers_scenario(), scenario(1.0, 2.0, benchmark="bench_vision"), peaks=PEAKS)
    assert gains_of([others]) == ([], [], (0, 0))


def test_recycled_layers_are_of_full_depth_and_their_gain_says_how_many_were_distinct() -> None:
    (gain,) = gains(scenario(2.0, 5.0, distinct=4))
    assert gain.speedup == pytest.approx((2.5, 2.5, 2.5))
    assert (gain.scenario, gain.scale) == ("bench_decode[7b-b1-s1024]", "7b")
    assert (gain.depths, gain.distinct_layers, gain.check_error) == ((), 4, 0.0)


def test_the_whole_model_counts_before_recycled_layers_more_distinct_ones_before_few_and_all_before_slices() -> None:
    slices = sliced(1.0, (0.5, 2.0))
    two, four = (scenario(1.0, float(distinct), distinct=distinct) for distinct in (6, 4))
    (gain,) = gains(*slices, two, four)
    assert (gain.distinct_layers, gain.speedup.estimate, gain.depths) == (6, pytest.approx(6.0), ())
    (gain,) = gains(two, four, scenario(1.0, 9.0), *slices)
    assert (gain.distinct_layers, gain.speedup.estimate) == (0, pytest.approx(9.0))


def test_recycled_layers_that_a_cache_may_hold_give_no_gain_but_a_reason() -> None:
    found = gains_of([record_of(scenario(2.0, 5.0, distinct=2), peaks=PEAKS)])
    assert found.gains == []
    assert [one.why for one in found.dropped] == [
        "its 2 distinct layers are 3.0 last-level caches, 4 at least must pass; raise --distinct-layers"
    ]
    (gain,) = gains(scenario(2.0, 5.0, distinct=2), *sliced(1.0, (0.5, 2.0)))
    assert gain.depths == (1, 2, 4)


def test_a_slice_of_recycled_layers_is_never_joined_to_a_whole_model() -> None:
    recycled = [scenario(1.0, 2.0, depth=depth, distinct=4) for depth in (4, 8, 12)]
    found = gains_of([record_of(*recycled, peaks=PEAKS)])
    assert (found.gains, [one.why for one in found.dropped]) == ([], ["measured as a recycled slice"])


def test_a_drawn_context_is_of_the_same_step_and_counts_where_none_was_read() -> None:
    drawn = scenario(1.0, 3.0, distinct=4, benchmark="bench_drawn_decode")
    (gain,) = gains(drawn)
    assert (gain.scenario, gain.phase, gain.is_drawn) == ("bench_decode[7b-b1-s1024]", "decode", True)
    (gain,) = gains(drawn, scenario(1.0, 2.0, distinct=4))
    assert (gain.is_drawn, gain.speedup.estimate) == (False, pytest.approx(2.0))
