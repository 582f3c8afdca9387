"""Tests of `export`."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.harness import record
from tests.bench.other_tools import bencher_json, github_custom
from tests.bench.sample_records import SCENARIOS, document


@pytest.fixture
def launches(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{number}.json" for number in range(2)]
    for number, path in enumerate(paths):
        record.write(path, document(f"launch-{number}"))
    return [str(path) for path in paths]


def test_it_is_printed(launches: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "bmf", launches[0]]) == 0
    assert bencher_json(capsys.readouterr().out)[SCENARIOS[0], "TPOT (ms)"].value == pytest.approx(2.0)


def test_it_is_written_over_all_launches(
    launches: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "smaller.json"
    assert main(["export", "customSmallerIsBetter", *launches, "--out", str(out)]) == 0
    assert f"{SCENARIOS[0]}:dense TPOT" in github_custom(out.read_text())
    assert "over 6 blocks" in json.loads(out.read_text())[0]["extra"]
    assert capsys.readouterr().out == ""


def test_an_unknown_format_ends_4_with_the_known_ones(launches: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", "junit", launches[0]])
    assert ended.value.code == 4
    assert "customSmallerIsBetter" in capsys.readouterr().err


def test_a_record_without_such_a_figure_ends_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record.write(tmp_path / "none.json", record.seal({**document(), "benchmarks": [], "counted": []}))
    assert main(["export", "vllm", str(tmp_path / "none.json")]) == 4
    assert "a record to export as vllm must hold such a figure, got none" in capsys.readouterr().err
