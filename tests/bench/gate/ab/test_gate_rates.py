"""How often the decision errs, on few suites of each kind of noise; a thousand of each: gate_rates.py."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from tests.bench.gate.ab.gate_rates import CHANGES, Row, alarms, fill, launches_until, measured, suites
from tests.bench.gate.ab.suites import FAMILIES

NUM_SUITES, SMALL = 12, 24
# medians of real launches that a change may take, at a launch sd of 2 % and of 3.4 %
MOST_LAUNCHES = {
    "+30 % of one scenario": (2, 2),
    "+10 % of one scenario": (4, 7),
    "+5 % of one scenario": (10, 20),
    "+5 % of all, MoE": (4, 5),
    "+5 % of all, dense": (6, 8),
    "+5 % of all, both arms": (6, 8),
    "+2 % of all, MoE": (8, 14),
}


def test_unchanged_suites_raise_no_alarm_at_any_look() -> None:
    for family in ("normal", "Student 2.5", "sticky states of 6 % either way"):
        assert alarms(suites(FAMILIES[family], 5, num_scenarios=SMALL, sd=0.02, launches=16)) == 0


def test_suites_of_measured_launches_raise_no_alarm() -> None:
    assert alarms(suites(measured, 4, num_scenarios=SMALL, sd=1.0, launches=16)) == 0


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_unchanged_suites_of_each_family_raise_no_alarm_at_any_look(family: str) -> None:
    found = suites(FAMILIES[family], NUM_SUITES, num_scenarios=SMALL, sd=0.02)
    # 5 % of suites at most: two of twelve come of it once in fifty runs, and the seed is fixed
    assert alarms(found) <= 1 / NUM_SUITES


@pytest.mark.parametrize("family", ["Student 2.5", "half of it shared by a launch"])
def test_printed_intervals_hold_the_truth_at_every_look(family: str) -> None:
    change = {(3, "moe"): 10.0, (None, "dense"): 3.0}
    found = suites(FAMILIES[family], 4, num_scenarios=SMALL, sd=0.02, change=change, launches=14)
    assert sum(suite.covered for suite in found) / len(found) >= 0.93


@pytest.mark.parametrize(("sd", "most"), [(0.02, 5), (0.034, 9)])
def test_an_unchanged_scenario_is_ok_after_few_launches(sd: float, most: int) -> None:
    found = suites(FAMILIES["normal"], 5, num_scenarios=SMALL, sd=sd, launches=14)
    assert np.median([suite.ok_SA for suite in found]) <= most


@pytest.mark.long
@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("place", [0, 1])
def test_a_change_is_found_after_few_launches(name: str, place: int) -> None:
    sd, most = (0.02, 0.034)[place], MOST_LAUNCHES[name][place]
    found = suites(
        FAMILIES["normal"], 9, num_scenarios=48, sd=sd, change=CHANGES[name], launches=math.ceil(1.5 * most) + 6
    )
    assert launches_until(found, name) <= most


def test_a_table_is_filled_where_it_lacks_rows_or_suites(tmp_path: Path) -> None:
    path, made = tmp_path / "rates.csv", []

    def rows(names: str) -> list[tuple[Row, object]]:
        def make(name: str) -> Row:
            made.append(name)
            return {"found": name.upper()}

        return [({"noise": name}, lambda name=name: make(name)) for name in names]

    fill(path, rows("ab"), 10)  # type: ignore[arg-type]
    fill(path, rows("abc"), 10)  # type: ignore[arg-type]
    fill(path, rows("b"), 20)  # type: ignore[arg-type]
    assert made == ["a", "b", "c", "b"]
    with path.open(newline="") as file:
        assert [tuple(row.values()) for row in csv.DictReader(file)] == [
            ("a", "10", "A"),
            ("b", "20", "B"),
            ("c", "10", "C"),
        ]
