"""Tests of coverage: counts that a reader can do, and the share where the variances are known."""

import math

import numpy as np
import pytest
from msgspec import structs

from bench.harness.record import Launch, Scenario
from bench.pages.coverage import Held, coverage, coverage_rows, overall
from bench.pages.results.families import Family, families_of
from tests.bench.pages.sample_gains import scenario
from tests.bench.sample_records import record_of

NUM_CELLS, NUM_LAUNCHES, NUM_BLOCKS = 40, 8, 12


def cell(log_ratios: np.ndarray, batch: int = 1, benchmark: str = "bench_decode") -> Scenario:
    """Return a scenario whose dense arm takes e^these of the MoE's seconds, (launches, blocks)."""
    one = scenario(1.0, 2.0, batch=batch, benchmark=benchmark)
    factors = {"moe": np.ones_like(log_ratios), "dense": np.exp(log_ratios), "anchor": np.ones_like(log_ratios)}
    arms = {
        name: structs.replace(
            one.arms[name],
            launches=tuple(Launch(id=f"l{i}", samples=tuple(map(float, row)), voided=0) for i, row in enumerate(rows)),
        )
        for name, rows in factors.items()
    }
    return Scenario(id=one.id, arms=arms)


def families(*cells: Scenario) -> list[Family]:
    return families_of([record_of(*cells)])


def simulated(launch_sd: float, block_sd: float, *, scale: np.ndarray | None = None) -> list[Held]:
    rng = np.random.default_rng(7)
    spread = launch_sd * (np.ones(NUM_CELLS) if scale is None else scale)
    effects = rng.normal(0, 1, (NUM_CELLS, NUM_LAUNCHES)) * spread[:, None]
    drawn = effects[:, :, None] + rng.normal(0, block_sd, (NUM_CELLS, NUM_LAUNCHES, NUM_BLOCKS))
    return coverage(families(*(cell(one, batch=number + 1) for number, one in enumerate(drawn))))


@pytest.mark.parametrize(("launch_sd", "block_sd"), [(0.03, 0.02), (0.005, 0.05), (0.1, 0.001)])
def test_where_launches_spread_normally_about_95_of_100_fall_inside(launch_sd: float, block_sd: float) -> None:
    found = simulated(launch_sd, block_sd)
    assert {(held.num_launches, held.asked) for held in found} == {(8, 56 * 5)}
    share = overall(found)
    assert 0.93 <= share.estimate <= 0.99
    assert share.low < share.estimate < share.high <= 1.0


def test_cells_of_unlike_spread_are_held_to_their_own_too() -> None:
    assert overall(simulated(0.02, 0.005, scale=np.geomspace(0.3, 3.0, NUM_CELLS))).estimate >= 0.9


def test_every_three_launches_are_asked_for_each_of_the_rest() -> None:
    """Four launches, one far off: the three others never reach it, and with it among three all are inside."""
    far = np.array([[0.0], [0.01], [0.02], [5.0]]).repeat(2, axis=1)
    (held,) = coverage(families(cell(far)))
    assert held == Held("bench_decode[7b-b1-s1024]", "dense", 4, 3, 4)
    assert coverage_rows([held]) == [("bench_decode[7b-b1-s1024]", "dense", "4", "3 of 4 (75 %)")]


def test_a_cells_own_launches_do_not_widen_its_interval_by_the_spread_of_others() -> None:
    """The typical spread is of the other cells: were it a cell's own, that of the restless one would hold itself."""
    calm = np.linspace(0, 1e-4, 5)[:, None].repeat(2, axis=1)
    restless = np.array([0.0, 1e-4, 2e-4, 3e-4, 0.2])[:, None].repeat(2, axis=1)
    found = coverage(families(*(cell(calm, batch=number) for number in (1, 2, 3)), cell(restless, batch=4)))
    assert [held.share == 1.0 for held in found] == [True, True, True, False]


def test_cells_of_three_launches_or_fewer_tell_nothing() -> None:
    assert coverage(families(cell(np.zeros((3, 6))))) == []


def test_one_cell_has_a_share_without_an_interval() -> None:
    assert overall([Held("a", "dense", 4, 3, 4)]) == (0.75, -math.inf, math.inf)
