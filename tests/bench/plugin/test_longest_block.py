"""Whole runs in which blocks would be too long: skipped with the reason, and the rest is measured."""

from pathlib import Path

import pytest

from bench.harness import record
from tests.bench.plugin.fake_project import write_project
from tests.bench.plugin.fresh_pytest import run_pytest

ROOT = Path(__file__).parents[3]


def test_what_is_too_long_is_skipped_and_the_record_says_why(tmp_path: Path) -> None:
    ending = "paired.give_up_long({'moe': {'flops': 1e30, 'bytes': 0.0}} if size > 1 else {})"
    folder = write_project(tmp_path / "project", ending=ending)
    code, said = run_pytest(folder, "bench", "--record=run.json", "--longest-block=5m")
    assert code == 0, said
    found = record.load(folder / "run.json")
    assert list(found.scenarios) == ["bench_x[1]"]
    assert found.complete
    reasons = found.why_not_fitting()
    assert list(reasons) == ["bench_x[2]", "bench_x[3]", "bench_x[4]"]
    for why in reasons.values():
        assert why.startswith("too long: by its floors a block takes ")
        assert why.endswith(" s, 300 are allowed; pages predict it, or raise --longest-block")


@pytest.mark.long
def test_prefill_decode_and_answers_are_given_up_before_a_model_is_built(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    files = [f"bench/{name}.py" for name in ("bench_prefill", "bench_decode", "bench_generate", "drawn_decode")]
    small = ("--scale=tiny", "--device=cpu", "--batch-size=1", "--seq-len=128", "--compare=off")
    run_pytest(ROOT, *files, *small, "--longest-block=0.0000001", f"--record={path}")
    found = record.load(path)
    assert not found.scenarios
    assert len(found.why_not_fitting()) == 5  # answers of two workloads
    assert all("by its floors a block takes" in why for why in found.why_not_fitting().values())
