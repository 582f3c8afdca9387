"""What records hold of an arm's work: parts that add up, and floors as computed elsewhere for an H200."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench import floors
from bench.floors import answer_costs, costs_of, depth_facts, joined, mean_distinct_experts, work_of
from bench.harness.peaks import floor_s
from bench.harness.recycled import DISTINCT_LAYERS, OVER_CACHE
from fixtures.models import Twins, build_twins
from moevlm import RoutingProfile, apply_profile, decode_steps, prefill
from moevlm.costs import phase_cost
from moevlm.presets import preset_config
from moevlm.routing.observation import LayerRouting

H200 = {"matmul_flop_per_s": 790e12, "copy_byte_per_s": 4.3e12}  # those of bench.front.shapes


@pytest.fixture(scope="module")
def twins() -> Twins:
    return build_twins("tiny", device=torch.device("cpu"), dtype=torch.float32)


ROUNDING = 0.015  # the tables give two or three digits: 3.554 ms stands there as 3.6

# Milliseconds on an H200: batch -> (7b moe, 7b dense, 34b moe, 34b dense), decode at context 1024.
DECODE_FLOORS_MS = {
    1: (0.49, 3.11, 1.54, 16.0),
    2: (0.83, 3.12, 2.48, 16.0),
    4: (1.38, 3.14, 4.17, 16.1),
    8: (2.14, 3.17, 7.00, 16.2),
    16: (2.88, 3.23, 10.9, 16.4),
    32: (3.32, 3.36, 14.9, 16.9),
    64: (3.61, 3.61, 17.5, 17.7),
    512: (7.3, 12.6, 30.8, 58.3),
}
PROMPT_FLOORS_MS = {  # every layer on all tokens
    (1, 512): (3.3, 8.6, 17.1, 44.6),
    (1, 1024): (3.6, 17.3, 18.9, 89.5),
    (1, 2048): (5.4, 34.7, 23.5, 180),
    (1, 4096): (11.5, 70.0, 42.1, 365),
    (1, 8192): (25.8, 143, 103, 749),
    (8, 2048): (43.3, 277, 149, 1440),
}


def floors_ms(phase: str, *, batch_size: int, seq_len: int) -> list[float]:
    configs = [preset_config(name, arm) for name in ("7b", "34b") for arm in ("moe", "dense")]
    load = {"batch_size": batch_size, "seq_len": seq_len, "dtype_bytes": 2}
    return [1e3 * floor_s(work_of([phase_cost(config, phase, **load)]), H200) for config in configs]


@pytest.mark.parametrize("batch_size", DECODE_FLOORS_MS)
def test_decode_floors(batch_size: int) -> None:
    floors = floors_ms("decode", batch_size=batch_size, seq_len=1024)
    assert floors == pytest.approx(DECODE_FLOORS_MS[batch_size], rel=ROUNDING)


@pytest.mark.parametrize(("batch_size", "seq_len"), PROMPT_FLOORS_MS)
def test_prompt_floors(batch_size: int, seq_len: int) -> None:
    floors = floors_ms("prompt", batch_size=batch_size, seq_len=seq_len)
    assert floors == pytest.approx(PROMPT_FLOORS_MS[batch_size, seq_len], rel=ROUNDING)


def test_a_prefill_saves_less_than_a_layer() -> None:
    """Of 16 and 55 layers, the last one keeps keys and values; most of its dense work goes."""
    whole, short = (floors_ms(phase, batch_size=8, seq_len=2048) for phase in ("prompt", "prefill"))
    saved = [1 - few / many for few, many in zip(short, whole, strict=True)]
    for share, num_layers in zip(saved, (16, 16, 55, 55), strict=True):
        assert 0.75 / num_layers < share < 1 / num_layers


def test_parts_add_up_to_the_work(twins: Twins) -> None:
    for work in costs_of(twins, "decode", batch_size=4, seq_len=64).values():
        flops, moved = zip(*work["parts"], strict=True)
        assert (sum(flops), sum(moved)) == pytest.approx((work["flops"], work["bytes"]))


def test_several_steps_are_one_after_another(twins: Twins) -> None:
    first, second = (costs_of(twins, "decode", seq_len=length)["moe"] for length in (64, 65))
    both = costs_of(twins, "decode", seq_len=64, num_steps=2)["moe"]
    assert both["flops"] == first["flops"] + second["flops"]
    assert both["parts"] == [[a + c, b + d] for (a, b), (c, d) in zip(first["parts"], second["parts"], strict=True)]


def test_work_of_several_phases_keeps_their_parts() -> None:
    works = [{"flops": 1.0, "bytes": 2.0, "parts": [[1.0, 2.0]]}, {"flops": 3.0, "bytes": 4.0, "parts": [[3.0, 4.0]]}]
    assert joined(works) == {"flops": 4.0, "bytes": 6.0, "parts": [[1.0, 2.0], [3.0, 4.0]]}


def text_prompts(twins: Twins, *, num_tiles: int, num_output_tokens: int) -> Any:
    """Two prompts of 64 random tokens, said to have images or not, as `answer_costs` asks of Inputs."""
    vocab_size = twins["moe"].config.text_config.vocab_size
    ids_BS = torch.randint(10, vocab_size, (2, 64), generator=torch.Generator().manual_seed(0))
    return SimpleNamespace(
        tensors={"input_ids": ids_BS},
        prompt_tokens=(64, 64),
        mean_prompt_tokens=64,
        num_tiles=num_tiles,
        num_output_tokens=num_output_tokens,
    )


@pytest.mark.parametrize("num_output_tokens", [1, 4])
def test_an_answer_is_a_prefill_and_its_decode_steps(twins: Twins, num_output_tokens: int) -> None:
    inputs = text_prompts(twins, num_tiles=2, num_output_tokens=num_output_tokens)
    expected = costs_of(twins, "prefill", batch_size=2, seq_len=64, num_tiles=2)["dense"]["flops"]
    for step in range(num_output_tokens - 1):
        expected += costs_of(twins, "decode", batch_size=2, seq_len=64 + step)["dense"]["flops"]
    found = answer_costs(twins, inputs)["dense"]
    assert found["flops"] == pytest.approx(expected)
    assert sum(flops for flops, _ in found["parts"]) == pytest.approx(expected)


@pytest.mark.parametrize("routing", ["uniform", "specialized:16"])
def test_an_answer_reads_the_experts_that_its_prompt_and_its_steps_hit(routing: str) -> None:
    """Counted here from the model's own record, there by hooks on its routers."""
    steered = build_twins(
        "tiny", device=torch.device("cpu"), dtype=torch.float32, routing=RoutingProfile.parse(routing)
    )
    inputs, hit = text_prompts(steered, num_tiles=0, num_output_tokens=4), {}
    records: dict[str, list[LayerRouting]] = {"prefill": [], "decode": []}
    state = prefill(steered["moe"], inputs.tensors, max_new_tokens=4, routing_record=records["prefill"])
    decode_steps(steered["moe"], state, num_steps=3, routing_record=records["decode"])
    for phase, record in records.items():
        counts = [len(set(layer.ids_BSK.flatten().tolist())) for layer in record]
        hit[phase] = sum(counts) / len(counts)
    load = {"batch_size": 2, "seq_len": 64}
    prompt = costs_of(steered, "prefill", **load, distinct=hit["prefill"])["moe"]
    steps = costs_of(steered, "decode", **load, distinct=hit["decode"], num_steps=3)["moe"]
    assert answer_costs(steered, inputs)["moe"]["bytes"] == pytest.approx(prompt["bytes"] + steps["bytes"])
    assert hit["decode"] < hit["prefill"]


def test_costs_are_given_for_each_arm_and_follow_the_experts_that_were_hit(twins: Twins) -> None:
    few, many = (costs_of(twins, "decode", batch_size=4, seq_len=64, distinct=count) for count in (2, 8))
    assert set(few) == {"moe", "dense"}
    text = twins["moe"].config.text_config
    expert_bytes = 3 * text.hidden_size * text.moe_intermediate_size * 4
    assert many["moe"]["bytes"] - few["moe"]["bytes"] == 6 * expert_bytes * text.num_hidden_layers
    assert many["dense"] == few["dense"]


def test_distinct_experts_are_the_mean_over_layers(twins: Twins) -> None:
    apply_profile(twins["moe"], RoutingProfile())
    one_token = {"input_ids": torch.tensor([[7]])}
    count = mean_distinct_experts(twins["moe"], lambda: prefill(twins["moe"], one_token, max_new_tokens=1))
    assert count == twins["moe"].config.text_config.num_experts_per_tok


def test_depth_facts_name_each_arms_full_depth() -> None:
    arms = ("moe", "dense_reference")
    sliced = build_twins("tiny", arms=arms, device=torch.device("cpu"), dtype=torch.float32, depth=1)
    full = {arm: preset_config("tiny", arm).text_config.num_hidden_layers for arm in arms}
    assert depth_facts(sliced) == {"depth": 1, "full_depth_moe": full["moe"], "full_depth_dense_reference": 4}


def test_the_facts_of_recycled_layers_say_how_many_are_distinct_and_what_they_are_beside_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = {"device": torch.device("cpu"), "dtype": torch.float32}
    assert DISTINCT_LAYERS not in depth_facts(build_twins("tiny", **built))
    recycled = build_twins("tiny", **built, distinct_layers=1)
    monkeypatch.setattr(floors, "last_level_cache_bytes", lambda _: 2**20)
    facts = depth_facts(recycled)
    text = recycled["moe"].config.text_config
    attention = (2 * text.num_attention_heads + 2 * text.num_key_value_heads) * text.head_dim * text.hidden_size
    passed = attention + text.num_experts_per_tok * 3 * text.hidden_size * text.moe_intermediate_size
    assert (facts["depth"], facts[DISTINCT_LAYERS], facts[OVER_CACHE]) == (2, 1, 4 * passed / 2**20)
    monkeypatch.setattr(floors, "last_level_cache_bytes", lambda _: None)
    assert OVER_CACHE not in depth_facts(recycled)
