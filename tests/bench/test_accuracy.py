"""Accuracy with intervals: sums by hand, limits against the exact binomial and the plain bootstrap written out."""

import numpy as np
import pytest
from scipy import stats

from bench.accuracy import (
    ALL,
    HARD,
    MAIN,
    Points,
    accuracy_interval,
    accuracy_table,
    difference_interval,
    score_pictures,
)
from fixtures.tasks.procedural import TASKS
from fixtures.training.answers import held_out_pictures

CHARTS = TASKS["charts"]


def points(sums, counts):
    return Points(sums=np.array(sums, dtype=float), counts=np.array(counts, dtype=float))


def right_answers(pictures):
    return [question.answers[0] for picture in pictures for question in picture.questions]


def test_right_answers_score_1_in_every_group_and_wrong_ones_0():
    pictures = held_out_pictures(CHARTS, 4)
    right = score_pictures(CHARTS, pictures, right_answers(pictures))
    assert {group: scored.mean for group, scored in right.items()} == dict.fromkeys(right, 1.0)
    assert {ALL, HARD, MAIN, "value", "difference", "human", "augmented"} <= set(right)
    wrong = score_pictures(CHARTS, pictures, ["nothing"] * len(right_answers(pictures)))
    assert {scored.mean for scored in wrong.values()} == {0.0}


def test_groups_hold_each_question_once():
    pictures = held_out_pictures(CHARTS, 4)
    scored = score_pictures(CHARTS, pictures, right_answers(pictures))
    num_questions = sum(len(picture.questions) for picture in pictures)
    kinds = {question.kind for picture in pictures for question in picture.questions}
    assert scored[ALL].num_samples == num_questions
    assert scored[HARD].num_samples + scored[MAIN].num_samples == num_questions
    assert sum(scored[kind].num_samples for kind in kinds) == num_questions
    assert scored["human"].num_samples + scored["augmented"].num_samples == num_questions
    assert scored[ALL].counts.tolist() == [len(picture.questions) for picture in pictures]


def test_an_answer_too_few_or_too_many_is_refused():
    pictures = held_out_pictures(CHARTS, 1)
    for said in (right_answers(pictures)[1:], [*right_answers(pictures), "1"]):
        with pytest.raises(ValueError, match=rf"one answer a question, .*, got {len(said)}; answer each once"):
            score_pictures(CHARTS, pictures, said)


def test_the_interval_is_that_of_pictures_drawn_again_and_again():
    rng = np.random.default_rng(1)
    counts = rng.integers(5, 12, 60)
    scored = points(rng.binomial(counts, 0.7), counts)
    found = accuracy_interval(scored)
    means = []
    for _ in range(4000):
        drawn = rng.integers(60, size=60)
        means.append(scored.sums[drawn].sum() / scored.counts[drawn].sum())
    assert found.estimate == pytest.approx(scored.sums.sum() / scored.counts.sum())
    assert found[1:] == pytest.approx(np.percentile(means, [2.5, 97.5]).tolist(), abs=0.006)


def test_questions_of_one_picture_count_as_one_draw():
    """Ten questions a picture, all right or all wrong: as uncertain as one question a picture."""
    single = points([1, 0] * 20, [1] * 40)
    tenfold = points([10, 0] * 20, [10] * 40)
    assert accuracy_interval(tenfold) == pytest.approx(accuracy_interval(single))


@pytest.mark.parametrize(("share", "limits"), [(1.0, (0.025 ** (1 / 20), 1.0)), (0.0, (0.0, 1 - 0.025 ** (1 / 20)))])
def test_where_all_answers_are_right_or_wrong_the_interval_is_exact(share, limits):
    """Clopper and Pearson's for 20 of 20: the rate at which 20 rights are just as likely as 2.5 %."""
    scored = points([4 * share] * 20, [4] * 20)
    assert accuracy_interval(scored) == pytest.approx((share, *limits))
    assert stats.binomtest(20, 20).proportion_ci().low == pytest.approx(0.025 ** (1 / 20))


def test_a_difference_is_paired_by_picture():
    """Pictures differ much, the models by one answer on each: paired, that is certain."""
    counts = [10] * 30
    one = points([1 + index % 9 for index in range(30)], counts)
    other = points([index % 9 for index in range(30)], counts)
    assert difference_interval(one, other) == pytest.approx((0.1, 0.1, 0.1))
    assert difference_interval(other, one).estimate == pytest.approx(-0.1)
    low, high = accuracy_interval(one)[1:]
    assert high - low > 0.1


def test_models_that_answered_other_questions_are_not_compared():
    with pytest.raises(ValueError, match="both models must have answered the same questions, got 3 and 4"):
        difference_interval(points([1, 1], [1, 2]), points([1, 1], [2, 2]))


def test_a_table_holds_what_documents_hold():
    table = accuracy_table({ALL: points([1, 2], [2, 2])})
    assert set(table[ALL]) == {"estimate", "low", "high", "num_samples"}
    assert table[ALL]["estimate"] == 0.75
    assert table[ALL]["num_samples"] == 4
