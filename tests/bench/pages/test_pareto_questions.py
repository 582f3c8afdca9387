"""Questions of supplied models: one set of them a front, and an MoE against a dense model question by question."""

from pathlib import Path

import pytest
from scipy import stats

from bench.pages.pareto.pairs import Pair, pairs
from bench.pages.pareto.points import AXES
from tests.bench.pages.sample_supplied import supplied, supplied_tier

FOUR = (1.0, 0.0, 1.0, 0.5)


def pairs_of(folder: Path, *models: dict[str, object]) -> list[Pair]:
    return pairs(supplied_tier(folder, *models).points, AXES[0])


def test_fewer_questions_are_refused_with_both_names_and_counts(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"models on chartqa must have answered the same questions, got 1 of A and 4 of B; "
        r"run bench.front.supplied for both with the same --data and --limit",
    ):
        supplied_tier(tmp_path, supplied("A", "moe", [1.0]), supplied("B", "dense", FOUR))


@pytest.mark.parametrize("name", ["A", "B"])
def test_as_many_questions_of_other_data_are_refused_of_one_name_too(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ValueError,
        match=rf"got 4 of A and 4 of {name} \(/home/me/ChartQA/test.parquet, row 0 against /home/me/Other/test.parquet",
    ):
        supplied_tier(tmp_path, supplied("A", "moe", FOUR), supplied(name, "moe", FOUR, 90.0, folder="/home/me/Other"))


def test_questions_in_another_order_are_refused(tmp_path: Path) -> None:
    one = supplied("A", "moe", FOUR)
    with pytest.raises(ValueError, match="must have answered the same questions"):
        supplied_tier(tmp_path, one, {**one, "variant": "B", "answers": one["answers"][::-1]})


def test_a_folder_may_be_given_in_full_or_not(tmp_path: Path) -> None:
    tier = supplied_tier(
        tmp_path, supplied("A", "moe", FOUR), supplied("B", "dense", FOUR, folder="ChartQA"),
        {**supplied("C", "dense", [1.0]), "task": "docvqa"},
    )  # fmt: skip
    assert [point.series for point in tier.points] == ["A", "B", "C"]


def test_every_moe_meets_every_dense_model_of_its_task_whatever_their_names(tmp_path: Path) -> None:
    models = [supplied("dense", "moe", FOUR), supplied("mine", "smoes", FOUR), supplied("plain", "dense", FOUR),
              supplied("big", "dense", FOUR), {**supplied("other", "dense", FOUR), "task": "docvqa"}]  # fmt: skip
    tier = supplied_tier(tmp_path, *models)
    assert [(pair.point.series, pair.against.series) for pair in pairs(tier.of("chartqa"), AXES[0])] == [
        ("dense", "plain"), ("dense", "big"), ("mine", "plain"), ("mine", "big"),
    ]  # fmt: skip
    assert [point.kind for point in tier.points] == ["moe", "smoes", "dense", "dense", "dense"]


def test_the_difference_is_bootstrapped_over_questions(tmp_path: Path) -> None:
    """20 of 100 questions are won and none is lost: how many of them a resample holds is binomial."""
    scores = [1.0] * 50 + [0.0] * 50
    others = [None] * 10 + [0.0] * 10 + [1.0] * 30 + [0.0] * 50
    (pair,) = pairs_of(tmp_path, supplied("A", "moe", scores, 150.0), supplied("B", "dense", others))
    assert pair.difference.estimate == pytest.approx(0.2)
    low, high = (stats.binom.ppf(share, 100, 0.2) / 100 for share in (0.025, 0.975))
    assert (pair.difference.low, pair.difference.high) == pytest.approx((low, high), abs=0.011)
    assert pair.outcome == "wins"
    assert pair.speedup is not None
    assert pair.speedup.estimate == pytest.approx(1.5)


def test_runs_of_one_name_are_one_model_with_the_mean_of_their_scores(tmp_path: Path) -> None:
    moe = [supplied("A", "moe", [1.0, 0.0, 1.0, None], rate) for rate in (100.0, 101.0)]
    moe.append(supplied("A", "moe", [1.0, 0.0, 1.0, 1.0], 102.0))
    tier = supplied_tier(tmp_path, *moe, supplied("B", "dense", [0.0, 0.0, 1.0, 0.0]))
    assert tier.points[0].scores == pytest.approx((1.0, 0.0, 1.0, 1 / 3))
    (pair,) = pairs(tier.points, AXES[0])
    assert pair.difference.estimate == pytest.approx((1 + 1 / 3) / 4)


def test_what_every_question_tells_alike_is_not_certain_for_that(tmp_path: Path) -> None:
    """Of one question all resamples are one: the intervals of the accuracies, 0.2 to 1 and 0 to 0.8, say how much."""
    won = supplied("A", "moe", [1.0], accuracy={"all": {"estimate": 1.0, "low": 0.2, "high": 1.0, "num_samples": 1}})
    lost = supplied("B", "dense", [0.0], accuracy={"all": {"estimate": 0.0, "low": 0.0, "high": 0.8, "num_samples": 1}})
    (pair,) = pairs_of(tmp_path, won, lost)
    assert pair.difference == pytest.approx((1.0, 1.0 - (0.8**2 + 0.8**2) ** 0.5, 1.0))
    assert pair.outcome == "open"
