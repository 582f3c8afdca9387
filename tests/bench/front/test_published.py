"""Published models: every figure is sourced, none is SMoES, and the document is one that pareto reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.front.published import PUBLISHED, main
from bench.front.shapes import shape_config
from bench.pages.pareto.documents import read_tiers
from bench.pages.pareto.points import PREDICTED
from moevlm.model.parameters import parameter_counts

FACTS = json.loads(PUBLISHED.read_text())
MODELS, SHAPES = FACTS["models"], FACTS["shapes"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["model"])
def test_every_model_is_sourced_and_its_shape_is_of_its_size(model: dict[str, Any]) -> None:
    counts = parameter_counts(shape_config(SHAPES[model["shape"]]))
    assert model["source"]
    assert "smoes" not in json.dumps(model).lower()
    assert counts.total == pytest.approx(model["total_params_b"] * 1e9, rel=0.12)  # towers and projectors differ
    assert set(model["accuracy_percent"]) <= set(FACTS["split"])
    siblings = {other["size"] for other in MODELS if other["family"] == model["family"]}
    assert set(model["compared_with"]) <= siblings


def test_the_document_is_one_that_pareto_reads(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "published.json")])
    tier = read_tiers([tmp_path / "published.json"])["published"]
    assert tier.tasks == ("mmmu", "mathvista", "chartqa", "docvqa")
    assert {point.kind for point in tier.points} == {"moe", "dense"}
    assert {point.basis for point in tier.points} == {PREDICTED}
    qwen = next(point for point in tier.of("mmmu") if point.name == "Qwen3-VL 30B-A3B")
    assert qwen.accuracy == pytest.approx((0.742, 0.702, 0.782))
    assert "predicted" in tier.origin("mmmu").machine
