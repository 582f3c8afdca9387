"""Tests of promoting records to be a baseline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.gate import ledger, promotion
from bench.gate.promotion import PromotionRefused
from bench.harness import record
from bench.harness.environment import kind_key
from bench.harness.record import CorruptRecord
from tests.bench.sample_records import BASELINE_NAME, DENSE, FINGERPRINT, SCENARIOS, changed, document

WRONG = [{"scenario": "bench_x[1]", "why": "dense: got 0.3"}]
EIGHT = [f"launch-{i}" for i in range(8)]


def write_all(folder: Path, documents: Sequence[dict[str, Any]]) -> list[Path]:
    paths = [folder / f"{i}.json" for i in range(len(documents))]
    for path, one in zip(paths, documents, strict=True):
        record.write(path, one)
    return paths


def promote(folder: Path, documents: Sequence[dict[str, Any]], reason: str = "first figures") -> Path:
    paths = write_all(folder / "records", documents)
    return promotion.promote(paths, folder, ledger.Stamp(reason, "c0ffee", "2026-01-01", "v1"))


def eight(**header: Any) -> list[dict[str, Any]]:
    return [document(launch_id, **header) for launch_id in EIGHT]


def test_baseline_keeps_every_launch_and_says_why_it_is_there(tmp_path: Path) -> None:
    view = record.load(promote(tmp_path, eight()))
    assert view.scenarios[SCENARIOS[1]].launch_ids == tuple(EIGHT)
    expected = {"reason": "first figures", "commit": "c0ffee", "date": "2026-01-01", "release": "v1", "launches": 8}
    assert view.promotion == expected
    assert not (tmp_path / ledger.NAME).exists()


REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "seven launches": (eight()[:7], "launches must be 8 or more, got 7"),
    "injected slowdown": (eight(injected={"moe": 1.3}), r"rehearsed slowdowns \(moe x 1.3\)"),
    "wrong answers": (
        eight(complete=False, wrong=WRONG),
        r"right answers, got in .*0\.json bench_x\[1\]: dense: got 0\.3",
    ),
    "a baseline made of wrong answers": (
        [*eight(), record.merge([document(f"m{i}", complete=False, wrong=WRONG) for i in (0, 1)])],
        r"right answers, got in .*8\.json bench_x\[1\]",
    ),
    "incomplete": (eight(complete=False), "a record must be complete"),
    "filtered": (eight(filtered=True), "a record must hold every scenario"),
    "no memory": (
        eight(not_fitting=[{"scenario": "bench_x[1]", "reason": "needs 9 GiB"}]),
        r"what it was asked for, got no memory for bench_x\[1\] in .*0\.json",
    ),
    "no scenarios": ([changed(one, "benchmarks", value=[]) for one in eight()], "must hold scenarios, got none"),
    "other machine": (
        [*eight(), document("x", fingerprint={**FINGERPRINT, "os": "other"})],
        "one machine and installation, got os: absent / other",
    ),
    "other kernels": (
        [*eight(backends={"k": [["a"], ""]}), document("x", backends={"k": [[], "no compiler"]})],
        "one machine and installation, got k: .*no compiler",
    ),
    "other kind": ([*eight(), document("x", kind={**kind_key(FINGERPRINT), "device": "cuda"})], "one kind of machine"),
    "same launch": ([*eight(), document(EIGHT[0])], "a launch must be there once"),
    "throttled": (
        [changed(one, "benchmarks", 0, "extra_info", "moevlm", "launches", 0, "voided", value=2) for one in eight()],
        r"fit machine, got 2 throttled blocks in bench_decode\[tiny-b1\]",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_become_a_baseline_is_refused(tmp_path: Path, name: str) -> None:
    documents, message = REFUSED[name]
    with pytest.raises(PromotionRefused, match=message):
        promote(tmp_path, documents)
    assert not (tmp_path / BASELINE_NAME).exists()


def test_reason_must_say_something(tmp_path: Path) -> None:
    with pytest.raises(PromotionRefused, match="a reason must say why"):
        promote(tmp_path, eight(), reason="  ")


def test_accepted_slowdown_goes_into_the_ledger(tmp_path: Path) -> None:
    promote(tmp_path, eight(dense=tuple(1.1 * sample for sample in DENSE)))
    promote(tmp_path, eight(), reason="safer router")
    entries = ledger.read(tmp_path)
    assert [(e.scenario, e.reason, e.release, e.baseline) for e in entries] == [
        (scenario, "safer router", "v1", BASELINE_NAME) for scenario in SCENARIOS
    ]
    assert entries[0].new / entries[0].old == pytest.approx(1.1, rel=1e-5)


def test_a_slowdown_that_cannot_be_entered_leaves_the_old_baseline(tmp_path: Path) -> None:
    path = promote(tmp_path, eight(dense=tuple(1.1 * sample for sample in DENSE)))
    before = path.read_bytes()
    (tmp_path / ledger.NAME).write_text("{")
    with pytest.raises(CorruptRecord):
        promote(tmp_path, eight(), reason="safer router")
    assert path.read_bytes() == before


def test_a_corrupt_baseline_is_not_replaced_unseen(tmp_path: Path) -> None:
    path = promote(tmp_path, eight())
    path.write_text("{")
    with pytest.raises(CorruptRecord):
        promote(tmp_path, eight())
    assert path.read_text() == "{"
