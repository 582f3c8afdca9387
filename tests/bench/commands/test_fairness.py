"""Tests of `fairness`: by hand, 3 % is allowed, and an interval that reaches into it too."""

import pytest

from bench.__main__ import main
from tests.bench.sample_records import record_of, scenario


@pytest.fixture
def write(monkeypatch):
    """Let the command read a record of one scenario with these samples by arm."""

    def written(**samples):
        arms = {name.replace("__", "/"): values for name, values in samples.items()}
        found = record_of(scenario(arms, name="bench_ways_decode[b1]", params=AXES))
        monkeypatch.setattr("bench.commands.fairness.load", lambda _path: found)
        return "ways.json"

    return written


AXES = {"scale": "tiny", "batch_size": 1, "seq_len": 64}
STEADY = [1.0] * 9


@pytest.mark.parametrize(
    ("theirs", "code", "said"),
    [
        ([0.96] * 9, 10, "0.96x [0.96, 0.96] UNFAIR"),
        ([0.98] * 9, 0, "0.98x [0.98, 0.98]"),  # 2 % of a time are within 3 %
        ([0.96] * 5 + [0.99] * 4, 0, "0.96x [0.96, 0.99]"),  # it may be 1 % alone
        ([1.5] * 9, 0, "1.50x [1.50, 1.50]"),
    ],
)
def test_a_way_that_is_faster_beyond_3_percent_makes_it_red(write, capsys, theirs, code, said):
    path = write(moe=STEADY, dense=STEADY, products__dense=theirs, products__moe=STEADY, anchor=STEADY)
    assert main(["fairness", path]) == code
    printed = capsys.readouterr().out
    rows = [" ".join(line.strip("| ").replace("|", " ").split()) for line in printed.splitlines()]
    assert f"bench_ways_decode[b1] float32 dense products {said}" in rows
    assert f"2 comparisons; another way is faster by more than 3 %: {int(code > 0)}" in printed


def test_the_table_is_written_too(write, tmp_path, capsys):
    path = write(moe=STEADY, dense=STEADY, blocks__dense=STEADY, anchor=STEADY)
    assert main(["fairness", path, "--out", str(tmp_path / "out" / "fairness.md")]) == 0
    assert (tmp_path / "out" / "fairness.md").read_text() in capsys.readouterr().out


def test_records_of_other_scenarios_are_refused(write, capsys):
    assert main(["fairness", write(moe=STEADY, dense=STEADY, anchor=STEADY)]) == 4
    assert "as products/dense, got none; run pytest bench/ways.py" in capsys.readouterr().err
