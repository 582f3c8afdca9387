"""Accuracy as a metric with a baseline: answers that break are REGRESSED, however badly, and data are told apart."""

from collections.abc import Mapping

import pytest
from scipy import stats

from bench import bench_accuracy as scenarios
from bench.gate.comparison import judge_one
from bench.gate.shares import LEAD, LEVEL, interval_of
from bench.gate.verdict import Verdict
from fixtures.tasks.procedural import TASKS
from fixtures.training.answers import held_out_pictures, prompt_batch, requests_of
from fixtures.training.recipes import SIZES
from fixtures.training.tokens import Lexicon
from fixtures.training.variants import build
from tests.bench.sample_records import opened_baseline, scenario

CHARTS = TASKS["charts"]
ARMS = ("moe", "dense", "smoes-attention")


def accuracies(*values):
    return dict(zip(ARMS, values, strict=True))


BASE = scenario(*[accuracies(0.6, 0.6, 0.6)] * 8, metric="accuracy")


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.6, 0.6, 0.6), Verdict.OK),
        ((0.59, 0.6, 0.6), Verdict.OK),
        ((0.5, 0.5, 0.5), Verdict.REGRESSED),
        ((0.6, 0.6, 0.5), Verdict.REGRESSED),
        ((0.5 / 83, 0.5 / 83, 0.5 / 83), Verdict.REGRESSED),
        ((0.7, 0.7, 0.7), Verdict.IMPROVED),
        ((0.6, 0.7, 0.6), Verdict.IMPROVED),
    ],
)
def test_fewer_right_answers_are_regressed_and_more_improved(values, verdict):
    """The worst of the arms' own values counts; an arm that others overtake has lost nothing."""
    new = scenario(accuracies(*values), metric="accuracy")
    judged = judge_one(new, opened_baseline(BASE))
    assert judged.verdict is verdict


class Observer:
    """Takes what a scenario counts, in the harness's place."""

    def observe(self, value_of, *, arms, **known):
        self.values = {arm: value_of(arm) for arm in arms}
        self.known = known
        return self.values


@pytest.fixture(scope="module")
def untrained():
    variants = {"moe": "plain", "dense": "dense", "smoes-attention": "smoes-attention"}
    return {arm: build(CHARTS, variant, SIZES["small"], seed=0)[0].eval() for arm, variant in variants.items()}


@pytest.mark.parametrize(("said", "right"), [("nothing", 0.5), ("yes", None)])
def test_accuracy_is_the_share_of_right_answers_and_never_0(monkeypatch, untrained, said, right):
    requests = requests_of(held_out_pictures(CHARTS, scenarios.NUM_PICTURES))
    monkeypatch.setattr(scenarios, "answers", lambda *_: [said] * len(requests))
    seen = Observer()
    scenarios.bench_accuracy(seen, untrained, CHARTS)
    if right is None:
        right = sum(request.question.answers == (said,) for request in requests)
    assert set(seen.values) == set(ARMS)
    assert seen.values["moe"] == pytest.approx(right / len(requests))
    facts = seen.known["facts"]
    assert facts["num_questions"] == len(requests)
    low, high = stats.binomtest(0, scenarios.NUM_PICTURES).proportion_ci() if said == "nothing" else (0.0, 1.0)
    level = interval_of(facts, LEVEL, "dense")
    assert low <= level.low <= level.estimate <= level.high <= high
    assert level.estimate == pytest.approx(right / len(requests) if said != "nothing" else 0.0)
    assert interval_of(facts, LEAD, "dense") == (0.0, 0.0, 0.0)  # both said the same


def test_a_lead_is_paired_by_question(monkeypatch, untrained):
    pictures = held_out_pictures(CHARTS, scenarios.NUM_PICTURES)
    right = [question.answers[0] for picture in pictures for question in picture.questions]
    first = len(pictures[0].questions)
    said = {"moe": right, "dense": ["nothing"] * first + right[first:], "smoes-attention": right}
    names = {id(model): arm for arm, model in untrained.items()}
    monkeypatch.setattr(scenarios, "answers", lambda model, *_: said[names[id(model)]])
    seen = Observer()
    scenarios.bench_accuracy(seen, untrained, CHARTS)
    lead = interval_of(seen.known["facts"], LEAD, "dense")
    assert lead.estimate == pytest.approx(-first / len(right))
    assert lead.high == 0.0  # a draw without the first picture
    assert interval_of(seen.known["facts"], LEAD, "smoes-attention") == (0.0, 0.0, 0.0)


def test_other_questions_are_another_workload(untrained):
    requests = requests_of(held_out_pictures(CHARTS, 2))

    def hashed(asked) -> str:
        inputs: Mapping = prompt_batch(Lexicon(CHARTS), asked, untrained["moe"])
        return scenarios.workload_hash(CHARTS, inputs)

    assert hashed(requests) == hashed(requests) != hashed(requests[:-1])
