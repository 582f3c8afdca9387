"""Our model under the oracle's choices: it agrees, near-ties are settled, and whatever else differs is found."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

import bench.checks.imposed as imposing
from bench.checks.imposed import Checked, imposed
from bench.checks.passes import PassChecks, checks_of
from bench.harness.agreement import WrongAnswer
from fixtures.inputs import make_inputs
from fixtures.models import Twins, build_twins
from fixtures.oracle.answers import Said, say
from fixtures.oracle.keeper import Oracle, sample_of
from fixtures.oracle.model import transformers_model
from fixtures.tasks.sample import sample
from fixtures.workload import load_workload
from moevlm import MoEVLM, RoutingProfile, decode_steps, prefill
from moevlm.generation import answer
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMSparseMLP
from moevlm.model.processing import build_processor

CPU = torch.device("cpu")
NUM_TOKENS = 4
STD = 0.2  # of weights so wide that another expert or token shows


@dataclass(frozen=True, kw_only=True)
class Case:
    """Twins, and checks of a batch of theirs."""

    twins: Twins
    checks: PassChecks

    def steps(self, arm: str) -> None:
        self.checks.steps(self.step, NUM_TOKENS)(arm)

    def step(self, arm: str, state: Any, num_steps: int) -> Any:
        return decode_steps(self.twins[arm], state, num_steps=num_steps)

    def answers(self, arm: str) -> None:
        def generated(name: str) -> torch.Tensor:
            options = {"max_new_tokens": NUM_TOKENS, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
            return self.twins[name].generate(**self.checks.tensors, **options)

        ours = lambda name: answer(self.twins[name], self.checks.tensors, max_new_tokens=NUM_TOKENS)  # noqa: E731
        self.checks.answer([ours, generated], NUM_TOKENS)(arm)


def make(
    dtype: torch.dtype = torch.float32,
    routing: str = "uniform",
    workload: str = "mmmu",
    seq_len: Any = 96,
    arms: tuple[str, ...] = ("moe", "dense"),
    visual: str = "fixed",
) -> Case:
    profile = RoutingProfile.parse(routing)
    twins = build_twins("tiny", arms=arms, device=CPU, dtype=dtype, routing=profile, visual=visual)
    samples = sample(load_workload(workload, visual=visual), num_samples=3, seed=0)
    processor = build_processor(next(iter(twins.values())).config)
    inputs = make_inputs(samples, processor, seq_len=seq_len, device=CPU, dtype=dtype)
    return Case(twins=twins, checks=checks_of(Oracle(), twins, inputs))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_every_arm_agrees_in_every_dtype(dtype):
    arms = ("moe", "dense", "dense_active", "dense_reference")
    case = make(dtype, arms=arms)
    for arm in arms:
        case.steps(arm)
        case.answers(arm)


@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_what_is_compared_of_a_prompt_is_what_is_timed(arm, monkeypatch):
    """The last layer runs for the last tokens alone in both: the check's hooks are content with them."""
    rows = []
    for kind in (MoEVLMSparseMLP, MoEVLMDenseMLP):
        monkeypatch.setattr(kind, "forward", counting(kind.forward, rows))
    case = make()
    run = lambda name: prefill(case.twins[name], case.checks.tensors, max_new_tokens=1)  # noqa: E731
    run(arm)
    timed, rows[:] = list(rows), []
    case.checks.prompt(run)(arm)
    assert rows == timed == [96, 1]


def counting(forward: Any, rows: list[int]) -> Any:
    """Wrap a module's forward, which counts the positions that it is given."""

    def counted(self: Any, hidden_BSH: torch.Tensor, *rest: Any) -> Any:
        rows.append(hidden_BSH.shape[1])
        return forward(self, hidden_BSH, *rest)

    return counted


@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_an_error_of_the_last_layer_is_found_at_the_last_position(arm, monkeypatch):
    case = make()
    last = case.twins[arm].model.language_model.layers[-1].mlp
    plain = type(last).forward
    monkeypatch.setattr(type(last), "forward", lambda mlp, *rest: plain(mlp, *rest) * (1.5 if mlp is last else 1.0))
    with pytest.raises(WrongAnswer, match=r"hidden states .*prompt position 95"):
        case.checks.prompt(lambda name: prefill(case.twins[name], case.checks.tensors, max_new_tokens=1))(arm)


@pytest.mark.parametrize("routing", ["weights", "specialized:3", "paper-smoes"])
def test_every_sample_agrees_however_routers_are_steered(routing):
    case = make(torch.bfloat16, routing, arms=("moe",))
    for number in range(3):
        object.__setattr__(case.checks, "number", number)
        case.steps("moe")
        case.answers("moe")


@pytest.mark.parametrize("visual", ["fixed", "anyres"])
def test_padded_samples_of_several_images_agree(visual):
    case = make(seq_len="natural", visual=visual)
    assert "attention_mask" in case.checks.tensors
    for number in range(3):
        object.__setattr__(case.checks, "number", number)
        case.steps("moe")
        case.answers("dense")
        case.checks.features(lambda arm: encoded(case, arm))("moe")


def encoded(case: Case, arm: str) -> torch.Tensor:
    pixels = {
        name: case.checks.tensors[name] for name in ("pixel_values", "image_sizes") if name in case.checks.tensors
    }
    with torch.inference_mode():
        return torch.cat(tuple(case.twins[arm].model.get_image_features(**pixels).pooler_output))


def test_features_of_another_image_are_wrong():
    case = make(seq_len="natural")
    with pytest.raises(WrongAnswer, match=r"image features of moe, sample \d of 3 must .* at image token"):
        case.checks.features(lambda arm: encoded(case, arm).roll(1, dims=0))("moe")


def test_a_sample_is_found_in_its_chunk():
    case = make()
    object.__setattr__(case.checks, "number", 2)

    def read(arm: str, chunk: torch.Tensor | None = None) -> None:
        prefill(case.twins[arm], case.checks.tensors, max_new_tokens=1, chunk_samples=1)

    case.checks.prompt(read)("moe")


@pytest.fixture
def wide() -> tuple[MoEVLM, dict[str, torch.Tensor]]:
    """An MoE whose experts 2 and 5 have all but the same router weights, and a sample for it."""
    moe = build_twins("tiny", arms=["moe"], device=CPU, dtype=torch.float32)["moe"]
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in moe.model.language_model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * STD)
        for layer in moe.model.language_model.layers:
            layer.mlp.gate.weight[5] = layer.mlp.gate.weight[2] * (1 - 1e-7)
    ids_1S = torch.randint(10, 2000, (1, 40), generator=generator)
    return moe, {"input_ids": ids_1S}


def swap_tied(oracle: Any) -> None:
    """Have the oracle choose expert 5 for 2 and 2 for 5 where it chooses one of them alone."""

    def swap(_router: Any, _args: object, output: Any) -> Any:
        logits_TE, weights_TK, ids_TK = output
        is_tied_TK = (ids_TK == 2) | (ids_TK == 5)
        is_open_T1 = is_tied_TK.sum(1, keepdim=True) == 1
        return logits_TE, weights_TK, torch.where(is_tied_TK & is_open_T1, 7 - ids_TK, ids_TK)

    for layer in oracle.model.language_model.layers:
        layer.mlp.gate.register_forward_hook(swap)


def run(moe: MoEVLM, sample_: dict[str, torch.Tensor], said: list[Said], num_tokens: int) -> None:
    with imposed(moe, Checked("moe", 0, 1), said):
        answer(moe, sample_, max_new_tokens=num_tokens)


def test_tied_experts_are_settled_the_oracles_way(wide, monkeypatch):
    moe, sample_ = wide
    oracle = transformers_model(moe)
    swap_tied(oracle)
    said = say(oracle, sample_, number=0, num_tokens=3)
    run(moe, sample_, said, 3)
    monkeypatch.setattr(imposing, "_settled", lambda _router, routing, *_others: routing)
    with pytest.raises(WrongAnswer, match=r"hidden states|scores of the router"):
        run(moe, sample_, said, 3)


def test_an_expert_that_is_not_tied_is_wrong(wide):
    moe, sample_ = wide
    said = say(transformers_model(moe), sample_, number=0, num_tokens=1)
    with torch.no_grad():
        router = moe.model.language_model.layers[1].mlp.gate
        router.weight.copy_(router.weight[[1, 0, *range(2, 8)]])
    with pytest.raises(WrongAnswer, match="scores of the router of layer 1 of moe, sample 0 of 1 must agree"):
        run(moe, sample_, said, 1)


def test_weights_that_are_off_are_wrong_though_the_experts_are_right(wide):
    moe, sample_ = wide
    said = say(transformers_model(moe), sample_, number=0, num_tokens=1)
    moe.model.language_model.layers[0].mlp.gate.norm_topk_prob = False
    with pytest.raises(WrongAnswer, match="weights of the router of layer 0 of moe, sample 0 of 1 must agree"):
        run(moe, sample_, said, 1)


def test_tied_tokens_are_settled_the_oracles_way(wide, monkeypatch):
    moe, sample_ = wide
    first = say(transformers_model(moe), sample_, number=0, num_tokens=1)[0].token
    other = first + 1
    with torch.no_grad():
        moe.lm_head.weight[other] = moe.lm_head.weight[first] * (1 - 1e-7)
    oracle = transformers_model(moe)

    def prefer_the_other(_head: Any, _args: object, logits: torch.Tensor) -> torch.Tensor:
        preferred = logits.clone()
        preferred[..., other] += 1e-5
        return preferred

    oracle.lm_head.register_forward_hook(prefer_the_other)
    said = say(oracle, sample_, number=0, num_tokens=3)
    assert said[0].token == other
    run(moe, sample_, said, 3)
    monkeypatch.setattr(imposing._Passes, "check_logits", lambda self, *_: setattr(self, "done", self.done + 1))
    with pytest.raises(WrongAnswer):
        run(moe, sample_, said, 3)


@pytest.mark.parametrize(("asked", "made", "words"), [(3, 2, "3 times, got 2"), (2, 3, "2 times, got more")])
def test_a_pass_that_is_missing_or_one_too_many_is_wrong(wide, asked, made, words):
    moe, sample_ = wide
    said = say(transformers_model(moe), sample_, number=0, num_tokens=asked)
    with pytest.raises(WrongAnswer, match=f"must pass the decoder {words}"):
        run(moe, sample_, said, made)


def test_a_model_that_is_not_finite_is_wrong(wide):
    moe, sample_ = wide
    said = say(transformers_model(moe), sample_, number=0, num_tokens=1)
    with torch.no_grad():
        moe.model.language_model.layers[1].self_attn.v_proj.weight[3, 3] = torch.nan
    with pytest.raises(WrongAnswer, match=r"got a relative error of nan|got nan"):
        run(moe, sample_, said, 1)


def test_hooks_are_gone_afterwards(wide):
    moe, sample_ = wide
    said = say(transformers_model(moe), sample_, number=0, num_tokens=1)
    run(moe, sample_, said, 1)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in moe.modules())


def test_tokens_of_a_peer_may_differ_from_the_first_near_tie_on_alone():
    case = make()
    said = case.checks.says("moe", NUM_TOKENS)
    found_BN = torch.zeros(3, NUM_TOKENS, dtype=torch.long)
    found_BN[case.checks.number] = torch.tensor([each.token for each in said])
    case.checks.tokens(found_BN, "moe", "peer")
    found_BN[case.checks.number, 2] += 1
    with pytest.raises(WrongAnswer, match=r"the token must be \d+, .* at token 2 of peer"):
        case.checks.tokens(found_BN, "moe", "peer")


def test_a_prompt_is_compared_once_a_batch_profile_and_backend():
    case, calls = make(), []

    def read(arm: str) -> None:
        calls.append(arm)
        prefill(case.twins[arm], case.checks.tensors, max_new_tokens=1)

    for backend in ("moevlm", "moevlm", "eager"):
        case.twins["moe"].set_experts_implementation(backend)
        case.checks.prompt(read)("moe")
    assert calls == ["moe", "moe"]


def test_the_oracle_is_asked_once_for_a_sample(monkeypatch):
    import fixtures.oracle.keeper as keeper

    asked: list[int] = []
    monkeypatch.setattr(keeper, "say", lambda *args, **options: asked.append(1) or say(*args, **options))
    case = make()
    sample_ = sample_of(case.checks.tensors, case.checks.images_per_row, 0)
    for num_tokens in (1, 5, 3):
        case.checks.oracle.says(case.twins["moe"], sample_, number=0, num_tokens=num_tokens)
    assert len(asked) == 1
    case.checks.oracle.says(case.twins["moe"], sample_, number=0, num_tokens=6)
    assert len(asked) == 2
