"""Entries of documents joined into points: what is one model, and what only looks like it and is refused."""

from pathlib import Path
from typing import Any

import pytest

from bench.pages.pareto.documents import read_tiers
from tests.bench.pages.sample_supplied import supplied
from tests.bench.pages.sample_twins import document, entry


def test_seeds_of_one_variant_and_size_are_one_point(tmp_path: Path) -> None:
    twins = [entry("dense", seed, 0.6 + 0.1 * seed) for seed in range(3)] + [entry("plain", 0, 0.5)]
    dense, plain = read_tiers([document(tmp_path, twins)])["measured"].points
    assert dense.accuracy.estimate == pytest.approx(0.7)
    assert [one.estimate for one in dense.accuracy_by_seed.values()] == pytest.approx([0.6, 0.7, 0.8])
    assert (dense.kind, plain.kind) == ("dense", "moe")


def test_another_weight_of_the_loss_is_another_model(tmp_path: Path) -> None:
    coefs = ((0, 1e-3), (1, 1e-3), (0, 1e-2))
    twins = [entry("smoes-attention", seed, 0.5, specialization_coef=coef) for seed, coef in coefs]
    points = read_tiers([document(tmp_path, twins)])["measured"].points
    assert [(p.series, len(p.accuracy_by_seed)) for p in points] == [
        ("smoes-attention", 2),
        ("smoes-attention at 0.01", 1),
    ]
    assert {p.kind for p in points} == {"smoes"}


def test_a_seed_given_twice_is_refused(tmp_path: Path) -> None:
    path = document(tmp_path, [entry("dense", 0, 0.5)])
    with pytest.raises(ValueError, match=r"each seed or run of charts dense small must be there once, got 0 twice"):
        read_tiers([path, path])


def test_a_weight_is_named_only_of_variants_that_have_the_loss(tmp_path: Path) -> None:
    twins = [entry("dense", 0, 0.5), entry("plain", 0, 0.5)]
    twins += [entry(name, 0, 0.5, specialization_coef=1e-2) for name in ("smoes-attention", "smoes-gaussian")]
    points = read_tiers([document(tmp_path, twins)])["measured"].points
    assert [p.series for p in points] == ["dense", "plain", "smoes-attention", "smoes-gaussian"]


def test_twins_of_two_recipes_or_data_are_refused(tmp_path: Path) -> None:
    training = {"recipe": {"steps": 1}, "data_hash": "a"}
    for other, field in (({"recipe": {"steps": 2}}, "recipe"), ({"data_hash": "b"}, "data_hash")):
        twins = [entry("dense", 0, 0.5, **training), entry("plain", 0, 0.5, **{**training, **other})]
        with pytest.raises(ValueError, match=f"must share their {field}, got two for charts small.* score it apart"):
            read_tiers([document(tmp_path, twins)])
    other_seed = entry("plain", 1, 0.5, **{**training, "data_hash": "b"})
    assert read_tiers([document(tmp_path, [entry("dense", 0, 0.5, **training), other_seed])])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "each seed or run of chartqa mine must be there once, got .* twice; give each document once"),
        ({"num_parameters": 2000}, "chartqa mine must have one num_parameters, got 1000, 2000; give each model"),
        ({"weights": "b2"}, "chartqa mine must have one weights, got a1, b2; give each model a name of its own"),
        ({"accuracy": {"all": {"estimate": 0.5, "low": 0.4, "high": 0.6, "num_samples": 20}}},
         "must have one num_samples, got 500, 20; ask each run the same questions"),
    ],
)  # fmt: skip
def test_runs_that_are_not_of_one_model_and_questions_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    run = supplied("mine", "dense", [0.5] * 500, weights="a1")
    paths = [document(tmp_path, [], f"{name}.json", tier="supplied", models=[one])
             for name, one in (("a", run), ("b", {**run, **change}))]  # fmt: skip
    with pytest.raises(ValueError, match=message):
        read_tiers(paths)


def test_runs_without_a_seed_join_without_shrinking_the_samples_interval(tmp_path: Path) -> None:
    run = supplied("mine", "dense", [0.5] * 500)
    faster = supplied("mine", "dense", [0.5] * 500, 101.0)
    paths = [document(tmp_path, [], f"{name}.json", tier="supplied", models=[one])
             for name, one in (("a", run), ("b", faster))]  # fmt: skip
    (joined_point,) = read_tiers(paths)["supplied"].points
    assert joined_point.accuracy == pytest.approx((0.5, 0.4, 0.6))


def test_what_takes_something_of_smoes_away_is_an_ablation(tmp_path: Path) -> None:
    """The loss at 0 is one too; a released MoE is none, whatever its name."""
    weighted = [entry("smoes-attention", 0, 0.5, specialization_coef=coef) for coef in (1e-3, 0.0)]
    usual = entry("smoes-gaussian", 0, 0.5, specialization_coef=1e-3)
    twins = [entry("dense", 0, 0.5), entry("plain", 0, 0.5), entry("hard-routing", 0, 0.5), *weighted, usual]
    kinds = {point.series: point.kind for point in read_tiers([document(tmp_path, twins)])["measured"].points}
    assert kinds == {
        "dense": "dense", "plain": "moe", "hard-routing": "ablation", "smoes-attention": "smoes",
        "smoes-attention at 0": "ablation", "smoes-gaussian": "smoes",
    }  # fmt: skip
    released = document(tmp_path, [], tier="published", models=[entry("Molmo", 0, 0.5)])
    assert [point.kind for point in read_tiers([released])["published"].points] == ["moe"]


def test_a_plain_moe_of_a_publisher_is_never_smoes(tmp_path: Path) -> None:
    models = [{**entry("Qwen3-VL", 0, 0.5), "size": "30B-A3B"}]
    path = document(tmp_path, [], tier="published", models=models)
    assert read_tiers([path])["published"].points[0].kind == "moe"
