"""Tests of opening the baseline: of this kind of machine, of another one, corrupt, or not there."""

from pathlib import Path

import pytest

from bench.gate.baseline import NoBaseline, OpenBaseline, open_baseline
from bench.gate.verdict import Verdict
from bench.harness import record
from bench.harness.backends import Backend
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


@pytest.mark.parametrize(("name", "other"), [("os", "Linux 99"), ("python", "3.13.0")])
def test_another_system_is_the_same_kind_but_not_the_same_fingerprint(baselines: Path, name: str, other: str) -> None:
    found = open_baseline(baselines, None, record_of(fingerprint={**FINGERPRINT, name: other}))
    assert isinstance(found, OpenBaseline)
    assert not found.same_fingerprint


def with_kernels(tmp_path: Path, *backend: object) -> Path:
    """Write a baseline of launches that ran on these kernels."""
    path = tmp_path / "kernels.json"
    launches = [document(f"l{i}", backends={"cpu_kernels": list(backend)}) for i in range(8)]
    record.write(path, record.merge(launches))
    return path


def test_another_library_is_not_comparable_and_says_what_to_do(baselines: Path) -> None:
    found = open_baseline(baselines, None, record_of(fingerprint={**FINGERPRINT, "torch": "2.13.1"}))
    assert isinstance(found, NoBaseline)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert f"torch: {FINGERPRINT['torch']} / 2.13.1; measure on what the baseline ran on, or promote" in found.why


def test_what_was_timed_otherwise_is_not_comparable(baselines: Path) -> None:
    """Records that tell nothing of their timing are of the first."""
    found = open_baseline(baselines, None, record_of(timing=2))
    assert isinstance(found, NoBaseline)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "timing 1, now 2" in found.why


COMPILED, LOST = Backend(("generic", "dot")), Backend((), "a C++ compiler must be there")


@pytest.mark.parametrize(
    ("kernels", "found", "verdict"),
    [
        ((["generic", "dot"], ""), COMPILED, None),
        (([], "none"), LOST, None),
        ((["generic", "dot"], ""), LOST, Verdict.FAILED),
        ((["generic", "dot", "tiles"], ""), COMPILED, Verdict.FAILED),
        ((["generic"], ""), COMPILED, Verdict.NOT_COMPARABLE),
        (([], "none"), COMPILED, Verdict.NOT_COMPARABLE),
    ],
)
def test_a_run_on_other_kernels_is_no_slower_code(
    tmp_path: Path, kernels: tuple[object, ...], found: Backend, verdict: Verdict | None
) -> None:
    opened = open_baseline(tmp_path, with_kernels(tmp_path, *kernels), record_of(backends={"cpu_kernels": found}))
    assert (opened.verdict if isinstance(opened, NoBaseline) else None) is verdict


def test_a_run_that_lost_its_kernels_fails_against_a_baseline_that_tells_of_none(baselines: Path) -> None:
    found = open_baseline(baselines, None, record_of(backends={"cpu_kernels": LOST}))
    assert isinstance(found, NoBaseline)
    assert found.verdict is Verdict.FAILED
    assert "this run runs without cpu_kernels, of which the baseline tells nothing: a C++ compiler" in found.why
    assert isinstance(open_baseline(baselines, None, record_of(backends={"cpu_kernels": COMPILED})), OpenBaseline)


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
