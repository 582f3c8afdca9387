"""Tolerances from the reviewed file: which holds, and what is refused with the entry's number."""

import math
from pathlib import Path

import pytest

from bench.gate.ab.tolerances import limits_of, read_rules

TWO = """
[[limit]]
scenarios = "^bench_experts.*-t1\\\\]"
tolerance_percent = 12
smallest_effect_percent = 4
reason = "half a millisecond"

[[limit]]
scenarios = "^bench_experts"
tolerance_percent = 8
reason = "one layer"
"""


def rules_in(tmp_path: Path, text: str) -> list[object]:
    path = tmp_path / "tolerances.toml"
    path.write_text(text)
    return read_rules(path)  # type: ignore[return-value]  # what is asserted on is its length


def test_the_first_limit_that_fits_holds_and_others_keep_the_default(tmp_path: Path) -> None:
    path = tmp_path / "tolerances.toml"
    path.write_text(TWO)
    found = limits_of(["bench_experts[a-t1]", "bench_experts[a-t8]", "bench_decode[a-t1]"], read_rules(path))
    assert set(found) == {"bench_experts[a-t1]", "bench_experts[a-t8]"}
    assert found["bench_experts[a-t1]"].tolerance == pytest.approx(math.log(1.12))
    assert found["bench_experts[a-t1]"].smallest_effect == pytest.approx(math.log(1.04))
    assert found["bench_experts[a-t8]"].tolerance == pytest.approx(math.log(1.08))
    assert found["bench_experts[a-t8]"].smallest_effect == pytest.approx(math.log(1.02))


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    assert read_rules(tmp_path / "none.toml") == []


def test_the_projects_own_file_can_be_read() -> None:
    assert isinstance(read_rules(Path(__file__).parents[4] / "baselines" / "tolerances.toml"), list)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[limit", "must be TOML"),
        ("[limits]", r"must hold \[\[limit\]\] entries alone, got limits"),
        ('[[limit]]\nscenarios = "a"\ntolerance_percent = 8', "limit 1 must have reason, got no reason"),
        (
            '[[limit]]\nscenarios = "a"\ntolerance_percent = "8"\nreason = "x"',
            "limit 1.tolerance_percent must be number, got '8'",
        ),
        (
            '[[limit]]\nscenarios = "a"\ntolerance_percent = 8\nreason = "x"\nfoo = 1',
            "limit 1 must have known fields alone, got foo",
        ),
        ('[[limit]]\nscenarios = "a"\ntolerance_percent = 1\nreason = "x"', "got 1 and 2; raise the tolerance"),
        ('[[limit]]\nscenarios = "a"\ntolerance_percent = 8\nreason = " "', "reason must say why"),
        ('[[limit]]\nscenarios = "("\ntolerance_percent = 8\nreason = "x"', "must be a regular expression, got '\\('"),
        (
            '[[limit]]\nscenarios = "a{99999999999}"\ntolerance_percent = 8\nreason = "x"',
            "must be a regular expression",
        ),
        (
            '[[limit]]\nscenarios = "a"\ntolerance_percent = true\nreason = "x"',
            "tolerance_percent must be number, got True",
        ),
        ('[[limit]]\nscenarios = "a"\ntolerance_percent = inf\nreason = "x"', "must be a finite number"),
        ('[[limit]]\nscenarios = "a"\ntolerance_percent = -8\nreason = "x"', "must be number above 0, got -8"),
        ("limit = [3]", "limit 1 must be object, got 3"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rules_in(tmp_path, text)
