"""Tests of bundles: what a record claims, what an archive keeps, and when a claim holds on another day or machine."""

import gzip
import io
import json
import math
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.harness import __main__ as commands
from bench.harness import record
from bench.harness.bundle.archive import OPTIONS, Bundle, pack, unpack
from bench.harness.bundle.claims import claims_of
from bench.harness.bundle.reproduction import Reproduced, judge, measure
from bench.harness.bundle.tables import reproduced_table
from bench.harness.launch import Launcher, LaunchFailed
from bench.harness.record import CorruptRecord, Record
from bench.harness.stats import mean_interval
from bench.harness.verdict import Verdict
from fixtures.options import OPTIONS as SCENARIO_OPTIONS
from tests.harness.fake_project import write_package, write_project
from tests.harness.fresh_pytest import run_module, run_pytest
from tests.harness.sample_records import DENSE, FINGERPRINT, SCENARIOS, document

ARGUMENTS = {"arguments": ["--scale=tiny"]}
SPREAD = (0.99, 1.0, 1.01, 1.0)  # of the launches' dense arms


def launches(*, dense: float = 1.0, options: Any = ARGUMENTS, **header: Any) -> dict[str, Any]:
    """Return a record of four launches, in which MoE takes about twice as long as dense."""
    return record.merge(
        [
            document(f"l{i}", dense=tuple(dense * factor * s for s in DENSE), options=options, **header)
            for i, factor in enumerate(SPREAD)
        ]
    )


def packed(folder: Path, **changes: Any) -> Path:
    path = folder / "claims.tar.gz"
    pack(launches(**changes), path, "claims")
    return path


def here(*, dense: float = 1.0, num_launches: int = 3, **header: Any) -> Record:
    """Return what was measured here: launches that differ by one percent."""
    documents = [
        document(f"h{i}", dense=tuple(dense * (1 + 0.01 * i) * s for s in DENSE), **header) for i in range(num_launches)
    ]
    return Record.from_document(record.merge(documents) if num_launches > 1 else documents[0])


def verdicts(bundle: Bundle, measured: Record | None) -> list[Verdict]:
    return [one.verdict for one in judge(bundle, measured)]


@dataclass(frozen=True, kw_only=True)
class Scripted(Launcher):
    """A launcher that returns what is on its list."""

    script: list[Record | LaunchFailed] = field(default_factory=list)

    def measure(self, node_ids: Sequence[str], *, timeout_s: float) -> Record:  # noqa: ARG002  # the script knows
        found = self.script.pop(0)
        if isinstance(found, LaunchFailed):
            raise found
        return found


def measured(bundle: Bundle, *script: Record | LaunchFailed) -> Record | None:
    launcher = Scripted(root=Path(), options=(), script=list(script))
    return measure(bundle, launcher, launches=3, deadline=time.monotonic() + 60, note=lambda _text: None)


def test_a_claim_is_the_other_arms_time_over_the_moes() -> None:
    claim = claims_of(Record.from_document(launches()))[0]
    assert claim.speedup.estimate == pytest.approx(0.5, rel=0.02)
    half = (
        3.182 * 0.00817 / 2
    )  # Student's quantile at three degrees of freedom, sd of SPREAD's logarithms, four launches
    assert (claim.speedup.low, claim.speedup.high) == pytest.approx((0.5 - half / 2, 0.5 + half / 2), rel=0.002)
    assert claim.num_launches == 4
    assert claim.verdict == "supported"
    assert (
        str(claim)
        == "the MoE is 2.00 times slower than dense of equal total parameters in bench_decode: scale tiny, batch size 1"
    )


def test_an_interval_that_holds_1_leaves_a_claim_undecided() -> None:
    assert claims_of(Record.from_document(launches(dense=2.0)))[0].verdict == "undecided"


def test_an_archive_gives_back_claims_and_command(tmp_path: Path) -> None:
    bundle = unpack(packed(tmp_path))
    assert [claim.scenario for claim in bundle.claims] == list(SCENARIOS)
    assert bundle.node_ids[SCENARIOS[0]] == f"bench/bench_tiny.py::{SCENARIOS[0]}"
    assert bundle.options == ["--scale=tiny"]


@pytest.mark.parametrize("word", ["--override-ini=log_file=/tmp/x", "-p", "--scale", "--inject=moe=0.1", "--record=x"])
def test_options_that_are_not_the_scenarios_are_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(CorruptRecord, match="scenarios and their options alone"):
        packed(tmp_path, options={"arguments": ["--scale=tiny", word]})


@pytest.mark.parametrize("file", ["-p/x.py", "/tmp/x.py", "../x.py", "bench/../../x.py", "x.txt"])
def test_scenarios_outside_of_the_folder_are_refused(tmp_path: Path, file: str) -> None:
    record_of = launches()
    for entry in record_of["benchmarks"]:
        entry["fullname"] = f"{file}::{entry['name']}"
    with pytest.raises(CorruptRecord, match="scenarios and their options alone"):
        pack(record_of, tmp_path / "claims.tar.gz", "claims")


def test_all_options_of_scenarios_are_known() -> None:
    assert list(SCENARIO_OPTIONS) == [f"--{name}" for name in OPTIONS]


def test_the_same_record_makes_the_same_bytes(tmp_path: Path) -> None:
    first, second = packed(tmp_path).read_bytes(), packed(tmp_path).read_bytes()
    assert first == second


def test_an_archive_names_commit_environment_and_hashes(tmp_path: Path) -> None:
    with tarfile.open(packed(tmp_path)) as archive:
        manifest = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr]
    assert manifest["environment"] == FINGERPRINT
    assert manifest["command"][:3] == ["python", "-m", "pytest"]
    assert manifest["claims"][0]["verdict"] == "supported"
    assert set(manifest["sha256"]) == {"record.json", "claims.md"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {}}, "must say with which options"),
        ({"injected": {"moe": 1.3}}, "must not be a rehearsal"),
    ],
)
def test_a_record_that_supports_nothing_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        packed(tmp_path, **changes)


def test_a_single_launch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must hold 2 launches or more"):
        pack(document(options=ARGUMENTS), tmp_path / "x.tar.gz", "")


def test_a_changed_file_is_corrupt(tmp_path: Path) -> None:
    path = packed(tmp_path)
    tar = bytearray(gzip.decompress(path.read_bytes()))
    tar[tar.rindex(b"claims", 0, len(tar))] ^= 1  # the text of claims.md
    path.write_bytes(gzip.compress(bytes(tar)))
    with pytest.raises(CorruptRecord, match=r"another claims\.md"):
        unpack(path)


def test_a_flipped_bit_is_refused_unless_it_says_nothing(tmp_path: Path) -> None:
    path = packed(tmp_path)
    known = unpack(path)
    whole = path.read_bytes()
    for place in range(10, len(whole), len(whole) // 60):  # behind gzip's header, whose time and name may be anything
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            found = unpack(path)
        except (CorruptRecord, ValueError):
            continue
        assert (found.claims, found.node_ids, found.options) == (known.claims, known.node_ids, known.options)


@pytest.mark.parametrize("content", [b"", b"not an archive", gzip.compress(b"x" * 512, mtime=0)])
def test_what_is_no_archive_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"^.*x\.tar\.gz must be an archive that `bundle` wrote, got another file; .*$"
    ):
        unpack(path)


def test_an_archive_that_was_cut_short_is_corrupt(tmp_path: Path) -> None:
    path = packed(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CorruptRecord, match="must be a bundle"):
        unpack(path)


def test_an_archive_without_a_record_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("manifest.json"), io.BytesIO())
    with pytest.raises(CorruptRecord, match=r"record\.json"):
        unpack(path)


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


@pytest.mark.parametrize("num_launches", [2, 3, 8])
def test_no_effect_is_supported_in_five_of_a_hundred(num_launches: int) -> None:
    values = np.random.default_rng(0).normal(0.0, 0.05, (4000, num_launches))
    wrong = [interval.low > 0 or interval.high < 0 for interval in map(mean_interval, values.tolist())]
    assert np.mean(wrong) == pytest.approx(0.05, abs=0.012)


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
    doubled = Reproduced(claim=found.claim, verdict=Verdict.OK, here=found.here, tolerance=math.log(2))
    assert "| 50 % " in reproduced_table([doubled])


def test_bad_files_end_with_their_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"x")
    assert commands.main(["reproduce", str(tmp_path / "none.tar.gz")]) == 13
    assert commands.main(["reproduce", str(tmp_path / "x.tar.gz")]) == 4
    path = packed(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    assert commands.main(["reproduce", str(path)]) == 14
    assert commands.main(["reproduce", str(packed(tmp_path)), "--launches=0"]) == 4
    assert "--launches must be at least 1, got 0" in capsys.readouterr().err


@pytest.mark.long
def test_a_shipped_bundle_holds_on_an_unchanged_tree_and_fails_on_a_slower_one(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    for number in range(2):
        assert run_pytest(folder, "bench", f"--record=r{number}.json", "--compare=off").code == 0
    done = run_module(folder, "bench.harness", "bundle", "r0.json", "r1.json", "--out=claims.tar.gz")
    assert done.code == 0, done.said
    assert "2.00 times slower" in done.said
    again = ("reproduce", "claims.tar.gz", "--launches=2")
    holds = run_module(folder, "bench.harness", *again)
    assert holds.code == 0, holds.said
    assert "4 claims: 4 hold" in holds.said
    write_package(folder, {size: {"moe": 1.3} for size in (1, 2, 3, 4)})
    slower = run_module(folder, "bench.harness", *again)
    assert slower.code == 10, slower.said
    assert "4 claims: 4 do not hold" in slower.said
    bench = folder / "bench" / "bench_x.py"
    bench.write_text(
        bench.read_text().replace(
            "def check(arm):", "def check(arm):\n        if size == 2: raise WrongAnswer('got 0.3')"
        )
    )
    wrong = run_module(folder, "bench.harness", *again)
    assert wrong.code == 17, wrong.said
    assert "4 claims: 3 do not hold, 1 WRONG" in wrong.said
    assert "got 0.3" in wrong.said
