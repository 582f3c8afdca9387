"""Tests of the bias of recycling: recycled over whole within a block, over launches, and as rows."""

import math

import pytest

from bench.harness.record import ArmSeries, Launch, Scenario
from bench.pages.recycling import bias_rows, bias_values, biases
from tests.bench.pages.sample_gains import arm
from tests.bench.sample_records import record_of

NAME = "bench_recycled[7b-mmmu-uniform-b1-s640-decode]"
WHOLE = (
    (1.0, 2.0, 4.0, 1.0, 2.0, 4.0),
    (3.0, 1.0, 2.0, 3.0, 1.0, 2.0),
)  # by launch: what disturbs a block


def series(name: str, *factors: float) -> ArmSeries:
    """Return an arm that takes so many times as long as the whole model, by launch."""
    launches = [
        Launch(id=f"l{number}", samples=tuple(factor * seconds for seconds in blocks), voided=0)
        for number, (factor, blocks) in enumerate(zip(factors, WHOLE, strict=False))
    ]
    plain = arm(name, 1.0, NAME)
    return ArmSeries(**{field: getattr(plain, field) for field in plain.__struct_fields__} | {"launches": launches})


def compared(**factors: tuple[float, ...]) -> Scenario:
    names = {name.replace("_", "/"): by_launch for name, by_launch in factors.items()}
    return Scenario(id=NAME, arms={name: series(name, *by_launch) for name, by_launch in names.items()})


def test_a_bias_is_of_the_same_blocks_of_the_arms_own_whole_model() -> None:
    made = compared(moe=(1.0,), dense=(5.0,), moe_of2=(1.02,), dense_of4=(4.95,), anchor=(0.5,))
    found = biases(record_of(made))
    assert [(bias.arm, bias.built, bias.num_launches, bias.num_blocks) for bias in found] == [
        ("moe", (2,), 1, 6),
        ("dense", (4,), 1, 6),
    ]
    assert [math.exp(bias.log_ratio.estimate) for bias in found] == pytest.approx([1.02, 0.99])
    assert all(bias.log_ratio.high - bias.log_ratio.low < 1e-9 for bias in found)


def test_several_launches_give_the_interval_of_another_one() -> None:
    (bias,) = biases(record_of(compared(moe=(1.0, 1.0), moe_of2=(1.01, 1.03))))
    assert math.exp(bias.log_ratio.estimate) == pytest.approx(math.sqrt(1.01 * 1.03))
    assert bias.log_ratio.high - bias.log_ratio.low > 2 * math.log(1.03 / 1.01)


def test_rows_say_what_recycling_changes_in_percent_and_a_table_in_shares() -> None:
    found = biases(record_of(compared(moe=(1.0,), moe_of2=(1.02,))))
    assert bias_rows(found) == [(NAME, "moe", "2", "+2.0 % [+2.0, +2.0]", "1, 6")]
    (row,) = bias_values(found)
    assert row.pop("longer_than_whole_by") == pytest.approx((0.02, 0.02, 0.02))
    named = {"scenario": NAME, "arm": "moe", "distinct_layers_or_depths": "2"}
    assert row == {**named, "launches": 1, "blocks": 6}


def test_other_records_have_none() -> None:
    plain = compared(moe=(1.0,), dense=(2.0,), transformers_eager=(3.0,))
    assert biases(record_of(plain)) == []
