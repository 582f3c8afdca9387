"""Peers' arms around a decoder of plain torch: what they answer, and which wrong logits are found."""

import pytest
import torch
from transformers import DynamicCache

from bench.checks.passes import checks_of
from bench.harness.agreement import WrongAnswer
from bench.harness.arms import is_peer
from bench.peers import decoders
from bench.peers.decoders import EngineArm, PeerArms, SteppedArm, peer_arms
from fixtures.inputs import make_inputs
from fixtures.models import build_twins
from fixtures.oracle.keeper import Oracle
from fixtures.oracle.model import transformers_model
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm.compat import CACHE
from moevlm.generation import answer
from moevlm.model.processing import build_processor

NUM_TOKENS = 5


class PlainDecoder:
    """transformers' decoder, one sample after another."""

    def __init__(self, model, prompt_tokens, room):
        self.theirs, self.lengths, self.room = transformers_model(model), prompt_tokens, room
        self.caches = []

    @torch.inference_mode()
    def _logits(self, cache, start, **tokens):
        (length,) = {value.shape[1] for value in tokens.values()}
        position = torch.arange(start, start + length)[None]
        hidden = self.theirs.model.language_model(**tokens, position_ids=position, use_cache=True, **{CACHE: cache})
        return self.theirs.lm_head(hidden.last_hidden_state[0, -1]).float()

    def read(self, embeds_BSH):
        self.caches = [DynamicCache(config=self.theirs.config.text_config) for _ in self.lengths]
        rows = zip(self.caches, embeds_BSH, self.lengths, strict=True)
        return torch.stack([self._logits(cache, 0, inputs_embeds=row[None, -length:]) for cache, row, length in rows])

    def step(self, ids_B, number):
        assert number < self.room
        rows = zip(self.caches, ids_B, self.lengths, strict=True)
        return torch.stack([self._logits(cache, n + number, input_ids=one.view(1, 1)) for cache, one, n in rows])

    def wind_back(self):
        for cache, length in zip(self.caches, self.lengths, strict=True):
            if more := cache.get_seq_length() - length:
                cache.crop(-more)


class Broken(PlainDecoder):
    """One whose logits after some pass are another's."""

    wrong_at = 0  # 0: the prompt's

    def read(self, embeds_BSH):
        return self._broken(super().read(embeds_BSH), 0)

    def step(self, ids_B, number):
        return self._broken(super().step(ids_B, number), number + 1)

    def _broken(self, logits_BV, number):
        return logits_BV.roll(1, dims=-1) if number == self.wrong_at else logits_BV


@pytest.fixture(scope="module")
def twins():
    return build_twins("tiny", device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="module")
def inputs(twins):
    """Three prompts with images, each of a length of its own."""
    samples = sample(load_workload("docvqa"), num_samples=3, seed=3)
    processor = build_processor(twins["moe"].config)
    batch = make_inputs(samples, processor, seq_len="natural", device="cpu", dtype=torch.float32)
    assert len(set(batch.prompt_tokens)) > 1
    return batch


class PlainEngine:
    """The same decoder as an engine that feeds its tokens back itself."""

    def __init__(self, decoder):
        self.decoder, self.held = decoder, None

    def logits(self, embeds_BSH, num_tokens):
        passes = [self.decoder.read(embeds_BSH)]
        for number in range(num_tokens - 1):
            passes.append(self.decoder.step(passes[-1].argmax(-1), number))
        return torch.stack(passes)

    def answer(self, embeds_BSH, num_tokens):
        return self.logits(embeds_BSH, num_tokens).argmax(-1).T

    def hold(self, embeds_BSH, num_steps):
        self.held = embeds_BSH, num_steps

    def go_on(self, num_steps):
        assert num_steps <= self.held[1]
        return self.answer(self.held[0], 1 + num_steps)[:, 1:]


def stepped(model, of, inputs, room):
    return SteppedArm(PlainDecoder(model, inputs.prompt_tokens, room), model, of, inputs)


def engine(model, of, inputs, room):
    return EngineArm(PlainEngine(PlainDecoder(model, inputs.prompt_tokens, room)), model, of, inputs)


@pytest.fixture(params=[stepped, engine])
def arms(request, twins, inputs, monkeypatch):
    monkeypatch.setitem(decoders.BUILDERS, "plain", request.param)
    return peer_arms(["plain"], twins, inputs, room=NUM_TOKENS)


def test_an_arm_stands_beside_each_model_and_is_never_judged(arms):
    assert {name: arm.of for name, arm in arms.items()} == {"plain/moe": "moe", "plain/dense": "dense"}
    assert all(map(is_peer, arms))
    assert arms.costs({"moe": 1, "dense": 2}) == {"moe": 1, "dense": 2, "plain/moe": 1, "plain/dense": 2}
    assert arms.facts == {"peers_encode_images": 0.0}


def test_without_peers_nothing_is_added(twins, inputs):
    none = peer_arms((), twins, inputs, room=1)
    assert (dict(none), none.facts, none.costs({"moe": 1})) == ({}, {}, {"moe": 1})


def test_what_is_done_for_an_arm_is_done_for_a_peers_its_own_way():
    do = PeerArms({"plain/moe": None}).beside(lambda arm: f"ours {arm}", lambda arm: f"theirs {arm}")
    assert [do(arm) for arm in ("moe", "plain/moe")] == ["ours moe", "theirs plain/moe"]


@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_the_answer_is_our_models_from_the_same_pixels(arms, twins, inputs, arm):
    expected = answer(twins[arm], inputs.tensors, max_new_tokens=NUM_TOKENS)
    assert torch.equal(arms[f"plain/{arm}"].answer(NUM_TOKENS), expected)
    assert torch.equal(arms[f"plain/{arm}"].answer(1), expected[:, :1])


def test_every_run_goes_on_from_the_prompts(arms, twins, inputs):
    expected = answer(twins["moe"], inputs.tensors, max_new_tokens=NUM_TOKENS)[:, 1:]
    decode = arms["plain/moe"].decoding(NUM_TOKENS - 1)
    assert torch.equal(decode(), expected)
    assert torch.equal(decode(), expected)  # nothing of the first run is left in the cache


@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_a_decoder_that_agrees_may_be_timed(arms, twins, inputs, arm):
    arms[f"plain/{arm}"].check(checks_of(Oracle(), twins, inputs), NUM_TOKENS)


@pytest.mark.parametrize("arm", [SteppedArm, lambda decoder, *rest: EngineArm(PlainEngine(decoder), *rest)])
@pytest.mark.parametrize("wrong_at", [0, NUM_TOKENS - 1])
def test_wrong_logits_of_any_pass_are_found(twins, inputs, arm, wrong_at):
    broken = Broken(twins["moe"], inputs.prompt_tokens, NUM_TOKENS)
    broken.wrong_at = wrong_at
    says = (
        rf"cosine of at least 0.9[59]+ with the oracle's, got .* at token {wrong_at} of moe elsewhere, sample \d of 3"
    )
    with pytest.raises(WrongAnswer, match=says):
        arm(broken, twins["moe"], "moe", inputs).check(checks_of(Oracle(), twins, inputs), NUM_TOKENS)


def test_the_weights_of_another_model_are_found(twins, inputs):
    other = build_twins("tiny", arms=["moe"], device=torch.device("cpu"), dtype=torch.float32, seed=1)["moe"]
    arm = SteppedArm(PlainDecoder(other, inputs.prompt_tokens, NUM_TOKENS), twins["moe"], "moe", inputs)
    with pytest.raises(WrongAnswer, match="at token 0 of moe elsewhere"):
        arm.check(checks_of(Oracle(), twins, inputs), NUM_TOKENS)
