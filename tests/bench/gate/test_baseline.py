"""Tests of opening the baseline: of this kind of machine, of another one, corrupt, or not there."""

from pathlib import Path

import pytest

from bench.gate.baseline import OpenBaseline, open_baseline
from bench.gate.verdict import Verdict
from bench.harness import record
from bench.harness.environment import kind_key
from tests.bench.sample_records import BASELINE_NAME, FINGERPRINT, document, record_of

RUN = record_of()
OTHER_RUN = record_of(kind={**kind_key(FINGERPRINT), "device_model": "another CPU"})


@pytest.fixture
def baselines(tmp_path: Path) -> Path:
    record.write(tmp_path / BASELINE_NAME, record.merge([document(f"l{i}") for i in range(8)]))
    return tmp_path


def test_the_baseline_of_this_kind_of_machine_is_found(baselines: Path) -> None:
    found = open_baseline(baselines, None, RUN)
    assert isinstance(found, OpenBaseline)
    assert (found.record.path, found.same_fingerprint) == (baselines / BASELINE_NAME, True)
    assert set(found.typical) == {"timed:arm", "timed:anchor"}


@pytest.mark.parametrize(("name", "other"), [("os", "Linux 99"), ("transformers", "5.24.0"), ("python", "3.13.0")])
def test_another_kernel_or_software_is_the_same_kind_but_not_the_same_fingerprint(
    baselines: Path, name: str, other: str
) -> None:
    found = open_baseline(baselines, None, record_of(fingerprint={**FINGERPRINT, name: other}))
    assert isinstance(found, OpenBaseline)
    assert not found.same_fingerprint


def test_another_kind_of_machine_is_missing_when_searched(baselines: Path) -> None:
    found = open_baseline(baselines, None, OTHER_RUN)
    assert found.verdict is Verdict.MISSING
    assert "python -m bench baseline" in found.why


def test_another_kind_of_machine_is_not_comparable_when_named(baselines: Path) -> None:
    found = open_baseline(baselines, baselines / BASELINE_NAME, OTHER_RUN)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "device_model: Acme(R) Core 6-1-2 avx2 / another CPU" in found.why


@pytest.mark.parametrize("named", [True, False])
def test_a_truncated_baseline_is_corrupt(baselines: Path, named: bool) -> None:
    path = baselines / BASELINE_NAME
    path.write_bytes(path.read_bytes()[:-100])
    found = open_baseline(baselines, path if named else None, RUN)
    assert found.verdict is Verdict.CORRUPT
    assert str(path) in found.why


def test_a_named_file_that_does_not_exist_is_missing(tmp_path: Path) -> None:
    found = open_baseline(tmp_path, tmp_path / "absent.json", RUN)
    assert found.verdict is Verdict.MISSING
    assert "absent.json does not exist" in found.why


def test_one_launch_has_no_spread_to_judge_by(tmp_path: Path) -> None:
    record.write(tmp_path / "single.json", document())
    found = open_baseline(tmp_path, tmp_path / "single.json", RUN)
    assert found.verdict is Verdict.MISSING
    assert "must hold two launches or more" in found.why
