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
        ({"kind": "denes"}, "kind of charts dense small must be one of dense, moe, smoes, ablation, got 'denes'"),
        ({"kind": ["moe"]}, r"must be one of dense, moe, smoes, ablation, got \['moe'\]"),
        ({"basis": "guessed"}, "basis of charts dense small must be measured or predicted, got 'guessed'"),
        ({"num_parameters": "7B"}, "num_parameters of charts dense small must be a number above 0, got '7B'"),
        ({"num_active_parameters": 0}, "num_active_parameters of charts dense small must be a number above 0, got 0"),
        ({"num_parameters": math.inf}, "must be a number above 0, got inf"),
        ({"size": 7}, "size of charts dense 7 must be text, got 7"),
        ({"accuracy": {"all": {"estimate": 60.0, "low": 58.0, "high": 62.0}}},
         r"accuracy of charts dense small must be a share for all, 0 <= low <= estimate <= high <= 1 \(divide percent "
         r"by 100\), got {'all': {'estimate': 60.0, 'high': 62.0, 'low': 58.0}}"),
        ({"accuracy": {"all": {"estimate": "0.6", "low": 0.5, "high": 0.7}}}, "a share .* got .*'estimate': '0.6'"),
        ({"accuracy": {"all": {"estimate": math.nan, "low": 0.5, "high": 0.7}}}, "got .*'estimate': nan"),
        (rate(low=0.0), "throughput of charts dense small must be rates .*, 0 < low <= estimate .* got .*'low': 0.0"),
        (rate(high=0.5), "0 < low <= estimate <= high, got .*'high': 0.5"),
        (rate(low="1"), "0 < low <= estimate <= high, got .*'low': '1'"),
        ({"throughput": {}}, "throughput .* must be rates for req_per_s and prefill_tok_per_s, .* got {}"),
    ],
)  # fmt: skip
def test_a_field_that_holds_what_it_cannot_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = document(tmp_path, [{**entry("dense", 0, 0.5), **change}])
    with pytest.raises(ValueError, match="twins.json must be a document of scored models, got: .*" + message):
        read_tiers([path])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": []}, r"answers of chartqa mine must be at least one, got \[\]"),
        ({"answers": [{"source": "a, row 0", "score": 100.0}]},
         "an answer of chartqa mine must have a source and a score from 0 to 1 or null, got .*100.0"),
        ({"answers": [{"source": 1, "score": None}]}, "must have a source and a score .* got .*'source': 1"),
    ],
)  # fmt: skip
def test_answers_are_a_source_and_a_score_each(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        supplied_tier(tmp_path, supplied("mine", "moe", [1.0], **change))


@pytest.mark.parametrize("field", ["kind", "answers"])
def test_a_supplied_model_says_its_kind_and_its_answers(tmp_path: Path, field: str) -> None:
    model = supplied("smoes-of-mine", "dense", [1.0])
    del model[field]
    with pytest.raises(ValueError, match=f"an entry must have .*kind, answers, one has no {field}"):
        supplied_tier(tmp_path, model)


def test_the_command_ends_as_a_usage_error_without_a_traceback(tmp_path: Path, capsys: Any) -> None:
    path = document(tmp_path, [entry("dense", 0, 0.5, kind="denes")])
    assert main(["pareto", str(path), "--out", str(tmp_path / "p.md")]) == 4
    assert "kind of charts dense small must be one of" in capsys.readouterr().err
