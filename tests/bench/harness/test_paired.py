"""Tests of the interleaved measurement, driven by pytest-benchmark's own fixture on a scripted clock."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.harness.agreement import Checked, WrongAnswer
from bench.harness.anchors import make_anchor
from bench.harness.blocks import MIN_BLOCKS, Terms
from bench.harness.clock import Timed
from bench.harness.metrics import PEAK_BYTES, TPOT
from bench.harness.paired import Paired

ARMS = ("moe", "dense", "dense_active")
EVERY_ARM = (*ARMS, "anchor")
ANCHOR_S = 0.05
SECONDS = {"moe": 0.3, "dense": 0.2, "dense_active": 0.1}


class ScriptedClock:
    """Says that a call took what the call itself scripted, or ANCHOR_S if it scripted nothing."""

    def __init__(self, throttled: Iterator[bool]) -> None:
        self.taken_s, self._throttled = 0.0, throttled

    def measure(self, call: Callable[[], object]) -> Timed:
        self.taken_s = 0.0
        result = call()
        return Timed(self.taken_s or ANCHOR_S, result)

    def throttled(self) -> bool:
        return next(self._throttled, False)


class Scripted:
    """A scenario whose arms take scripted seconds, a little more in each block; keeps what ran, in order."""

    def __init__(self, benchmark: BenchmarkFixture, throttled: tuple[bool, ...] = (), **terms: Any) -> None:
        self.clock = ScriptedClock(iter(throttled))
        self.ran: list[str] = []
        self.checked: list[tuple[str, int]] = []  # arm, and how many calls had been made by then
        fields = {"device": torch.device("cpu"), "dtype": torch.float32, "budget_s": 5.7, "seed": 0, **terms}
        self.paired = Paired(benchmark, self.clock, Terms(**fields))
        self.anchor_calls = 0

    def call(self, arm: str) -> str:
        self.clock.taken_s = SECONDS[arm] * (1 + 0.01 * self.ran.count(arm))
        self.ran.append(arm)
        return f"output of {arm}"

    def check(self, arm: str) -> None:
        self.checked.append((arm, len(self.ran) + self.anchor_calls))

    def anchor(self) -> None:
        self.clock.taken_s += ANCHOR_S
        self.anchor_calls += 1

    def measure(self, **arguments: Any) -> dict[str, str]:
        def scripted_anchor(name: str, *place: Any) -> Callable[[], None]:
            make_anchor(name, *place)  # refuses what it does not know
            return self.anchor

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bench.harness.blocks.make_anchor", scripted_anchor)
            given = {"arms": ARMS, "check": self.check, "metric": TPOT, "anchor": "dispatch", **arguments}
            return self.paired.measure(self.call, **given)

    def samples(self) -> dict[str, list[float]]:
        assert self.paired.measurement is not None
        return {arm: list(values) for arm, values in self.paired.measurement.samples.items()}


@pytest.fixture
def benchmark(benchmark: BenchmarkFixture) -> BenchmarkFixture:
    """Return pytest-benchmark's fixture, enabled even where xdist or the command line disables it."""
    benchmark.disabled = False
    return benchmark


def test_samples_belong_to_the_arms_that_took_them(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark)
    scripted.measure()
    # Two calls of each arm were the warm-up; 5.7 s / (0.6 s * 1.01 + 2 anchors * 0.05 s) = 8 blocks.
    for arm in ARMS:
        assert scripted.samples()[arm] == pytest.approx([SECONDS[arm] * (1 + 0.01 * i) for i in range(2, 10)])
    assert scripted.samples()["anchor"] == pytest.approx([ANCHOR_S] * 8)


@pytest.mark.parametrize("disabled", [False, True])
def test_each_arm_is_checked_once_before_anything_runs(benchmark: BenchmarkFixture, *, disabled: bool) -> None:
    benchmark.disabled = disabled
    scripted = Scripted(benchmark)
    scripted.measure(arms=iter(ARMS))
    assert scripted.checked == [(arm, 0) for arm in ARMS]
    assert set(scripted.ran) == set(ARMS)


@pytest.mark.parametrize("disabled", [False, True])
def test_a_wrong_answer_is_not_timed(benchmark: BenchmarkFixture, *, disabled: bool) -> None:
    def check(arm: str) -> None:
        if arm == "dense":
            raise WrongAnswer("dense: logits at [0, 3] must be within 1e-5 of the oracle's, got 0.3")

    benchmark.disabled = disabled
    scripted = Scripted(benchmark)
    with pytest.raises(WrongAnswer, match=r"dense: logits at \[0, 3\]"):
        scripted.measure(check=check)
    assert (scripted.ran, scripted.anchor_calls, scripted.paired.measurement) == ([], 0, None)
    benchmark.pedantic(int)  # pytest-benchmark warns of a fixture that measured nothing


@pytest.mark.parametrize("disabled", [False, True])
def test_arms_on_different_paths_are_neither_checked_nor_timed(benchmark: BenchmarkFixture, *, disabled: bool) -> None:
    benchmark.disabled = disabled
    scripted = Scripted(benchmark)
    with pytest.raises(ValueError, match="must take one path, got moe: fused, dense: modules; "):
        scripted.measure(paths={"moe": "fused", "dense": "modules"})
    assert (scripted.ran, scripted.checked, scripted.paired.measurement) == ([], [], None)
    benchmark.pedantic(int)  # pytest-benchmark warns of a fixture that measured nothing


def test_the_paths_and_kernels_of_arms_are_kept(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark)
    scripted.measure(paths=dict.fromkeys(ARMS, "fused"), kernels={"moe": "kernels", "dense": "products"})
    assert scripted.paired.measurement is not None
    assert scripted.paired.measurement.paths == dict.fromkeys(ARMS, "fused")
    assert scripted.paired.measurement.kernels == {"moe": "kernels", "dense": "products"}


def test_the_seconds_of_the_checks_are_kept(benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.harness.paired.run_checks", lambda _check, _arms: Checked({}, 1.5))
    scripted = Scripted(benchmark)
    scripted.measure()
    assert scripted.paired.measurement is not None
    assert scripted.paired.measurement.check_s == 1.5


def test_the_seconds_inside_timed_calls_are_counted(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark)
    scripted.measure()
    assert scripted.paired.measurement is not None
    arms_s = sum(SECONDS[arm] * (1 + 0.01 * i) for arm in ARMS for i in range(2, 10))
    assert scripted.paired.measurement.timed_s == pytest.approx(arms_s + 8 * 2 * ANCHOR_S)  # as above


def test_the_anchor_lasts_as_long_as_the_shortest_arm(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark)
    scripted.measure()
    assert scripted.anchor_calls == 2 + 8 * 2  # 0.1 s, the shortest arm's, are two times 0.05 s


def test_a_block_beyond_the_budget_warms_up_once(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark, budget_s=0.5)
    scripted.measure()
    assert scripted.ran.count("moe") == 1 + MIN_BLOCKS


def test_in_a_brief_block_each_arm_is_timed_right_after_an_untimed_call(
    benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.harness.blocks.BRIEF_S", 0.75)  # 0.6 s of arms and two anchors of 0.05 s
    scripted = Scripted(benchmark)
    scripted.measure()
    timed = scripted.ran[2 * len(ARMS) :]  # after the warm-up
    assert timed[::2] == timed[1::2]
    # Calls 2, 4, ... of an arm are not timed; 5.7 s / (0.706 s + 0.656 s untimed, with one anchor) = 4 blocks, so 6.
    for arm in ARMS:
        assert scripted.samples()[arm] == pytest.approx([SECONDS[arm] * (1 + 0.01 * i) for i in range(3, 15, 2)])
    assert scripted.anchor_calls == 2 + 6 * (1 + 2)


def test_pytest_benchmark_times_no_untimed_call(benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.harness.blocks.BRIEF_S", 0.75)
    scripted, inside = Scripted(benchmark), []
    pedantic = benchmark.pedantic

    def counting(timed: Callable[[], None], **arguments: Any) -> Any:
        def counted() -> None:
            before = len(scripted.ran)
            timed()
            inside.append(scripted.ran[before:])

        return pedantic(counted, **arguments)

    monkeypatch.setattr(benchmark, "pedantic", counting)
    scripted.measure()
    assert inside == [["moe"]] * 6


def test_every_block_runs_every_arm_once(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark)
    scripted.measure()
    blocks = [scripted.ran[i : i + 3] for i in range(0, len(scripted.ran), 3)]
    assert all(sorted(block) == sorted(ARMS) for block in blocks)
    assert len({tuple(block) for block in blocks}) > 1


def test_the_benchmark_entry_is_the_moe_arms(benchmark: BenchmarkFixture) -> None:
    Scripted(benchmark).measure()
    assert benchmark.stats is not None
    assert benchmark.stats.stats.rounds == 8


def test_samples_are_per_unit(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark)
    scripted.measure(num_units=10)
    assert scripted.samples()["moe"][0] == pytest.approx(0.3 * 1.02 / 10)


def test_results_are_the_arms_own_without_the_anchor(benchmark: BenchmarkFixture) -> None:
    assert Scripted(benchmark).measure() == {arm: f"output of {arm}" for arm in ARMS}


def test_throttled_blocks_are_voided_in_every_arm(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark, throttled=(False, True, False, True))
    scripted.measure()
    assert scripted.paired.measurement is not None
    assert scripted.paired.measurement.voided == 2
    for arm in ARMS:
        assert scripted.samples()[arm] == pytest.approx([SECONDS[arm] * (1 + 0.01 * i) for i in (2, 4, 6, 7, 8, 9)])
    assert len(scripted.samples()["anchor"]) == 6


def test_a_device_that_was_always_throttled_keeps_its_samples_and_says_so(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark, throttled=(True,) * 8)
    scripted.measure()
    assert scripted.paired.measurement is not None
    assert scripted.paired.measurement.voided == 8
    assert len(scripted.samples()["moe"]) == 8


def test_only_the_injected_arm_is_slowed(benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def stretched(call: Callable[[], object], factor: float, _device: torch.device) -> Callable[[], object]:
        def slow_call() -> object:
            result = call()
            scripted.clock.taken_s *= factor
            return result

        return slow_call

    monkeypatch.setattr("bench.harness.blocks.slowed", stretched)
    scripted = Scripted(benchmark, slowdowns={"dense": 2.0, "dense_reference": 3.0})
    scripted.measure()
    assert scripted.samples()["dense"][0] == pytest.approx(2 * 0.2 * 1.02)
    assert scripted.samples()["moe"][0] == pytest.approx(0.3 * 1.02)


def test_the_garbage_collector_is_still_while_measuring_and_on_again_after_an_error(
    benchmark: BenchmarkFixture,
) -> None:
    seen: list[bool] = []

    def fail_later(_arm: str) -> None:
        seen.append(gc.isenabled())
        if len(seen) > 7:
            raise RuntimeError("out of memory")

    scripted = Scripted(benchmark)
    with pytest.raises(RuntimeError, match="out of memory"):
        scripted.paired.measure(fail_later, arms=ARMS, check=scripted.check, metric=TPOT, anchor="dispatch")
    assert set(seen) == {False}
    assert gc.isenabled()
    assert scripted.paired.measurement is None


def test_unknown_anchor_is_refused_before_anything_runs(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark)
    with pytest.raises(ValueError, match="anchor must be one of"):
        scripted.measure(anchor="copy")
    assert scripted.ran == []
    benchmark.pedantic(int)  # pytest-benchmark warns of a fixture that measured nothing


def test_disabled_benchmark_runs_each_arm_once_and_measures_nothing(
    benchmark: BenchmarkFixture,
) -> None:
    benchmark.disabled = True
    scripted = Scripted(benchmark)
    assert scripted.measure() == {arm: f"output of {arm}" for arm in ARMS}
    assert scripted.ran == list(ARMS)
    assert scripted.paired.measurement is None


def test_counted_values_are_kept_as_they_are(benchmark: BenchmarkFixture) -> None:
    paired = Scripted(benchmark).paired
    counted = {"moe": 100.0, "dense": 300.0}
    assert paired.observe(counted.__getitem__, arms=("moe", "dense"), metric=PEAK_BYTES, facts={"x": 1}) == counted
    assert paired.measurement is not None
    assert paired.measurement.samples == {"moe": [100.0], "dense": [300.0]}
    assert (paired.measurement.anchor, paired.measurement.voided) == ("", 0)


def test_what_is_counted_is_not_kept_where_pytest_benchmark_measures_nothing(benchmark: BenchmarkFixture) -> None:
    benchmark.disabled = True
    paired = Scripted(benchmark).paired
    counted = {"moe": 100.0, "dense": 300.0}
    assert paired.observe(counted.__getitem__, arms=("moe", "dense"), metric=PEAK_BYTES) == counted
    assert paired.measurement is None


PEAKS = {"matmul_flop_per_s": 10.0, "copy_byte_per_s": 10.0}


def floors(**seconds: float) -> dict[str, dict[str, float]]:
    return {arm: {"flops": 10.0 * value, "bytes": 0.0} for arm, value in seconds.items()}


@contextlib.contextmanager
def not_skipped() -> Iterator[None]:
    """Fail where a scenario skips itself: the test would be skipped with it."""
    try:
        yield
    except pytest.skip.Exception as skipped:
        pytest.fail(str(skipped))


def test_floors_that_pass_the_longest_block_skip_before_anything_is_called(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark, peaks=PEAKS, longest_block_s=2.0)
    with pytest.raises(pytest.skip.Exception, match="by its floors a block takes 3 s, 2 are allowed"):
        scripted.measure(costs=floors(moe=0.25, dense=1.0), num_units=2)
    assert (scripted.ran, scripted.checked, scripted.paired.measurement) == ([], [], None)


def test_a_first_call_far_from_its_floor_skips_before_the_checks(benchmark: BenchmarkFixture) -> None:
    """The MoE takes 0.3 s where its floor is 0.1: a block whose floors are 0.7 s takes 2.1."""
    scripted = Scripted(benchmark, peaks=PEAKS, longest_block_s=2.0)
    with pytest.raises(pytest.skip.Exception, match="by its floors and a first call a block takes 2 s, 2 are allowed"):
        scripted.measure(costs=floors(moe=0.1, dense=0.5))
    assert (scripted.ran, scripted.checked) == (["moe"], [])


def test_no_first_call_is_made_of_what_is_brief_by_its_floors(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark, peaks=PEAKS, longest_block_s=2.9)
    with not_skipped():
        scripted.measure(costs=floors(moe=0.1, dense=0.5))
    assert scripted.checked[0] == ("moe", 0)


def test_a_warm_block_that_is_too_long_is_given_up_whatever_its_floors(benchmark: BenchmarkFixture) -> None:
    scripted = Scripted(benchmark, longest_block_s=0.6)
    with pytest.raises(pytest.skip.Exception, match="when warm a block takes 1 s, 1 are allowed"):
        scripted.measure()
    assert len(scripted.checked) == len(ARMS)
    assert scripted.paired.measurement is None
    with not_skipped():
        Scripted(benchmark, longest_block_s=0.8).measure()


def test_what_is_not_timed_is_never_too_long(benchmark: BenchmarkFixture) -> None:
    benchmark.disabled = True
    scripted = Scripted(benchmark, peaks=PEAKS, longest_block_s=0.001)
    with not_skipped():
        scripted.measure(costs=floors(moe=1.0, dense=1.0))
    assert set(scripted.ran) == set(ARMS)
