"""Tests of the commands on records."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as commands
from bench.harness import record
from bench.harness.environment import kind_key
from tests.bench.sample_records import BASELINE_NAME, DENSE, FINGERPRINT, SCENARIOS, document


@pytest.fixture(autouse=True)
def repository_without_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.commands.promote.git_says", lambda *words: "" if "--tags" in words else "c0ffee")


def promote(folder: Path, num_launches: int, **fields: Any) -> int:
    paths = [folder / "records" / f"{i}.json" for i in range(num_launches)]
    for i, path in enumerate(paths):
        record.write(path, document(f"launch-{i}", **fields))
    return commands.main(["promote", *map(str, paths), "--reason", "because", "--baselines", str(folder)])


def test_promote_says_where_the_baseline_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert promote(tmp_path, 8) == 0
    said = capsys.readouterr().out
    commit = f"git add {tmp_path} && git commit -m 'Baseline: because'"
    assert f"promoted {tmp_path / BASELINE_NAME}; commit it on its own: {commit}" in said
    assert "no slowdown was accepted so far" in said
    promotion = record.load(tmp_path / BASELINE_NAME).promotion
    assert promotion is not None
    assert (promotion["reason"], promotion["commit"], promotion["launches"]) == ("because", "c0ffee", 8)


def test_promote_shows_what_slowdowns_add_up_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for factor in (1.21, 1.1, 1.0):
        assert promote(tmp_path, 8, dense=tuple(factor * sample for sample in DENSE)) == 0
    assert "+21.0 %  bench_decode[tiny-b1]" in capsys.readouterr().out


def test_refusal_ends_4_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert promote(tmp_path, 7) == 4
    assert "launches must be 8 or more, got 7; run the suite again" in capsys.readouterr().err


def test_missing_record_ends_13(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["promote", str(tmp_path / "absent.json"), "--reason", "x"]) == 13
    said = capsys.readouterr().err
    assert said == f"error: {tmp_path / 'absent.json'} must exist, got no such file; check the path\n"


def test_ctrl_c_ends_130_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.commands.report.run", interrupted)
    assert commands.main(["report", str(tmp_path / "r.json")]) == 130
    assert capsys.readouterr().err == "interrupted: nothing more is judged; finished files are kept\n"


@pytest.mark.parametrize("command", ["campaign --scale=tiny --out=x", "qualify", "baseline --reason=x", "ab --base=x"])
def test_an_interrupted_measurement_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    def interrupted(_options: object) -> int:
        raise KeyboardInterrupt

    name, *arguments = command.split()
    monkeypatch.setattr(f"bench.commands.{name}.run", interrupted)
    assert commands.main([name, *arguments]) == 130
    said = capsys.readouterr().err
    assert said.startswith("interrupted: ")
    assert said.endswith("run it again\n" if name == "ab" else "kept; the same command goes on\n")


def test_corrupt_record_ends_14(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text("{")
    assert commands.main(["promote", str(tmp_path / "r.json"), "--reason", "x"]) == 14
    assert "must be readable JSON" in capsys.readouterr().err


def test_directory_that_cannot_be_written_ends_16(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{i}.json" for i in range(8)]
    for i, path in enumerate(paths):
        record.write(path, document(f"launch-{i}"))
    arguments = ["promote", *map(str, paths), "--reason", "x", "--baselines", str(paths[0])]
    assert commands.main(arguments) == 16
    assert "must be writable" in capsys.readouterr().err


def test_a_reason_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main(["promote", "r.json"])
    assert ended.value.code == 4
    assert "--reason" in capsys.readouterr().err


def compare(folder: Path, num_launches: int, *options: str, **fields: Any) -> int:
    """Compare records of launches with the baseline in a folder."""
    paths = [folder / f"new-{i}.json" for i in range(num_launches)]
    for i, path in enumerate(paths):
        record.write(path, document(f"new-{i}", **fields))
    return commands.main(["compare", *map(str, paths), "--baselines", str(folder), *options])


FASTER_DENSE = tuple(sample / 1.3 for sample in DENSE)  # against it, MoE is 30 % slower


@pytest.mark.parametrize(
    ("num_launches", "dense", "options", "code"),
    [
        (2, DENSE, (), 0),
        (2, FASTER_DENSE, (), 10),
        (1, FASTER_DENSE, (), 11),  # one launch only raises suspicion
        (1, FASTER_DENSE, ("--allow-inconclusive",), 11),  # it looks slower
    ],
    ids=["same", "slower", "suspicion", "suspicion, allowed"],
)
def test_compare_ends_with_the_verdicts_code(
    tmp_path: Path, num_launches: int, dense: tuple[float, ...], options: tuple[str, ...], code: int
) -> None:
    promote(tmp_path, 8)
    assert compare(tmp_path, num_launches, *options, dense=dense) == code


def test_compare_with_a_baseline_that_spreads_too_far_says_so_and_ends_11(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spread = [document(f"l{i}", dense=tuple((1 + 0.1 * (i % 2)) * sample for sample in DENSE)) for i in range(8)]
    record.write(tmp_path / BASELINE_NAME, record.merge(spread))
    assert compare(tmp_path, 2) == 11
    said = capsys.readouterr().out
    assert "tiny-b1]: INCONCLUSIVE: moe/dense +4.9 % [" in said
    assert said.splitlines()[-1].startswith("MoE undecided")
    assert compare(tmp_path, 2, "--allow-inconclusive") == 0


def test_compare_of_scenarios_that_the_baseline_lacks_ends_13(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(tmp_path, 8)
    text = json.dumps(document("new", filtered=True)).replace("tiny-b1", "tiny-b2")
    record.write(tmp_path / "new.json", record.seal(json.loads(text)))
    assert commands.main(["compare", str(tmp_path / "new.json"), "--baselines", str(tmp_path)]) == 13
    assert "- comparison: MISSING: nothing was compared" in capsys.readouterr().out


def test_compare_prints_a_row_for_each_scenario_and_says_what_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(tmp_path, 8)
    compare(tmp_path, 2, dense=FASTER_DENSE)
    said = capsys.readouterr().out
    for scenario in SCENARIOS:
        assert f"| {scenario} " in said
        assert f"- {scenario}: REGRESSED, in MoE: moe/dense +30.0 %" in said


def test_compare_judges_the_launches_of_a_merged_record(tmp_path: Path) -> None:
    promote(tmp_path, 8)
    merged = record.merge([document(f"new-{i}", dense=FASTER_DENSE) for i in range(2)])
    record.write(tmp_path / "merged.json", merged)
    assert commands.main(["compare", str(tmp_path / "merged.json"), "--baselines", str(tmp_path)]) == 10


def test_compare_without_a_baseline_ends_13_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(tmp_path, 2) == 13
    assert "MISSING: no baseline" in capsys.readouterr().out


def test_compare_with_a_corrupt_baseline_ends_14(tmp_path: Path) -> None:
    promote(tmp_path, 8)
    (tmp_path / BASELINE_NAME).write_text("{")
    assert compare(tmp_path, 2) == 14


def test_compare_with_another_machines_baseline_ends_15(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promote(tmp_path, 8, kind={**kind_key(FINGERPRINT), "device_model": "Acme 1"})
    (named,) = [path for path in tmp_path.glob("*.json") if path.name != BASELINE_NAME]
    assert compare(tmp_path, 2, "--baseline", str(named)) == 15
    assert "another kind of machine" in capsys.readouterr().out


WRONG = {"complete": False, "wrong": [{"scenario": "bench_x[1]", "why": "dense: got 0.3"}]}


@pytest.mark.parametrize("dense", [DENSE, FASTER_DENSE])
def test_compare_of_a_wrong_answer_ends_17(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dense: tuple[float, ...]
) -> None:
    promote(tmp_path, 8)
    assert compare(tmp_path, 2, dense=dense, **WRONG) == 17
    said = capsys.readouterr().out
    assert "- bench_x[1]: WRONG: dense: got 0.3" in said
    assert "| bench_x[1] " in said


def test_compare_of_a_wrong_answer_needs_no_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(tmp_path, 2, **WRONG) == 17
    said = capsys.readouterr().out
    assert "MISSING: no baseline" in said
    assert "bench_x[1]: WRONG: dense: got 0.3" in said


def test_report_says_which_answer_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write(tmp_path / "r.json", document(**WRONG))
    assert commands.main(["report", str(tmp_path / "r.json")]) == 0
    said = capsys.readouterr().out
    assert "| WRONG " in said
    assert "- bench_x[1]: WRONG: dense: got 0.3" in said


def test_compare_refuses_records_that_do_not_belong_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(tmp_path, 8)
    path = tmp_path / "new.json"
    record.write(path, document("new"))
    assert commands.main(["compare", str(path), str(path), "--baselines", str(tmp_path)]) == 4
    assert "a launch must be there once" in capsys.readouterr().err


def test_report_prints_the_record_as_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write(tmp_path / "r.json", document())
    assert commands.main(["report", str(tmp_path / "r.json")]) == 0
    said = capsys.readouterr().out
    assert "| bench_decode[tiny-b1]  | 2.00 ms" in said
    assert "0.50x" in said  # dense takes 1 ms
    header, _, _, _, first, *_ = said.splitlines()
    assert header.startswith(
        "transformers 5.23.0, torch 2.13.0+cpu, Python 3.11.7, float32, 1 thread, 2 x Acme(R) Core"
    )
    assert first.startswith("| bench_decode[tiny-b1]")
    assert "extrapolated" not in said


def test_report_shows_what_three_depths_extrapolate_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = document()
    entries = []
    for depth in (1, 2, 4):
        text = json.dumps(deep["benchmarks"][:3]).replace("tiny-b1", f"7b@{depth}-b1")
        for entry in json.loads(text):
            ours = entry["extra_info"]["moevlm"]
            ours["facts"] = {"depth": depth, "full_depth_moe": 32}
            ours["launches"][0]["samples"] = [0.001 * depth] * 3
            entries.append(entry)
    record.write(tmp_path / "r.json", record.seal({**deep, "benchmarks": entries}))
    assert commands.main(["report", str(tmp_path / "r.json")]) == 0
    assert "32.0 ms at 32 layers" in capsys.readouterr().out


def test_report_of_a_missing_record_ends_13(tmp_path: Path) -> None:
    assert commands.main(["report", str(tmp_path / "absent.json")]) == 13


def test_options_of_pytest_are_refused_where_no_pytest_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main(["report", "r.json", "--", "--scale=tiny"])
    assert ended.value.code == 4
    assert "takes nothing after --, got --scale=tiny" in capsys.readouterr().err
