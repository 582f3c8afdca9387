"""Tests of measuring a bundle's claims again: when one holds on another day or machine."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.evidence.bundle.archive import unpack
from bench.evidence.bundle.reproduction import Reproduced, judge
from bench.evidence.bundle.tables import reproduced_table
from bench.gate.launch import LaunchFailed
from bench.gate.verdict import Verdict
from bench.harness.record import Record
from tests.bench.evidence.sample_bundles import here, measured, packed, verdicts
from tests.bench.plugin.fake_project import write_package, write_project
from tests.bench.plugin.fresh_pytest import run_module, run_pytest
from tests.bench.sample_records import DENSE, SCENARIOS, document


def test_claims_hold_where_the_ratio_is_the_same_or_better(tmp_path: Path) -> None:
    bundle = unpack(packed(tmp_path))
    assert verdicts(bundle, here()) == [Verdict.OK] * 2
    assert verdicts(bundle, here(dense=1.5)) == [Verdict.OK] * 2


def test_a_claim_does_not_hold_where_the_moe_is_slower_than_the_tolerance_allows(tmp_path: Path) -> None:
    bundle = unpack(packed(tmp_path))
    assert verdicts(bundle, here(dense=1 / 1.3)) == [Verdict.REGRESSED] * 2
    said = reproduced_table(judge(bundle, here(dense=1 / 1.3)))
    assert "does not hold" in said
    assert said.endswith("2 claims: 2 do not hold")


def test_a_single_launch_condemns_nothing(tmp_path: Path) -> None:
    assert verdicts(unpack(packed(tmp_path)), here(dense=1 / 1.3, num_launches=1)) == [Verdict.INCONCLUSIVE] * 2


def test_on_another_kind_of_machine_the_direction_alone_counts(tmp_path: Path) -> None:
    bundle = unpack(packed(tmp_path))
    kind = {**document()["moevlm"]["kind"], "device_model": "Other"}
    assert verdicts(bundle, here(dense=1.2, kind=kind)) == [Verdict.OK] * 2  # slower still: 1.67 times
    assert verdicts(bundle, here(dense=3.0, kind=kind)) == [Verdict.REGRESSED] * 2
    assert verdicts(bundle, here(dense=2.0, kind=kind)) == [Verdict.INCONCLUSIVE] * 2


def test_what_was_not_measured_is_missing(tmp_path: Path) -> None:
    assert verdicts(unpack(packed(tmp_path)), None) == [Verdict.MISSING] * 2


def test_what_one_launch_found_wrong_is_wrong_and_the_rest_is_judged(tmp_path: Path) -> None:
    bundle = unpack(packed(tmp_path))
    alone = here(num_launches=1)
    first = replace(alone, scenarios={SCENARIOS[1]: alone.scenarios[SCENARIOS[1]]}, wrong={SCENARIOS[0]: "got 0.3"})
    rest = [Record.from_document(document(f"n{i}")) for i in range(2)]
    for script in ([first, *rest], [*rest, first]):
        joined = measured(bundle, *script)
        assert verdicts(bundle, joined) == [Verdict.WRONG, Verdict.OK]
        assert judge(bundle, joined)[0].why == "got 0.3"


def test_what_was_found_wrong_after_one_launch_does_not_leave_the_others_undecided(tmp_path: Path) -> None:
    bundle = unpack(packed(tmp_path))
    slow = [
        here(dense=1 / 1.3, num_launches=1),
        Record.from_document(document("n", dense=tuple(s / 1.3 for s in DENSE))),
    ]
    last = replace(slow[1], scenarios={SCENARIOS[1]: slow[1].scenarios[SCENARIOS[1]]}, wrong={SCENARIOS[0]: "got 0.3"})
    out_of_time = LaunchFailed("out of time", Verdict.INCONCLUSIVE)
    assert verdicts(bundle, measured(bundle, slow[0], last, out_of_time)) == [Verdict.WRONG, Verdict.REGRESSED]


def test_several_launches_are_judged_together(tmp_path: Path) -> None:
    bundle = unpack(packed(tmp_path))
    script = [
        Record.from_document(document(f"n{i}", dense=tuple(f * s for s in DENSE))) for i, f in enumerate((1, 1, 0.5))
    ]
    joined = measured(bundle, *script)
    assert joined is not None
    assert joined.scenarios[SCENARIOS[0]].launch_ids == ("n0", "n1", "n2")
    assert verdicts(bundle, joined) == [Verdict.OK] * 2  # two of three: the third met a bad moment


def test_a_launch_that_fails_ends_the_measurement_with_what_there_is(tmp_path: Path) -> None:
    bundle = unpack(packed(tmp_path))
    partial = Record.from_document(document("partial"))
    joined = measured(bundle, here(num_launches=1), LaunchFailed("out of time", Verdict.INCONCLUSIVE, partial))
    assert joined is not None
    assert joined.scenarios[SCENARIOS[0]].launch_ids == ("h0", "partial")
    assert measured(bundle, LaunchFailed("it died", Verdict.FAILED)) is None


def test_the_table_says_by_how_much_a_speed_up_may_fall(tmp_path: Path) -> None:
    found = judge(unpack(packed(tmp_path)), here())[0]
    assert found.change is not None
    change = replace(found.change, tolerance=math.log(2))
    doubled = Reproduced(claim=found.claim, verdict=Verdict.OK, here=found.here, change=change)
    assert "| 50 % " in reproduced_table([doubled])


@pytest.mark.long
def test_a_shipped_bundle_holds_on_an_unchanged_tree_and_fails_on_a_slower_one(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    for number in range(2):
        assert run_pytest(folder, "bench", f"--record=r{number}.json", "--compare=off").code == 0
    done = run_module(folder, "bench", "bundle", "r0.json", "r1.json", "--out=claims.tar.gz")
    assert done.code == 0, done.said
    assert "2.00 times slower" in done.said
    again = ("reproduce", "claims.tar.gz", "--launches=2")
    holds = run_module(folder, "bench", *again)
    assert holds.code == 0, holds.said
    assert "4 claims: 4 hold" in holds.said
    write_package(folder, {size: {"moe": 1.3} for size in (1, 2, 3, 4)})
    bench = folder / "bench" / "bench_x.py"
    bench.write_text(
        bench.read_text().replace(
            "def check(arm):", "def check(arm):\n        if size == 2: raise WrongAnswer('got 0.3')"
        )
    )
    wrong = run_module(folder, "bench", *again)
    assert wrong.code == 17, wrong.said
    assert "4 claims: 3 do not hold, 1 WRONG" in wrong.said
    assert "got 0.3" in wrong.said
