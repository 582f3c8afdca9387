"""Tests of the harness's options: what they become, and what makes no sense is a usage error."""

import re

import pytest

from bench.harness.options import DEFAULT_SCENARIO_BUDGET_S, DEFAULT_TIME_BUDGET_S, Options, read_options


def options(pytestconfig: pytest.Config, *arguments: str) -> Options:
    config = pytest.Config.fromdictargs({}, [])
    config.option = pytestconfig._parser.parse(["--device=cpu", *arguments])
    return read_options(config)


def test_budgets_are_times_with_a_unit_or_plain_seconds(pytestconfig: pytest.Config) -> None:
    given = options(pytestconfig, "--time-budget=20m", "--scenario-budget=0.2")
    assert (given.time_budget_s, given.scenario_budget_s) == (1200.0, 0.2)
    usual = options(pytestconfig)
    assert (usual.time_budget_s, usual.scenario_budget_s) == (DEFAULT_TIME_BUDGET_S, DEFAULT_SCENARIO_BUDGET_S)


def test_slowdowns_are_factors_by_arm(pytestconfig: pytest.Config) -> None:
    assert options(pytestconfig, "--inject=moe=1.3,dense=2").slowdowns == {"moe": 1.3, "dense": 2.0}
    assert options(pytestconfig).slowdowns == {}


def test_too_few_blocks_are_refused_with_rule_and_remedy(pytestconfig: pytest.Config) -> None:
    with pytest.raises(pytest.UsageError, match="--min-blocks must be at least 1, got 0; 6 give a median its interval"):
        options(pytestconfig, "--min-blocks=0")


@pytest.mark.parametrize(
    ("argument", "rule"),
    [
        ("--inject=moe=0.5", "must be ARM=FACTOR,... with factors from 1 to 100, got 'moe=0.5'"),
        ("--time-budget=0", "a time must be above 0, in s, m or h, like 90s or 20m, got '0'"),
        ("--scenario-budget=nan", "a time must be above 0, in s, m or h, like 90s or 20m, got 'nan'"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_the_options_name(
    pytestconfig: pytest.Config, argument: str, rule: str
) -> None:
    with pytest.raises(pytest.UsageError, match=re.escape(f"argument {argument.split('=')[0]}: {rule}")):
        options(pytestconfig, argument)
