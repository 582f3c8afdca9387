"""Accuracy as a metric with a baseline: answers that break are REGRESSED, however badly, and data are told apart."""

from collections.abc import Mapping

import pytest

from bench import bench_accuracy as scenarios
from bench.gate.comparison import judge_one
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
    ],
)
def test_fewer_right_answers_are_regressed_and_more_improved(values, verdict):
    """The worst of the controls counts: of the arms' own values and of MoE over the others."""
    new = scenario(accuracies(*values), metric="accuracy")
    judged = judge_one(new, opened_baseline(BASE), confirmed=True)
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
    assert seen.known["facts"] == {"num_questions": len(requests)}


def test_other_questions_are_another_workload(untrained):
    requests = requests_of(held_out_pictures(CHARTS, 2))

    def hashed(asked) -> str:
        inputs: Mapping = prompt_batch(Lexicon(CHARTS), asked, untrained["moe"])
        return scenarios.workload_hash(CHARTS, inputs)

    assert hashed(requests) == hashed(requests) != hashed(requests[:-1])
