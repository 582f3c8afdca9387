"""FLOPs against torch's own counter, bytes against sums by hand, floors against a table computed elsewhere."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from fixtures.models import build_twins
from moevlm.compat import CACHE
from moevlm.costs import Cost, Part, expected_distinct_experts, kv_bytes_per_token, phase_cost
from moevlm.model.tokenizer import IMAGE_TOKEN_ID
from moevlm.model.vision_language import MoEVLM
from moevlm.presets import preset_config

BATCH_SIZE, SEQ_LEN, NUM_TILES = 2, 24, 2


def build(arm: str) -> MoEVLM:
    """Build a tiny model whose every product the counter sees: eager attention and experts."""
    device = torch.device("cpu")
    model = build_twins("tiny", arms=(arm,), device=device, dtype=torch.float32, expert_backend="eager")[arm]
    model.set_attn_implementation("eager")
    return model


def count_flops(model: MoEVLM, **inputs: object) -> int:
    """Return what torch counts in a forward pass, less the RoPE table: a product in some transformers versions.

    Gradients are wanted, for then the feed-forward is torch's own products, which the counter knows.
    """
    counter = FlopCounterMode(display=False)
    with torch.enable_grad(), counter:
        model(**inputs)
    counts = counter.get_flop_counts()
    rotary = [sum(ops.values()) for name, ops in counts.items() if name.endswith(".rotary_emb")]
    return counter.get_total_flops() - sum(rotary)


def part(cost: Cost, name: str) -> Part:
    return next(part for part in cost.parts if part.name == name)


def prompt() -> torch.Tensor:
    return torch.arange(BATCH_SIZE * SEQ_LEN).reshape(BATCH_SIZE, SEQ_LEN) + 4


ARMS = ["moe", "dense", "dense_active", "dense_reference"]


@pytest.mark.parametrize("arm", ARMS)
def test_flops_of_a_whole_prompt_are_what_torch_counts(arm: str) -> None:
    model = build(arm)
    model.model.language_model.layers[-1].register_forward_hook(lambda *_: None)  # wants all tokens
    cost = phase_cost(model.config, "prompt", batch_size=BATCH_SIZE, seq_len=SEQ_LEN, dtype_bytes=4)
    # Eager attention computes all S^2 pairs and masks those after the query; the floor counts S (S + 1) / 2.
    masked_pairs = (SEQ_LEN - 1) / (SEQ_LEN + 1)
    expected = cost.flops + masked_pairs * part(cost, "attention").flops
    assert count_flops(model, input_ids=prompt(), logits_to_keep=1) == expected


@pytest.mark.parametrize("arm", ARMS)
def test_prefill_flops_are_what_torch_counts(arm: str) -> None:
    model = build(arm)
    text = model.config.text_config
    cost = phase_cost(model.config, "prefill", batch_size=BATCH_SIZE, seq_len=SEQ_LEN, dtype_bytes=4)
    heads_width, others = text.num_attention_heads * text.head_dim, BATCH_SIZE * (SEQ_LEN - 1)
    masked = 2 * 2 * heads_width * (text.num_hidden_layers - 1) * others * SEQ_LEN / 2  # as above, but for the last
    idle = 2 * text.hidden_size * heads_width * others  # the last layer computes all queries with the keys
    assert count_flops(model, input_ids=prompt(), logits_to_keep=1) == cost.flops + masked + idle


def test_prefill_by_hand() -> None:
    load = {"batch_size": 3, "seq_len": 10, "dtype_bytes": 2, "distinct_experts": 5}
    cost = phase_cost(preset_config("tiny"), "prefill", **load)
    last_hit = 8 * (1 - (6 / 8) ** 3)  # of 8 experts, by 3 tokens that choose 2 each
    assert {part.name: part.bytes for part in cost.parts} == pytest.approx({
        "attention_projections": 2 * 2 * (64 * 64 + 2 * 64 * 32 + 64 * 64),
        "attention": 2 * 2 * 30 * 2 * 32,
        "router": 2 * 2 * 64 * 8,
        "ffn": 2 * (5 + last_hit) * 3 * 64 * 32,
        "head": 2 * 64 * 2048,
    })  # fmt: skip
    assert {part.name: part.flops for part in cost.parts} == {
        "attention_projections": 2 * 64 * (2 * 30 * 64 + 2 * 2 * 30 * 32 + 2 * 3 * 64),  # q, o; k, v twice; last q, o
        "attention": 2 * 2 * 64 * (3 * 55 + 3 * 10),
        "router": 2 * 64 * 8 * (30 + 3),
        "ffn": 2 * 2 * (30 + 3) * 3 * 64 * 32,
        "head": 2 * 3 * 64 * 2048,
    }


def test_the_last_layer_reads_no_more_experts_than_were_hit() -> None:
    few = phase_cost(preset_config("tiny"), "prefill", batch_size=3, seq_len=10, dtype_bytes=2, distinct_experts=2)
    assert part(few, "ffn").bytes == 2 * (2 + 2) * 3 * 64 * 32


@pytest.mark.parametrize("arm", ["moe", "dense"])
def test_decode_flops_are_what_torch_counts(arm: str) -> None:
    model = build(arm)
    with torch.inference_mode():
        cache = model(input_ids=prompt(), use_cache=True)[CACHE]
    cost = phase_cost(model.config, "decode", batch_size=BATCH_SIZE, seq_len=SEQ_LEN, dtype_bytes=4)
    assert count_flops(model, input_ids=prompt()[:, :1], cache=cache) == cost.flops


def test_vision_flops_are_what_torch_counts() -> None:
    model = build("dense")
    model.config.vision_feature_layer = -1  # the layers after the chosen one run all the same, but need not
    num_image_tokens = NUM_TILES * model.config.image_seq_length // BATCH_SIZE
    ids = torch.full((BATCH_SIZE, num_image_tokens + 1), IMAGE_TOKEN_ID)
    ids[:, 0] = 1
    pixels = torch.zeros(NUM_TILES, 3, 56, 56)
    text_only = count_flops(model, input_ids=ids)
    counted = count_flops(model, input_ids=ids, pixel_values=pixels) - text_only
    assert counted == phase_cost(model.config, "vision", num_tiles=NUM_TILES, dtype_bytes=4).flops


def test_vision_counts_the_layers_up_to_the_chosen_one() -> None:
    config = preset_config("tiny")
    last = phase_cost(config, "vision", num_tiles=1, dtype_bytes=4)
    config.vision_feature_layer = -1
    every = phase_cost(config, "vision", num_tiles=1, dtype_bytes=4)
    assert part(every, "vision").bytes - part(last, "vision").bytes == 4 * (4 * 32 * 32 + 2 * 32 * 64)


def test_one_expert_layer_counts_top_k_experts_a_token() -> None:
    cost = phase_cost(preset_config("tiny"), "experts", batch_size=5, dtype_bytes=4)
    assert [part.name for part in cost.parts] == ["ffn"]
    assert cost.flops == 5 * 2 * (2 * 3 * 64 * 32)


def test_prefill_with_images_is_vision_then_text() -> None:
    config = preset_config("proxy")
    text = phase_cost(config, "prefill", batch_size=3, seq_len=70, dtype_bytes=2)
    vision = phase_cost(config, "vision", num_tiles=3, dtype_bytes=2)
    both = phase_cost(config, "prefill", batch_size=3, seq_len=70, num_tiles=3, dtype_bytes=2)
    assert both.parts == (*vision.parts, *text.parts)


def test_decode_bytes_by_hand() -> None:
    cost = phase_cost(preset_config("tiny"), "decode", batch_size=3, seq_len=10, dtype_bytes=2, distinct_experts=5)
    assert {part.name: part.bytes for part in cost.parts} == {
        "attention_projections": 2 * 2 * (64 * 64 + 2 * 64 * 32 + 64 * 64),  # layers x bytes x (q, k and v, o)
        "attention": 2 * 2 * 3 * (10 + 1) * 2 * 32,  # keys and values of 11 tokens in each of 3 samples
        "router": 2 * 2 * 64 * 8,
        "ffn": 2 * 2 * 5 * 3 * 64 * 32,
        "head": 2 * 64 * 2048,
    }
    assert cost.bytes == 49152 + 8448 + 2048 + 122880 + 262144


def test_the_dense_twin_reads_all_of_its_ffn_and_has_no_router() -> None:
    cost = phase_cost(preset_config("tiny", "dense"), "decode", seq_len=10, dtype_bytes=4)
    assert part(cost, "ffn").bytes == 4 * 2 * 3 * 64 * 256
    assert "router" not in [part.name for part in cost.parts]


def test_all_experts_are_the_dense_twin() -> None:
    load = {"batch_size": 7, "dtype_bytes": 2}
    moe = phase_cost(preset_config("7b"), "experts", distinct_experts=64, **load)
    dense = phase_cost(preset_config("7b", "dense"), "experts", **load)
    assert moe.bytes == dense.bytes
    assert moe.flops * 8 == dense.flops


@pytest.mark.parametrize(
    ("num_experts", "expected"),
    [(64, [8, 15, 26.5, 42, 56, 63]), (128, [8, 15.5, 29, 52, 82, 112, 126])],
)
def test_distinct_experts_of_doubling_batches(num_experts: int, expected: list[float]) -> None:
    hit = [expected_distinct_experts(num_experts, 8, 2**power) for power in range(len(expected))]
    assert hit == pytest.approx(expected, abs=0.6)


def test_distinct_experts_match_a_simulation() -> None:
    scores = torch.rand(2000, 6, 16, generator=torch.Generator().manual_seed(0))
    chosen = scores.topk(3, dim=-1).indices.flatten(1)
    hit = torch.zeros(2000, 16).scatter(1, chosen, 1).sum(1).mean()
    assert expected_distinct_experts(16, 3, 6) == pytest.approx(float(hit), rel=0.01)


def test_cached_bytes_of_a_token() -> None:
    assert kv_bytes_per_token(preset_config("7b"), dtype_bytes=2) == 16 * 2 * 4 * 128 * 2


@pytest.mark.parametrize(
    ("phase", "sizes", "message"),
    [
        ("train", {}, "phase must be one of vision, prefill, prompt, decode, experts, got 'train'"),
        ("decode", {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ("prefill", {"seq_len": 0}, "seq_len must be at least 1, got 0"),
        ("vision", {"num_tiles": -1}, "num_tiles must be at least 0, got -1"),
    ],
)
def test_impossible_phases_are_errors(phase: str, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        phase_cost(preset_config("tiny"), phase, dtype_bytes=2, **sizes)
