"""Tests of reading, checking, sealing, writing and merging records."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.harness import record
from bench.harness.environment import kind_key
from bench.harness.record import CorruptRecord, Record
from fixtures.programs.errors import RecordWriteError
from tests.bench.plugin.fresh_pytest import outside_xdist
from tests.bench.sample_records import DENSE, FINGERPRINT, MOE, SCENARIOS, changed, document, primary_entry

OURS = ("benchmarks", 0, "extra_info", "moevlm")
WRONG = [{"scenario": "bench_x[1]", "why": "dense: got 0.3"}]
TIMED = [{**WRONG[0], "scenario": SCENARIOS[0]}]
SAMPLES = (*OURS, "launches", 0, "samples")

BROKEN: dict[str, tuple[tuple[str | int, ...], object, str]] = {
    "schema from the future": (("moevlm", "schema_version"), 2, "schema_version must be 1, got 2"),
    "no header": (("moevlm",), None, "moevlm must be object, got None"),
    "no fingerprint": (("moevlm", "fingerprint"), [], r"moevlm.fingerprint must be object, got \[\]"),
    "benchmarks no list": (("benchmarks",), {}, "benchmarks must be list, got {}"),
    "entry no object": (("benchmarks", 0), 7, r"benchmarks\[0\] must be object, got 7"),
    "entry of another plugin": ((*OURS[:-1],), {}, "must have moevlm, got no moevlm"),
    "unknown metric": ((*OURS, "metric"), "speed", "metric must be one of .* got 'speed'"),
    "cost that is no number": ((*OURS, "cost"), {"flops": "many"}, "cost.flops must be number, got 'many'"),
    "parts of the cost that are no list": ((*OURS, "cost"), {"parts": 1}, "cost.parts must be list, got 1"),
    "part of three": (
        (*OURS, "cost"),
        {"parts": [[1, 2, 3]]},
        r"parts\[0\] must be list of length 2 at most, got \[1, 2, 3\]",
    ),
    "part without bytes": (
        (*OURS, "cost"),
        {"parts": [[1, None]]},
        r"parts\[0\]\[1\] must be number, got None",
    ),
    "peak that is infinite": (
        ("moevlm", "peaks", "x"),
        float("1e999"),
        "peaks.x must be a finite number of at most 64 bits, got inf",
    ),
    "wrong answers that are no list": (("moevlm", "wrong"), {}, "moevlm.wrong must be list, got {}"),
    "wrong answer without a reason": (
        ("moevlm", "wrong"),
        [{"scenario": "x"}],
        r"wrong\[0\] must have why, got no why",
    ),
    "wrong answer in a complete record": (("moevlm", "wrong"), WRONG, r"must be false .*, got true with bench_x\[1\]"),
    "wrong answer that was timed": (
        ("moevlm", "wrong"),
        TIMED,
        r"no scenario that has samples, got bench_decode\[tiny",
    ),
    "backends that are no object": (("moevlm", "backends"), [], r"moevlm.backends must be object, got \[\]"),
    "backend without a reason": (
        ("moevlm", "backends"),
        {"x": [["a"]]},
        r"backends.x must be list of length 2, got \[\['a'\]\]",
    ),
    "no units": ((*OURS, "num_units"), 0, "num_units must be integer of 1 or more, got 0"),
    "no launches": ((*OURS, "launches"), [], r"launches must be one or more with different ids, got \[\]"),
    "no samples": (SAMPLES, [], "samples must be one or more unless blocks were voided"),
    "infinite sample": (
        SAMPLES,
        [float("1e999"), 1, 1],
        r"samples\[0\] must be a finite number of at most 64 bits, got inf",
    ),
    "sample that is no number": (SAMPLES, [float("nan"), 1, 1], "must hold finite numbers, got NaN"),
    "negative sample": (SAMPLES, [-1.0, 1, 1], r"samples\[0\] must be number above 0, got -1.0"),
    "zero sample": (SAMPLES, [0, 1, 1], r"samples\[0\] must be number above 0, got 0"),
    "text sample": (SAMPLES, ["fast", 1, 1], r"samples\[0\] must be number, got 'fast'"),
    "true sample": (SAMPLES, [True, 1, 1], r"samples\[0\] must be number, got True"),
    "arm of fewer blocks": (SAMPLES, [1.0], "must hold the same launches and blocks"),
    "arm of another launch": ((*OURS, "launches", 0, "id"), "other", "must hold the same launches and blocks"),
    "path that is no text": ((*OURS, "path"), 1, "path must be string, got 1"),
    "duplicate arm": (("benchmarks", 1, "extra_info", "moevlm", "arm"), "moe", "once, got bench_decode.* moe twice"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record.json"


def by_operators(sealed: dict[str, Any]) -> dict[str, Any]:
    """Say that the MoE of the first scenario was run by operators, of the dense twin nothing."""
    return changed(sealed, *OURS, "path", value="fused")


def test_what_is_written_is_what_is_read(path: Path) -> None:
    sealed = document()
    record.write(path, sealed)
    assert record.read(path) == sealed
    assert sorted(p.name for p in path.parent.iterdir()) == ["record.json"]


def test_the_parts_of_a_cost_are_read_as_they_were_written() -> None:
    cost = {"flops": 3.0, "bytes": 5.0, "parts": [[1.0, 2.0], [2, 3.0]]}
    view = record.Record.from_document(changed(document(), *OURS, "cost", value=cost))
    assert view.scenarios[SCENARIOS[0]].arms["moe"].cost == cost


def test_view_holds_arms_launches_and_samples(path: Path) -> None:
    record.write(path, document())
    view = record.load(path)
    assert tuple(view.scenarios) == SCENARIOS
    decode = view.scenarios[SCENARIOS[0]]
    assert list(decode.arms) == ["moe", "dense", "anchor"]
    assert decode.launch_ids == ("launch-0",)
    assert decode.arms["moe"].launches[0].samples == MOE
    assert decode.arms["dense"].launches[0].samples == DENSE
    assert decode.arms["dense"].cost == {"flops": 4e6, "bytes": 4e6}
    assert decode.arms["anchor"].cost is None
    assert view.path == path
    assert not view.filtered
    assert view.promotion is None


def test_the_path_of_an_arm_is_read_and_old_records_have_none() -> None:
    assert "path" not in document()["benchmarks"][0]["extra_info"]["moevlm"]
    arms = Record.from_document(by_operators(document())).scenarios[SCENARIOS[0]].arms
    assert {name: arm.path for name, arm in arms.items()} == {"moe": "fused", "dense": "", "anchor": ""}
    told = record.arm_entry(primary_entry("x", "a"), arm="dense", launches=[], path="fused", kernel="products")
    assert told["extra_info"]["moevlm"]["path"] == "fused"
    assert told["extra_info"]["moevlm"]["kernel"] == "products"


def test_launches_on_different_kernels_are_not_joined() -> None:
    one = document(launch_id="one")
    other = changed(document(launch_id="two"), *OURS, "kernel", value="products")
    with pytest.raises(ValueError, match=r"must hold the same arms and inputs, got .*products"):
        record.merge([one, other])


def test_a_record_of_arms_on_different_paths_is_corrupt_so_no_ratio_is_told(path: Path) -> None:
    both = changed(by_operators(document()), "benchmarks", 1, "extra_info", "moevlm", "path", value="modules")
    path.write_text(json.dumps(both))
    rule = r"must hold arms of bench_decode\[tiny-b1\] that took one path, got moe: fused, dense: modules"
    with pytest.raises(CorruptRecord, match=rule):
        record.read(path)


def test_wrong_answers_are_read_with_their_reasons_and_old_records_have_none() -> None:
    assert Record.from_document(document(complete=False, wrong=WRONG)).wrong == {"bench_x[1]": "dense: got 0.3"}
    assert "wrong" not in document()["moevlm"]
    assert Record.from_document(document()).wrong == {}


def test_missing_file_is_not_corrupt(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        record.read(path)


def test_a_folder_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(CorruptRecord, match="must be a file, got a folder"):
        record.read(tmp_path)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_document_is_corrupt_and_says_why(path: Path, name: str) -> None:
    keys, value, message = BROKEN[name]
    path.write_text(json.dumps(changed(document(), *keys, value=value)).replace("Infinity", "1e999"))
    with pytest.raises(CorruptRecord, match=message) as error:
        record.read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).endswith("measure it again, or restore the file from version control")


@pytest.mark.parametrize("field", ["fingerprint", "kind", "launch", "peaks", "injected", "complete", "not_fitting"])
def test_missing_header_field_is_corrupt(path: Path, field: str) -> None:
    sealed = document()
    del sealed["moevlm"][field]
    path.write_text(json.dumps(sealed))
    with pytest.raises(CorruptRecord, match=f"got no {field}"):
        record.read(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "null", "{", "[" * 100_000, '{"moevlm": NaN}', '{"moevlm": {"schema_version": 1}}', "\x00"]
)
def test_text_that_is_no_record_is_corrupt(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(CorruptRecord):
        record.read(path)


def test_bytes_that_are_no_text_are_corrupt(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptRecord, match="must be UTF-8"):
        record.read(path)


def test_one_changed_sample_breaks_the_checksum(path: Path) -> None:
    path.write_text(json.dumps(changed(document(), *SAMPLES, value=[0.003, *MOE[1:]])))
    with pytest.raises(CorruptRecord, match="the checksum must be that of the content"):
        record.read(path)


def test_truncated_file_is_corrupt_wherever_it_ends(path: Path) -> None:
    record.write(path, document())
    whole = path.read_bytes()
    for size in range(0, len(whole.rstrip()), 50):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptRecord):
            record.read(path)


def test_checksum_survives_another_programs_formatting(path: Path) -> None:
    path.write_text(json.dumps(document(), indent=4, sort_keys=True))
    assert record.read(path)


def test_a_launch_that_was_throttled_throughout_is_valid() -> None:
    sealed = document(dense=())
    for entry in sealed["benchmarks"]:
        entry["extra_info"]["moevlm"]["launches"][0].update(samples=[], voided=3)
    view = Record.from_document(sealed)
    assert view.scenarios[SCENARIOS[0]].arms["moe"].launches[0].voided == 3


def test_seal_refuses_numbers_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="a record must hold finite numbers only"):
        record.seal(changed(document(), "moevlm", "peaks", value={"matmul_flop_per_s": float("nan")}))


def test_seal_turns_what_is_not_json_into_text() -> None:
    sealed = record.seal(changed(document(), "moevlm", "options", value={"device": Path("a"), "depths": (1, 2)}))
    assert sealed["moevlm"]["options"] == {"device": "a", "depths": [1, 2]}


def test_failed_write_leaves_the_old_record(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record.write(path, document("old"))

    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RecordWriteError, match=r"record.json must be writable, got .*No space left.*; free disk space"):
        record.write(path, document("new"))
    assert record.load(path).launch["id"] == "old"
    assert sorted(p.name for p in path.parent.iterdir()) == ["record.json"]


def test_only_what_is_not_sealed_is_sealed_anew() -> None:
    whole = document()
    assert record.sealed(whole) is whole
    edited = {**whole, "version": "none"}
    assert record.sealed(edited) is not edited
    record.check_seal(record.sealed(edited))
    told = record.sealed({**whole, "by": Path("here")})  # another plugin's, and no JSON
    assert told["by"] == "here"
    record.check_seal(told)


def test_arm_entry_has_its_own_name_and_samples_and_no_statistics_of_the_moes() -> None:
    primary = primary_entry("bench_decode[x]", "a")
    launches = [{"id": "a", "samples": [1.0, 2.0, 6.0], "voided": 0}]
    entry = record.arm_entry(primary, arm="dense", launches=launches)
    assert (entry["name"], entry["fullname"]) == ("bench_decode[x]:dense", f"{primary['fullname']}:dense")
    assert entry["extra_info"]["moevlm"]["arm"] == "dense"
    assert "stats" not in entry
    (timed,) = record.parted([entry])["benchmarks"]
    assert timed["stats"]["mean"] == 32 * 3.0  # of calls, each of 32 units
    assert (timed["stats"]["min"], timed["stats"]["median"], timed["stats"]["rounds"]) == (32.0, 64.0, 3)
    assert primary["extra_info"]["moevlm"]["arm"] == "moe"


def test_statistics_of_no_blocks_are_zeros_that_other_tools_can_read() -> None:
    entry = record.arm_entry(primary_entry("x", "a"), arm="dense", launches=[{"id": "a", "samples": [], "voided": 3}])
    (timed,) = record.parted([entry])["benchmarks"]
    assert (timed["stats"]["mean"], timed["stats"]["rounds"], timed["stats"]["data"]) == (0, 0, [])


def test_merge_joins_the_launches_and_rounds_samples() -> None:
    third = (1 / 3, 1 / 3, 1 / 3)
    peaks = [{"matmul_flop_per_s": p, "copy_byte_per_s": 1.0} for p in (1.0, 2.0, 9.0)]
    merged = record.merge([document(f"l{i}", dense=third, peaks=p) for i, p in enumerate(peaks)])
    view = Record.from_document(merged)
    for scenario in view.scenarios.values():
        assert scenario.launch_ids == ("l0", "l1", "l2")
        assert {s for launch in scenario.arms["dense"].launches for s in launch.samples} == {0.333333}
    assert view.peaks["matmul_flop_per_s"] == 2.0
    assert [header["id"] for header in merged["moevlm"]["launch_headers"]] == ["l0", "l1", "l2"]
    assert merged["benchmarks"][1]["stats"]["rounds"] == 9


def test_merged_records_merge_again(path: Path) -> None:
    again = record.merge([record.merge([document("a"), document("b")]), document("c")])
    record.write(path, again)
    assert record.load(path).scenarios[SCENARIOS[0]].launch_ids == ("a", "b", "c")
    assert [header["id"] for header in again["moevlm"]["launch_headers"]] == ["a", "b", "c"]


def test_what_one_launch_found_wrong_is_left_out_of_all(path: Path) -> None:
    wrong = [{"scenario": SCENARIOS[1], "why": "dense: got 0.3"}]
    second = without_last_scenario(document("b", complete=False, wrong=wrong))
    merged = record.merge([document("a"), second])
    record.write(path, merged)
    view = record.load(path)
    assert list(view.scenarios) == [SCENARIOS[0]]
    assert view.scenarios[SCENARIOS[0]].launch_ids == ("a", "b")
    assert (view.complete, view.wrong) == (False, {SCENARIOS[1]: "dense: got 0.3"})
    again = Record.from_document(record.merge([merged, document("c")]))
    assert (list(again.scenarios), dict(again.wrong)) == ([SCENARIOS[0]], dict(view.wrong))


def without_last_scenario(sealed: dict[str, Any]) -> dict[str, Any]:
    return changed(sealed, "benchmarks", value=sealed["benchmarks"][:3])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (document("a"), r"a launch must be there once, got a twice in bench_decode\[tiny-b1\]"),
        (
            document("b", kind={**kind_key(FINGERPRINT), "device": "cuda"}),
            "one kind of machine, got device: cpu / cuda",
        ),
        (without_last_scenario(document("b")), r"same arms and inputs, got bench_prefill\[tiny-b1\] moe: .* / absent"),
        (changed(document("b"), *OURS, "hashes", value={}), r"same arms and inputs, got bench_decode\[tiny-b1\] moe"),
        (document("b", timing=2), "timed alike, got timing 1 and 2"),
        (by_operators(document("b")), r"same arms and inputs, got bench_decode\[tiny-b1\] moe: .*''.* / .*'fused'"),
    ],
    ids=["same launch", "other kind", "scenario missing", "other inputs", "other timing", "other path"],
)
def test_merge_refuses_what_does_not_belong_together(other: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        record.merge([document("a"), other])


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one or more, got none"):
        record.merge([])


def run_module(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=cwd, env=outside_xdist(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_pytest_benchmark_compares_our_files(tmp_path: Path) -> None:
    (tmp_path / "test_sum.py").write_text("def test_sum(benchmark):\n    benchmark.pedantic(sum, ([1],), rounds=3)\n")
    run_module("pytest", "-q", "-p", "no:cacheprovider", "--benchmark-json=plain.json", "test_sum.py", cwd=tmp_path)
    plain = json.loads((tmp_path / "plain.json").read_text())
    primary = plain["benchmarks"][0]
    primary["extra_info"] = primary_entry("test_sum", "a")["extra_info"]
    dense = record.arm_entry(primary, arm="dense", launches=[{"id": "a", "samples": list(DENSE), "voided": 0}])
    ours = {**plain, **record.parted([primary, dense]), "moevlm": document()["moevlm"]}
    record.write(tmp_path / "one.json", ours)
    record.write(tmp_path / "merged.json", record.merge([ours]))
    assert {tuple(sorted(entry["stats"])) for entry in ours["benchmarks"]} == {tuple(sorted(primary["stats"]))}
    for name in ("one.json", "merged.json"):
        table = run_module("pytest_benchmark", "compare", name, cwd=tmp_path)
        rows = [line.split()[0] for line in table.splitlines() if line.startswith("test_sum")]
        assert sorted(rows) == ["test_sum", "test_sum:dense"], table
