"""Tests of bundles: what a record claims, and what an archive keeps."""

import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import __main__ as commands
from bench.evidence.bundle.archive import pack, unpack
from bench.evidence.bundle.claims import claims_of
from bench.gate.stats import mean_interval
from bench.harness.record import CorruptRecord, Record
from tests.bench.evidence.sample_bundles import ARGUMENTS, launches, packed
from tests.bench.sample_records import FINGERPRINT, SCENARIOS, document


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
        (
            {"complete": False, "wrong": [{"scenario": "bench_x[1]", "why": "dense: got 0.3"}]},
            r"must be of right answers, got bench_x\[1\]: dense: got 0\.3; mend the code",
        ),
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
    with pytest.raises(CorruptRecord, match=r"another of claims\.md"):
        unpack(path)


@pytest.mark.parametrize("num_launches", [2, 8])
def test_no_effect_is_supported_in_five_of_a_hundred(num_launches: int) -> None:
    values = np.random.default_rng(0).normal(0.0, 0.05, (4000, num_launches))
    wrong = [interval.low > 0 or interval.high < 0 for interval in map(mean_interval, values.tolist())]
    assert np.mean(wrong) == pytest.approx(0.05, abs=0.012)


def test_bad_files_end_with_their_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"x")
    assert commands.main(["reproduce", str(tmp_path / "none.tar.gz")]) == 13
    assert commands.main(["reproduce", str(tmp_path / "x.tar.gz")]) == 14
    path = packed(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    assert commands.main(["reproduce", str(path)]) == 14
    assert commands.main(["reproduce", str(packed(tmp_path)), "--launches=0"]) == 4
    assert "--launches must be at least 1, got 0" in capsys.readouterr().err
