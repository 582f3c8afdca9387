"""Where the last position alone is read, the last layer runs for it alone: the same logits; whoever looks sees all."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from moevlm import MoEVLM, prefill
from moevlm.model.batch_part import BatchPart
from moevlm.model.feedforward import MoEVLMDenseMLP, MoEVLMSparseMLP
from moevlm.routing.profiles import RoutingProfile
from moevlm.steering.tables import apply_profile

SHAPE = (2, 20)  # of the prompt
VARIANTS: dict[str, dict[str, Any]] = {
    "moe": {}, "dense": {"num_experts": 0}, "hard routing": {"num_text_experts": 4},
    "one layer": {"num_hidden_layers": 1},
}  # fmt: skip


@pytest.fixture(params=VARIANTS)
def model(request: pytest.FixtureRequest, make_model: Callable[..., MoEVLM]) -> MoEVLM:
    """A model in float64, whose products round nowhere that a test would see."""
    made = make_model(torch.float64, **VARIANTS[request.param])
    if request.param == "moe":
        apply_profile(made, RoutingProfile.parse("specialized:3"))  # reads each token's sample, position and modality
    return made


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the positions that each feed-forward layer transforms, without a hook."""
    seen: list[int] = []
    for kind in (MoEVLMSparseMLP, MoEVLMDenseMLP):
        plain = kind.forward

        def counting(self: Any, hidden_BSH: torch.Tensor, *rest: Any, plain: Any = plain) -> torch.Tensor:
            seen.append(hidden_BSH.shape[1])
            return plain(self, hidden_BSH, *rest)

        monkeypatch.setattr(kind, "forward", counting)
    return seen


def exact(prompt: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return prompt | {"pixel_values": prompt["pixel_values"].double()}


def all_but_the_last(model: MoEVLM) -> list[int]:
    return [SHAPE[1]] * (model.config.text_config.num_hidden_layers - 1)


@pytest.mark.parametrize(
    ("attention", "dtype"), [("sdpa", torch.float64), ("sdpa", torch.float32), ("eager", torch.float32)]
)
@torch.inference_mode()
def test_logits_are_those_of_the_whole_pass(
    model: MoEVLM, prompt: dict[str, torch.Tensor], rows: list[int], attention: str, dtype: torch.dtype
) -> None:
    model.to(dtype).set_attn_implementation(attention)
    inputs = prompt | {"pixel_values": prompt["pixel_values"].to(dtype)}
    whole = model(**inputs).logits[:, -1:]
    assert set(rows) == {SHAPE[1]}
    rows.clear()
    found = model(**inputs, logits_to_keep=1).logits
    assert rows == [*all_but_the_last(model), 1]
    # norms work in float32 whatever the dtype
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-5 if dtype is torch.float64 else 1e-4)


@torch.inference_mode()
def test_keys_and_values_of_all_positions_are_cached(model: MoEVLM, prompt: dict[str, torch.Tensor]) -> None:
    whole, short = (model(**exact(prompt), use_cache=True, logits_to_keep=kept) for kept in (0, 1))
    for layer, other in zip(whole.past_key_values.layers, short.past_key_values.layers, strict=True):
        torch.testing.assert_close(other.keys, layer.keys, rtol=0, atol=1e-5)
        torch.testing.assert_close(other.values, layer.values, rtol=0, atol=1e-5)


def test_a_prefill_takes_the_short_way(model: MoEVLM, prompt: dict[str, torch.Tensor], rows: list[int]) -> None:
    prefill(model, exact(prompt), max_new_tokens=1)
    assert rows == [*all_but_the_last(model), 1]


def test_images_leave_no_hook_in_the_decoder(model: MoEVLM, prompt: dict[str, torch.Tensor], rows: list[int]) -> None:
    for _ in range(2):  # transformers keeps the hooks by which it was once asked for hidden states, the tower's here
        prefill(model, exact(prompt), max_new_tokens=1)
    assert rows == [*all_but_the_last(model), 1] * 2


HOOKED: dict[str, Callable[[Any], Any]] = {
    "layer": lambda text: text.layers[-1],
    "attention": lambda text: text.layers[-1].self_attn,
    "its output": lambda text: text.layers[-1].self_attn.o_proj,
    "feed-forward": lambda text: text.layers[-1].mlp,
    "last norm": lambda text: text.norm,
    "decoder": lambda text: text,
}


@pytest.mark.parametrize("place", HOOKED)
def test_a_hook_sees_all_positions(
    make_model: Callable[..., MoEVLM], prompt: dict[str, torch.Tensor], rows: list[int], place: str
) -> None:
    model, shapes = make_model(), []

    def look(_module: Any, _inputs: Any, output: Any) -> None:
        tensor = getattr(output, "last_hidden_state", output)
        shapes.append((tensor[0] if isinstance(tensor, tuple) else tensor).shape[:2])

    handle = HOOKED[place](model.model.language_model).register_forward_hook(look)
    prefill(model, prompt, max_new_tokens=1)
    assert shapes == [SHAPE]
    assert rows == [SHAPE[1]] * 2
    handle.remove()
    rows.clear()
    prefill(model, prompt, max_new_tokens=1)
    assert rows == [SHAPE[1], 1]


@pytest.mark.parametrize("place", HOOKED)
def test_a_hook_that_is_content_with_the_last_position_gets_it(
    make_model: Callable[..., MoEVLM], prompt: dict[str, torch.Tensor], rows: list[int], place: str
) -> None:
    model = make_model()

    def look(*_: Any) -> None: ...

    look.last_is_enough = True  # type: ignore[attr-defined]
    HOOKED[place](model.model.language_model).register_forward_hook(look)
    prefill(model, prompt, max_new_tokens=1)
    assert rows == [SHAPE[1], 1]


def test_an_input_hook_sees_all_positions(
    make_model: Callable[..., MoEVLM], prompt: dict[str, torch.Tensor], rows: list[int]
) -> None:
    model = make_model()
    model.model.language_model.layers[-1].mlp.register_forward_pre_hook(lambda *_: None)
    prefill(model, prompt, max_new_tokens=1)
    assert rows == [SHAPE[1]] * 2


@torch.inference_mode()
def test_what_is_returned_beside_has_all_positions(
    make_model: Callable[..., MoEVLM], prompt: dict[str, torch.Tensor]
) -> None:
    model = make_model()
    model.set_attn_implementation("eager")
    output = model(**prompt, logits_to_keep=1, output_hidden_states=True, output_attentions=True)
    assert [state.shape[:2] for state in output.hidden_states] == [SHAPE] * 3
    assert [weights.shape[-2:] for weights in output.attentions] == [(SHAPE[1], SHAPE[1])] * 2
    assert output.logits.shape[1] == 1


@torch.inference_mode()
def test_a_record_of_routing_has_all_positions(
    make_model: Callable[..., MoEVLM], prompt: dict[str, torch.Tensor]
) -> None:
    record: list[Any] = []
    make_model()(**prompt, logits_to_keep=1, routing_record=record)
    assert [layer.ids_BSK.shape[:2] for layer in record] == [SHAPE] * 2


@torch.inference_mode()
def test_a_devices_part_of_a_batch_runs_whole(
    make_model: Callable[..., MoEVLM], prompt: dict[str, torch.Tensor], rows: list[int]
) -> None:
    model = make_model()
    model.model.language_model.batch_part = BatchPart(step=2)
    model(**prompt, logits_to_keep=1)
    assert rows == [SHAPE[1]] * 2


@torch.inference_mode()
@pytest.mark.parametrize("kept", [0, 2, torch.tensor([19])])
def test_more_logits_or_named_ones_take_the_whole_pass(
    make_model: Callable[..., MoEVLM], prompt: dict[str, torch.Tensor], rows: list[int], kept: Any
) -> None:
    make_model()(**prompt, logits_to_keep=kept)
    assert rows == [SHAPE[1]] * 2


def test_gradients_are_those_of_the_whole_pass(model: MoEVLM, prompt: dict[str, torch.Tensor]) -> None:
    found = []
    for kept in (0, 1):
        model.zero_grad()
        model(**exact(prompt), logits_to_keep=kept).logits[:, -1].sum().backward()
        found.append(model.model.language_model.layers[0].self_attn.q_proj.weight.grad.clone())
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-8)
