"""Tests of the ledger of accepted slowdowns."""

import math
from pathlib import Path

import pytest

from bench.gate import ledger
from bench.gate.ledger import Moved, Slowdown, Stamp
from bench.harness.record import CorruptRecord, Record, Scenario
from tests.bench.sample_records import SCENARIOS, changed, document

STAMP = Stamp(reason="why", commit="c0ffee", date="2026-01-01", release="v1")


def slowdown(old: float, new: float, **fields: str) -> Slowdown:
    log_ratio = abs(math.log(new / old))
    words = {"scenario": "s", "control": "moe/dense", "baseline": "x.json", **STAMP._asdict(), **fields}
    return Slowdown(old=old, new=new, log_ratio=log_ratio, **words)


def decode(dense: tuple[float, ...]) -> Scenario:
    return Record.from_document(document(dense=dense)).scenarios[SCENARIOS[0]]


def test_ratio_is_that_of_the_same_blocks() -> None:
    assert ledger.value_of(decode((0.001, 0.00105, 0.00095))) == pytest.approx(2.0)


def test_only_what_became_slower_is_listed() -> None:
    old, faster = Record.from_document(document()), Record.from_document(document(dense=(0.002, 0.002, 0.002)))
    assert ledger.slowdowns(old, faster, "x.json", STAMP) == []
    found = ledger.slowdowns(faster, old, "x.json", STAMP)
    assert [entry.scenario for entry in found] == list(SCENARIOS)
    assert found[0].log_ratio == pytest.approx(math.log(ledger.value_of(decode((0.001, 0.0011, 0.0009))) / 1.0))
    assert (found[0].reason, found[0].commit) == ("why", "c0ffee")


def test_other_inputs_are_another_scenario() -> None:
    old = document(dense=(0.002, 0.002, 0.002))
    new = changed(document(), "benchmarks", 0, "extra_info", "moevlm", "hashes", value={"workload": "other"})
    found = ledger.slowdowns(Record.from_document(old), Record.from_document(new), "x.json", STAMP)
    assert [entry.scenario for entry in found] == [SCENARIOS[1]]


def test_other_outputs_of_the_same_inputs_are_the_same_scenario() -> None:
    same = {"workload": "abc", "routing": "def", "output": "another rounding"}
    old = document(dense=(0.002, 0.002, 0.002))
    new = changed(document(), "benchmarks", 0, "extra_info", "moevlm", "hashes", value=same)
    found = ledger.slowdowns(Record.from_document(old), Record.from_document(new), "x.json", STAMP)
    assert [entry.scenario for entry in found] == list(SCENARIOS)


def test_one_percent_ten_times_is_seen() -> None:
    entries = [slowdown(1.01**i, 1.01 ** (i + 1)) for i in range(10)]
    found = ledger.accepted_since(entries, baseline="x.json", release="v1")
    assert found == {"s": Moved(pytest.approx(10 * math.log(1.01)))}


def test_what_became_faster_in_between_counts_back() -> None:
    entries = [slowdown(1.0, 1.1), slowdown(1.0, 1.05)]
    found = ledger.accepted_since(entries, baseline="x.json", release="v1")
    assert found == {"s": Moved(pytest.approx(math.log(1.05)))}


def accuracy(moe: float, dense: float) -> Record:
    ours = document(dense=(dense,) * 3)
    for entry in ours["benchmarks"]:
        found = entry["extra_info"]["moevlm"]
        found["metric"] = "accuracy"
        if found["arm"] == "moe":
            found["launches"][0]["samples"] = [moe] * 3
    return Record.from_document(ours)


def test_of_accuracy_the_models_own_loss_is_followed_and_told_in_points() -> None:
    old, new = accuracy(0.8, 0.5), accuracy(0.72, 0.4)  # beside a dense model that lost more
    entries = ledger.slowdowns(old, new, "x.json", STAMP)
    seen = [(one.control, one.old, one.new) for one in entries]
    assert seen == [("moe", pytest.approx(0.8), pytest.approx(0.72))] * 2
    found = ledger.accepted_since(entries, baseline="x.json", release="v1")
    assert [str(one) for one in found.values()] == ["-8.0 points"] * 2
    assert ledger.slowdowns(new, accuracy(0.72, 0.8), "x.json", STAMP) == []  # the dense model became better


def test_a_share_is_not_added_to_a_ratio() -> None:
    entries = [slowdown(1.0, 1.5), slowdown(0.8, 0.72, control="moe")]
    found = ledger.accepted_since(entries, baseline="x.json", release="v1")
    assert found == {"s": Moved(pytest.approx(math.log(0.8 / 0.72)), 0.8)}


def test_other_releases_and_machines_have_their_own_sum() -> None:
    entries = [slowdown(1.0, 2.0, release="v0"), slowdown(1.0, 3.0, baseline="y.json")]
    assert ledger.accepted_since(entries, baseline="x.json", release="v1") == {}


def test_entries_are_appended(tmp_path: Path) -> None:
    assert ledger.read(tmp_path) == []
    ledger.append(tmp_path, [slowdown(1.0, 1.1)])
    ledger.append(tmp_path, [slowdown(1.1, 1.2)])
    assert ledger.read(tmp_path) == [slowdown(1.0, 1.1), slowdown(1.1, 1.2)]


@pytest.mark.parametrize("text", ["{", "7", '[{"scenario": "s"}]'])
def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ledger.NAME).write_text(text)
    with pytest.raises(CorruptRecord, match="restore it from version control"):
        ledger.append(tmp_path, [])
