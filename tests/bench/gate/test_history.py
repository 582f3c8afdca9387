"""`history`, on a repository of three promotions made for the purpose."""

import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.gate import ledger
from bench.gate.history import UNCOMMITTED, follow, read_history
from bench.gate.ledger import Moved
from bench.gate.promotion import promote
from bench.harness import record
from tests.bench.sample_records import BASELINE_NAME, DENSE, SCENARIOS, document

FACTORS = (1.0, 1.1, 1.1 / 1.04)  # by which dense gets faster: MoE / dense is 2, then 10 % more, then 4 % less of that
ROOT = Path(__file__).parents[3]
RELEASES = ("", "v1", "v1")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def promote_one(folder: Path, number: int, scenarios: Sequence[str] = SCENARIOS, *, share: float = 0.0) -> None:
    records = []
    for launch in range(8):
        path = folder.parent / "records" / f"{number}-{launch}.json"
        dense = tuple(sample / FACTORS[number] for sample in DENSE)
        whole = document(f"launch-{number}-{launch}", dense=dense)
        entries = [one for one in whole["benchmarks"] if one["extra_info"]["moevlm"]["scenario"] in scenarios]
        if share:
            as_accuracy(entries, share)
        record.write(path, record.seal({**whole, "benchmarks": entries}))
        records.append(path)
    day = f"2026-01-0{number + 1}T00:00:00+00:00"
    promote(records, folder, ledger.Stamp(f"reason {number}", "c0ffee", day, RELEASES[number]))


def as_accuracy(entries: Sequence[dict[str, Any]], share: float) -> None:
    for entry in entries:
        ours = entry["extra_info"]["moevlm"]
        ours["metric"] = "accuracy"
        ours["launches"][0]["samples"] = [share if ours["arm"] == "moe" else 0.9] * 3


@pytest.fixture(scope="module")
def baselines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    git(root, "init", "-q")
    folder = root / "baselines"
    for number in range(3):
        promote_one(folder, number)
        git(root, "add", "baselines")
        git(root, "commit", "-q", "-m", f"promotion {number}")
    return folder


def test_every_promotion_is_a_point_with_its_change_to_the_one_before(baselines: Path) -> None:
    history = read_history(baselines, BASELINE_NAME)
    assert [promotion.reason for promotion in history.promotions] == ["reason 0", "reason 1", "reason 2"]
    assert list(history.notes) == []
    moves = follow(history.promotions, ledger.read(baselines), baseline=BASELINE_NAME)[SCENARIOS[0]]
    assert [move.moe for move in moves] == ["2.00 ms"] * 3
    assert [move.dense for move in moves] == ["1.00 ms", "909 µs", "945 µs"]
    assert [move.followed.estimate for move in moves if move.followed] == pytest.approx(
        [2.0, 2.2, 2.2 / 1.04], rel=1e-5
    )
    assert moves[0].change is None
    changes = [move.change.log_ratio for move in moves[1:] if move.change]
    assert changes == pytest.approx([0.0953102, -0.0392207], abs=1e-5)  # ln 1.1, -ln 1.04


def test_accepted_slowdowns_add_up_from_the_last_release_to_each_promotion(baselines: Path) -> None:
    history = read_history(baselines, BASELINE_NAME)
    moves = follow(history.promotions, ledger.read(baselines), baseline=BASELINE_NAME)[SCENARIOS[0]]
    accepted = Moved(pytest.approx(0.0953102, abs=1e-5))
    assert [move.accepted for move in moves] == [None, accepted, accepted]


def test_the_command_prints_and_draws_what_a_pattern_finds(
    baselines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", "bench_decode", "--baselines", str(baselines), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert all(f"| reason {number} " in said for number in range(3))
    assert "| 2.200 [2.200, 2.200]" in said
    assert "+10.0 %" in said
    assert SCENARIOS[1] not in said
    assert "1 of 1 scenario" in said
    drawn = "".join(ET.parse(tmp_path / "history.svg").getroot().itertext())
    assert SCENARIOS[0] in drawn
    assert "01-03" in drawn


def test_without_a_pattern_each_scenario_has_its_newest_row(
    baselines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", "--baselines", str(baselines), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert [said.count(f"| {scenario} ") for scenario in SCENARIOS] == [1, 1]
    assert said.count("2026-01-03") == 3  # in the list of promotions, and twice here
    assert said.count("2026-01-02") == 1


def test_without_a_pattern_a_scenario_that_the_newest_promotion_lacks_is_only_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(tmp_path, "init", "-q")
    folder = tmp_path / "baselines"
    for number, names in enumerate((SCENARIOS, SCENARIOS[:1])):
        promote_one(folder, number, names)
        git(tmp_path, "add", "baselines")
        git(tmp_path, "commit", "-q", "-m", "promotion")
    arguments = ["history", "--baselines", str(folder), "--out", str(tmp_path)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert f"| {SCENARIOS[0]} " in said
    assert f"| {SCENARIOS[1]} " not in said
    assert f"1 scenario not in the newest promotion: {SCENARIOS[1]}; a REGEX shows their past" in said
    assert "1 of 1 scenario" in said
    assert main([*arguments[:1], "prefill", *arguments[1:]]) == 0
    assert f"| {SCENARIOS[1]} " in capsys.readouterr().out


def test_accuracy_moves_in_points_and_has_no_ratio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(tmp_path, "init", "-q")
    folder = tmp_path / "baselines"
    for number, share in enumerate((0.8, 0.72)):
        promote_one(folder, number, share=share)
        git(tmp_path, "add", "baselines")
        git(tmp_path, "commit", "-q", "-m", "promotion")
    assert main(["history", "decode", "--baselines", str(folder), "--out", str(tmp_path)]) == 0
    row = capsys.readouterr().out.split("2026-01-02")[-1]
    assert "| -8.0 points |" in row
    cells = [cell.strip() for cell in row.partition("\n")[0].split("|")]
    assert cells[2:7] == ["72.0 %", "90.0 %", "", "-8.0 points", "-8.0 points"]
    assert "MoE" in "".join(ET.parse(tmp_path / "history.svg").getroot().itertext())


def copied(baselines: Path, tmp_path: Path) -> Path:
    subprocess.run(["git", "clone", "-q", str(baselines.parent), str(tmp_path / "clone")], check=True)
    return tmp_path / "clone" / "baselines"


def test_a_promotion_that_is_not_committed_yet_is_the_last_point(baselines: Path, tmp_path: Path) -> None:
    folder = copied(baselines, tmp_path)
    promote_one(folder, 0)
    promotions = read_history(folder, BASELINE_NAME).promotions
    assert [promotion.commit == UNCOMMITTED for promotion in promotions] == [False, False, False, True]


def test_a_single_promotion_has_a_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(tmp_path, "init", "-q")
    promote_one(tmp_path / "baselines", 0)
    git(tmp_path, "add", "baselines")
    git(tmp_path, "commit", "-q", "-m", "promotion")
    arguments = [
        "history",
        "--baselines",
        str(tmp_path / "baselines"),
        "--baseline",
        BASELINE_NAME.removesuffix(".json"),
    ]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert "| 2.000 [2.000, 2.000]" in capsys.readouterr().out


def test_without_a_name_every_baseline_of_the_folder_is_told(
    baselines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(baselines, tmp_path)
    (folder / "cuda-acme.json").write_text((folder / BASELINE_NAME).read_text())
    arguments = ["history", "--baselines", str(folder), "--out", str(tmp_path)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.index(f"{BASELINE_NAME}\n") < said.index("cuda-acme.json\n")
    assert said.count("| scenario ") == 2
    drawn = {path.name for path in tmp_path.glob("*.svg")}
    assert drawn == {f"history-{BASELINE_NAME.removesuffix('.json')}.svg", "history-cuda-acme.svg"}
    assert main([*arguments, "no_such_scenario"]) == 4
    assert f"REGEX must find a scenario of {BASELINE_NAME}, cuda-acme.json, got" in capsys.readouterr().err


def test_it_works_in_this_repository_without_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As far back as this clone's history goes: the files themselves are promotions that no commit need hold."""
    monkeypatch.chdir(ROOT)
    assert main(["history", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert all(f"{path.name}\n" in said for path in ROOT.glob("baselines/cpu-*.json"))


def test_what_cannot_be_read_is_left_out_and_said(
    baselines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(baselines, tmp_path)
    whole = (folder / BASELINE_NAME).read_text()
    for text in (whole[:1000], whole):
        (folder / BASELINE_NAME).write_text(text)
        git(folder, "commit", "-q", "-a", "-m", "broken, then mended")
    assert main(["history", "--baselines", str(folder), "--out", str(tmp_path)]) == 0
    assert f"note: {BASELINE_NAME} of " in capsys.readouterr().out
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{folder.parent}", str(shallow)], check=True)
    assert main(["history", "--baselines", str(shallow / "baselines"), "--out", str(tmp_path)]) == 0
    assert "git fetch --unshallow" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["no_such_scenario"], 4, "REGEX must find a scenario"),
        (["["], 4, "REGEX must be a regular expression"),
        (["--baseline", "other"], 4, f"--baseline must name a baseline, got other; known: {BASELINE_NAME}"),
        (["--baselines", "absent"], 13, "got no absent; name it with --baselines"),
        (["--baselines", "."], 4, "run it inside a clone"),
    ],
)
def test_what_has_no_history_is_refused_with_the_remedy(
    baselines: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["history", "--baselines", str(baselines), *options]) == code
    assert message in capsys.readouterr().err


def test_a_repository_without_baselines_ends_13(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
    assert main(["history", "--baselines", str(tmp_path)]) == 13
    assert "must hold a promoted baseline, got none" in capsys.readouterr().err
