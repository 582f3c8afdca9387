"""What is no scored model is refused with one sentence that says the field, the rule and what is there instead."""

import math
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.pages.pareto.documents import read_tiers
from tests.bench.pages.sample_supplied import supplied, supplied_tier
from tests.bench.pages.sample_twins import document, entry


def rate(**limits: Any) -> dict[str, Any]:
    return {"throughput": {axis: {"estimate": 1.0, "low": 1.0, "high": 1.0, **limits}
                           for axis in ("req_per_s", "prefill_tok_per_s")}}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "denes"}, ".kind must be one of dense, moe, smoes, ablation, got 'denes'"),
        ({"kind": ["moe"]}, r".kind must be string, got \['moe'\]"),
        ({"basis": "guessed"}, ".basis must be measured or predicted, got 'guessed'"),
        ({"num_parameters": "7B"}, ".num_parameters must be number, got '7B'"),
        ({"num_active_parameters": 0}, ".num_active_parameters must be number above 0, got 0"),
        ({"num_parameters": math.inf}, "must hold finite numbers, got Infinity"),
        ({"size": 7}, ".size must be string, got 7"),
        ({"accuracy": {"all": {"estimate": 60.0, "low": 58.0, "high": 62.0}}},
         ".accuracy.all.estimate must be number of 1.0 at most, got 60.0"),
        ({"accuracy": {"all": {"estimate": "0.6", "low": 0.5, "high": 0.7}}},
         ".accuracy.all.estimate must be number, got '0.6'"),
        ({"accuracy": {"all": {"estimate": math.nan, "low": 0.5, "high": 0.7}}}, "must hold finite numbers, got NaN"),
        (rate(low=0.0), ".throughput.req_per_s.low must be number above 0, got 0.0"),
        (rate(high=0.5), "req_per_s.estimate must be within low and high, got 1.0 and 1.0, 0.5"),
        (rate(low="1"), "req_per_s.low must be number, got '1'"),
        ({"points": {"sums": [1.0], "counts": [2, 2]}}, ".points must have a sum and a count a picture, got 1 and 2"),
        ({"points": {"sums": [2.5], "counts": [2]}}, "a picture's points must be at most its questions, got 2.5 of 2"),
        ({"points": {"sums": [0.0], "counts": [0]}}, ".points must have a sum and a count a picture"),
        ({"seed": None}, ".seed must be integer, got None"),
        ({"seed": [0]}, r".seed must be integer, got \[0\]"),
        ({"blind": {"value": {"estimate": 0.1}}}, ".blind must have all, got value"),
        ({"accuracy": {"all": {"estimate": 0.5, "low": 0.4, "high": 0.6, "num_samples": -5}}},
         ".accuracy.all.num_samples must be integer of 1 or more, got -5"),
        ({"throughput": {}}, ".throughput must have req_per_s and prefill_tok_per_s, got no req_per_s"),
    ],
)  # fmt: skip
def test_a_field_that_holds_what_it_cannot_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = document(tmp_path, [{**entry("dense", 0, 0.5), **change}])
    with pytest.raises(ValueError, match=r"twins.json: (twins\[0\].*)?" + message):
        read_tiers([path])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": []}, r"answers must be list of length 1 or more, got \[\]"),
        ({"answers": [{"source": "a, row 0", "score": 100.0}]},
         r"answers\[0\].score must be number of 1.0 at most, got 100.0"),
        ({"answers": [{"source": 1, "score": None}]}, r"answers\[0\].source must be string, got 1"),
    ],
)  # fmt: skip
def test_answers_are_a_source_and_a_score_each(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        supplied_tier(tmp_path, supplied("mine", "moe", [1.0], **change))


@pytest.mark.parametrize("field", ["kind", "answers"])
def test_a_supplied_model_says_its_kind_and_its_answers(tmp_path: Path, field: str) -> None:
    model = supplied("smoes-of-mine", "dense", [1.0])
    del model[field]
    with pytest.raises(ValueError, match=rf"models\[0\] must have {field}, got no {field}"):
        supplied_tier(tmp_path, model)


def test_the_command_ends_14_without_a_traceback(tmp_path: Path, capsys: Any) -> None:
    path = document(tmp_path, [entry("dense", 0, 0.5, kind="denes")])
    assert main(["pareto", str(path), "--out", str(tmp_path / "p.md")]) == 14
    assert "twins[0].kind must be one of" in capsys.readouterr().err
