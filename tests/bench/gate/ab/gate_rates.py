"""How often base against head errs, on simulated suites: a look after every launch, as `ab` does.

    python -m tests.bench.gate.ab.gate_rates [SUITES]

It fills two tables under docs/tables, may be stopped, and goes on where it was: take rows out to have them made anew.
A launch of a scenario is one number an arm: the noise lies between launches, where blocks cannot average it away.
"""

import csv
import functools
import io
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.gate.ab.evidence import Evidence, weigh
from tests.bench.gate.ab.suites import ARMS, FAMILIES, Draw, Floats, changed, effects, panel
from tests.bench.gate.drawn_suites import pool_of_first_schema

DOCS = Path(__file__).parents[4] / "docs"
RECORD, TABLES = DOCS / "records" / "qualify-cpu.json", DOCS / "tables"
Row = dict[str, str]  # column -> cell
LAUNCH_SDS = (0.02, 0.034)  # of a quiet and of a loaded machine
SIZES = (48, 200)  # scenarios
FULL_SUITES = 1000
NUM_LAUNCHES = 28  # 21 real ones
CHANGED_LAUNCHES = 44
CHANGED_SHARE = 5  # a median needs fewer suites than a rate
CHANGED_NOISE = ("normal", "Student 2.5")
MEASURED = "measured launches"
TOLERANCE, EFFECT = math.log(1.05), math.log(1.02)
CHANGES = {  # what is slower, in percent, and where it must be found
    "+30 % of one scenario": {(3, "moe"): 30.0},
    "+10 % of one scenario": {(3, "moe"): 10.0},
    "+5 % of one scenario": {(3, "moe"): 5.0},
    "+5 % of all, MoE": {(None, "moe"): 5.0},
    "+2 % of all, MoE": {(None, "moe"): 2.0},
    "+5 % of all, both arms": {(None, "moe"): 5.0, (None, "dense"): 5.0},
    "+5 % of all, dense": {(None, "dense"): 5.0},
}


class Suite(NamedTuple):
    """What one suite came to, in real launches; infinite for never."""

    slower_SA: Floats  # until an arm of a scenario is REGRESSED
    ok_SA: Floats  # until its tolerance is excluded
    group: float  # until any group is REGRESSED
    covered: float  # share of the intervals, over scenarios, arms and looks, that hold the truth

    @property
    def is_alarm(self) -> bool:
        """Tell whether anything was REGRESSED at any look."""
        return math.isfinite(min(self.group, float(self.slower_SA.min())))


def run_suite(values_LSA: Floats, change_SA: Floats) -> Suite:
    """Look at a suite after every real launch."""
    shape = change_SA.shape
    slower_SA, ok_SA, group, covered = np.full(shape, np.inf), np.full(shape, np.inf), math.inf, []
    for real, evidence in _looks(changed(values_LSA, change_SA)):
        slower_SA = np.where(evidence.is_slower_SA, np.minimum(slower_SA, real), slower_SA)
        ok_SA = np.where(evidence.upper_SA < TOLERANCE, np.minimum(ok_SA, real), ok_SA)
        group = min([group, *(real for one in evidence.groups if one.is_slower)])
        covered.append(np.abs(evidence.estimate_SA - change_SA) <= evidence.half_width_SA)
    return Suite(slower_SA, ok_SA, group, float(np.mean(covered)))


def _looks(values_LSA: Floats) -> Iterator[tuple[int, Evidence]]:
    whole = panel(values_LSA)
    effects_S = np.full(len(whole.scenarios), EFFECT)
    for count in range(3, len(values_LSA) + 1):
        if not whole.is_placebo_L[count - 1]:
            part = panel(values_LSA[:count])
            yield int(np.sum(~part.is_placebo_L)), weigh(part, effects_S)


def suites(
    draw: Draw, num_suites: int, *, num_scenarios: int, sd: float, change: object = None, launches: int = NUM_LAUNCHES
) -> list[Suite]:
    """Draw suites of one family of noise and run them."""
    rng = np.random.default_rng(num_scenarios)
    change_SA = effects(num_scenarios, change or {})  # type: ignore[arg-type]
    shape = (launches, num_scenarios, 2)
    return [run_suite(sd * draw(rng, shape), change_SA) for _ in range(num_suites)]


def alarms(found: Sequence[Suite]) -> float:
    """Return the share of suites with an alarm."""
    return float(np.mean([suite.is_alarm for suite in found]))


def launches_until(found: Sequence[Suite], name: str) -> float:
    """Return the median number of real launches until a change of CHANGES is found where it must be."""
    is_one = "one" in name
    return float(np.median([suite.slower_SA[3, 0] if is_one else suite.group for suite in found]))


def error_row(noise: str, sd: float, size: int, num_suites: int) -> Row:
    """Run suites of unchanged code."""
    is_measured = noise == MEASURED
    found = suites(measured if is_measured else FAMILIES[noise], num_suites, num_scenarios=size, sd=sd)
    return {
        "suites with an alarm": str(sum(suite.is_alarm for suite in found)),
        "launches to OK (median)": f"{np.median([suite.ok_SA for suite in found]):.0f}".replace("inf", "never"),
        # what is true of measured launches is not known to a per mille
        "intervals that hold the truth": "" if is_measured else f"{100 * np.mean([s.covered for s in found]):.1f} %",
    }


def change_row(change: str, noise: str, sd: float, num_suites: int) -> Row:
    """Run suites of slower code."""
    terms = {"num_scenarios": SIZES[0], "sd": sd, "change": CHANGES[change], "launches": CHANGED_LAUNCHES}
    found = suites(FAMILIES[noise], num_suites, **terms)  # type: ignore[arg-type]
    return {"launches until REGRESSED (median)": f"{launches_until(found, change):.0f}"}


def fill(path: Path, rows: Iterable[tuple[Row, Callable[[], Row]]], num_suites: int) -> None:
    """Complete a table: a row that it holds of as many suites stays, the others are made one after another."""
    with path.open(newline="") if path.exists() else io.StringIO() as file:
        known = {tuple(row.values())[: _keys(row)]: row for row in csv.DictReader(file)}
    for key, make in rows:
        row = known.get(tuple(key.values()))
        if row is None or int(row["suites"]) < num_suites:
            known[tuple(key.values())] = {**key, "suites": str(num_suites), **make()}
            print(known[tuple(key.values())], flush=True)  # noqa: T201
            _write(path, list(known.values()))


def _keys(row: Row) -> int:
    """Count the columns that say what a row is about."""
    return list(row).index("suites")


def _write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def error_rows(num_suites: int) -> Iterator[tuple[Row, Callable[[], Row]]]:
    """Yield what each row of the errors is about, and how it is made."""
    noises = [*itertools.product(FAMILIES, LAUNCH_SDS, SIZES), *((MEASURED, 1.0, size) for size in SIZES)]
    for noise, sd, size in noises:
        spread = "as measured" if noise == MEASURED else f"{100 * sd:.1f} %"
        key = {"noise": noise, "spread of a launch": spread, "scenarios": str(size)}
        yield key, functools.partial(error_row, noise, sd, size, num_suites)


def change_rows(num_suites: int) -> Iterator[tuple[Row, Callable[[], Row]]]:
    """Yield what each row of the changes is about, and how it is made."""
    for change, noise, sd in itertools.product(CHANGES, CHANGED_NOISE, LAUNCH_SDS):
        key = {"change": change, "noise": noise, "spread of a launch": f"{100 * sd:.1f} %"}
        yield key, functools.partial(change_row, change, noise, sd, num_suites)


def measured(rng: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    """Draw launches from measured ones, whole: what a launch did to all its scenarios stays together.

    Their spread is 2 % at a load of 1 to 13. Suites of more scenarios than were measured put several launches together.
    """
    pool_LSA = np.array(
        [[[arms[arm] for arm in ARMS] for arms in one.values()] for one in pool_of_first_schema(RECORD)]
    )
    blocks = math.ceil(shape[1] / pool_LSA.shape[1])
    drawn = [pool_LSA[rng.integers(len(pool_LSA), size=shape[0])] for _ in range(blocks)]
    return np.asarray(np.concatenate(drawn, axis=1)[:, : shape[1]])


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else FULL_SUITES
    fill(TABLES / "method-simulated.csv", error_rows(wanted), wanted)
    fill(TABLES / "method-simulated-changes.csv", change_rows(wanted // CHANGED_SHARE), wanted // CHANGED_SHARE)
