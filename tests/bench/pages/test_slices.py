"""Tests of the line from a few layers to the whole model: its value, its error, floors and speed-ups along it."""

import pytest
from msgspec import structs

from bench.harness.record import Launch
from bench.pages.slices import Slices, fit, speedup
from tests.bench.pages.sample_gains import PEAKS, arm


def slices(values: dict[int, float], *, full_depth: int = 16, costs: dict[int, object] | None = None) -> Slices:
    costs = costs or {}
    series = [arm("moe", value, "s", cost=costs.get(depth)) for depth, value in values.items()]
    return Slices(tuple(values), series, full_depth)


def whole(seconds: float, **fields: object) -> Slices:
    return Slices((), [arm("moe", seconds, "s", **fields)], 0)


def test_a_straight_line_is_met_exactly() -> None:
    line, error = fit({1: 3.0, 2: 5.0, 4: 9.0})
    assert (line.at(32), error) == (65.0, 0.0)  # 1 + 2 * 32


def test_the_error_is_that_at_the_depth_which_did_not_carry_the_line() -> None:
    line, error = fit({1: 3.0, 2: 4.0, 4: 9.0})
    assert line.at(4) == 9.0
    assert error == pytest.approx(5.0 / 4.0 - 1)


def test_of_several_depths_between_the_worst_error_is_shown() -> None:
    _, error = fit({1: 1.0, 2: 2.0, 3: 2.0, 5: 5.0})
    assert error == pytest.approx(0.5)


def test_two_depths_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"needs 3 depths, got \[1, 4\]; give --depth 1,2,4"):
        fit({4: 1.0, 1: 1.0})


def test_a_whole_model_is_what_was_measured_without_error() -> None:
    assert whole(2.0).value() == pytest.approx((2.0, 0.0))


def test_the_floor_is_of_the_slower_resource() -> None:
    assert whole(2.0, cost={"flops": 50.0, "bytes": 40.0}).floor_s(PEAKS) == pytest.approx(4.0)  # 0.5 s, 4 s
    assert whole(2.0).floor_s(PEAKS) is None


def test_the_floor_adds_up_parts_whose_work_grows_with_the_depth() -> None:
    """0.5 s of FLOPs that do not grow, and half a second of bytes a layer."""

    def cost(depth: int) -> dict[str, object]:
        parts = [[50.0, 1.0], [10.0 * depth, 5.0 * depth]]
        return {"flops": 50.0 + 10.0 * depth, "bytes": 1.0 + 5.0 * depth, "parts": parts}

    found = slices(dict.fromkeys((1, 2, 4), 1.0), costs={depth: cost(depth) for depth in (1, 2, 4)})
    assert found.floor_s(PEAKS) == pytest.approx(8.5)


def test_slices_are_extrapolated_to_full_depth_and_then_divided() -> None:
    """Models need not have equally many layers: 1 + 2 * 32 s over 1 + 0.5 * 16 s."""
    found = speedup(slices({1: 3.0, 2: 5.0, 4: 9.0}, full_depth=32), slices({1: 1.5, 2: 2.0, 4: 3.0}))
    assert found.estimate == pytest.approx(65.0 / 9.0)
    assert 0.95 * found.estimate < found.low <= found.estimate <= found.high < 1.05 * found.estimate


def test_the_interval_of_slices_holds_what_their_blocks_leave_open_to_both_sides() -> None:
    """The deepest slice's blocks lie between 8 and 10 s, and with them the line at 16 layers between 28 and 38 s."""
    dense, moe = slices({1: 3.0, 2: 5.0, 4: 9.0}), slices({1: 1.5, 2: 2.0, 4: 3.0})
    blocks = Launch(id="l", samples=tuple(8.0 + 0.4 * block for block in range(6)), voided=0)
    scattered = dense._replace(series=[*dense.series[:2], structs.replace(dense.series[2], launches=(blocks,))])
    found = speedup(scattered, moe)
    assert 28.0 / 9.3 < found.low < 0.97 * found.estimate
    assert 1.03 * found.estimate < found.high < 38.5 / 8.7


def test_a_whole_models_speed_up_is_of_its_blocks() -> None:
    assert speedup(whole(5.0), whole(2.0)) == pytest.approx((2.5, 2.5, 2.5))
