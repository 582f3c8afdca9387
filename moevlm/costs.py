"""The floor: FLOPs and bytes that a phase cannot do without, part by part.

Counted: matrix products (a multiply and an add are two FLOPs), attention over the tokens a query may see, each weight
matrix that is used read once, keys and values written, and read when decoding. Not counted: norms, softmax, RoPE,
activations between the products, embedding rows, padding, and traffic that a larger cache would avoid. A lower bound.
Only the last token of a prompt gets logits, so the last layer need give no other token more than a key and a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from moevlm.config import MoEVLMConfig


FLOPS_PER_MAC = 2  # multiply and add
SWIGLU_MATRICES = 3  # gate, up, down
MLP_MATRICES = 2  # of the vision tower: in, out
ATTENTION_PRODUCTS = 2  # Q K^T and P V


@dataclass(frozen=True, kw_only=True)
class Part:
    """Work of one part of the model, all its layers together; within a layer the parts run one after another."""

    name: str
    flops: float
    bytes: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Work of a phase: its parts, and their sums."""

    parts: tuple[Part, ...]

    @property
    def flops(self) -> float:
        """Return the FLOPs of all parts."""
        return sum(part.flops for part in self.parts)

    @property
    def bytes(self) -> float:
        """Return the bytes read and written by all parts."""
        return sum(part.bytes for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class _Load:
    """What a phase works on; see `phase_cost`."""

    config: MoEVLMConfig
    batch_size: int
    seq_len: int
    num_tiles: int
    dtype_bytes: int
    distinct_experts: float | None


class _Queries(NamedTuple):
    """The tokens of all samples whose output a layer computes, and the pairs of a token and one that it sees."""

    tokens: int
    pairs: int


def phase_cost(
    config: MoEVLMConfig,
    phase: str,
    *,
    batch_size: int = 1,
    seq_len: int = 1,
    num_tiles: int = 0,
    dtype_bytes: int,
    distinct_experts: float | None = None,
) -> Cost:
    """Return the FLOPs and bytes of one run of a phase.

    Args:
        config: The whole model's configuration.
        phase: "vision" (tower and projector), "prefill" (vision of the prompt's tiles, then the decoder, logits of
            the last token), "prompt" (the same with every layer on all tokens, as hooks and records have it),
            "decode" (one step of one token a sample) or "experts" (the feed-forward part of one layer, without its
            router).
        batch_size: Samples.
        seq_len: Tokens a sample: of the prompt (image tokens included), in the cache before the decode step, or fed
            to the experts. Vision does without.
        num_tiles: Tiles encoded for the whole batch: one an image in the fixed scheme, several in anyres.
        dtype_bytes: Bytes of a weight and of a cached value.
        distinct_experts: Experts hit in a layer, mean over layers; None: expected under uniform routing.

    Raises:
        ValueError: The phase is unknown, or a size too small.
    """
    if phase not in PHASES:
        raise ValueError(f"phase must be one of {', '.join(PHASES)}, got {phase!r}; choose one of them")
    for name, value, least in (("batch_size", batch_size, 1), ("seq_len", seq_len, 1), ("num_tiles", num_tiles, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}; raise it")
    load = _Load(
        config=config,
        batch_size=batch_size,
        seq_len=seq_len,
        num_tiles=num_tiles,
        dtype_bytes=dtype_bytes,
        distinct_experts=distinct_experts,
    )
    return Cost(parts=PHASES[phase](load))


def expected_distinct_experts(num_experts: int, top_k: int, num_tokens: int) -> float:
    """Return how many experts `num_tokens` tokens hit if each draws `top_k` of `num_experts` uniformly: E(1-(1-K/E)^T).

    >>> round(expected_distinct_experts(64, 8, 4), 1)
    26.5
    """
    return num_experts * (1 - (1 - top_k / num_experts) ** num_tokens)


def kv_bytes_per_token(config: MoEVLMConfig, *, dtype_bytes: int) -> int:
    """Return the bytes of keys and values that one token leaves in the cache, all layers together."""
    text = config.text_config
    return 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim * dtype_bytes


def _vision(load: _Load) -> tuple[Part, ...]:
    return (_tower(load), _projector(load))


def _prefill(load: _Load) -> tuple[Part, ...]:
    last = _Queries(load.batch_size, load.batch_size * load.seq_len)
    return _of_prompt(load, last)


def _prompt(load: _Load) -> tuple[Part, ...]:
    return _of_prompt(load, None)


def _of_prompt(load: _Load, last: _Queries | None) -> tuple[Part, ...]:
    num_tokens = load.batch_size * load.seq_len
    queries = _Queries(num_tokens, num_tokens * (load.seq_len + 1) // 2)
    vision = _vision(load) if load.num_tiles else ()
    return (*vision, *_decoder(load, queries, last, num_tokens=num_tokens, num_cached=num_tokens))


def _decode(load: _Load) -> tuple[Part, ...]:
    num_pairs = load.batch_size * (load.seq_len + 1)  # the step's own token is cached, then seen
    queries = _Queries(load.batch_size, num_pairs)
    return _decoder(load, queries, None, num_tokens=load.batch_size, num_cached=num_pairs)


def _experts(load: _Load) -> tuple[Part, ...]:
    return (_ffn(load, num_tokens=load.batch_size * load.seq_len, num_layers=1, distinct=load.distinct_experts),)


PHASES: dict[str, Callable[[_Load], tuple[Part, ...]]] = {
    "vision": _vision,
    "prefill": _prefill,
    "prompt": _prompt,
    "decode": _decode,
    "experts": _experts,
}


def _decoder(
    load: _Load, queries: _Queries, last: _Queries | None, *, num_tokens: int, num_cached: int
) -> tuple[Part, ...]:
    """Return the parts of the decoder on `num_tokens` tokens, of which each sample's last one gets logits.

    Args:
        queries: Of every layer, but for the last one where `last` are its.
        num_cached: Tokens moved to or from the cache.
    """
    text = load.config.text_config
    sizes = {"num_tokens": num_tokens, "num_cached": num_cached}
    layers = _layers(load, queries, **sizes, num_layers=text.num_hidden_layers - 1, distinct=load.distinct_experts)
    hit = load.distinct_experts
    if last is not None and text.num_experts:
        fewer = expected_distinct_experts(text.num_experts, text.num_experts_per_tok, last.tokens)
        hit = fewer if hit is None else min(hit, fewer)
    end = _layers(load, last or queries, **sizes, num_layers=1, distinct=hit)
    head = _product("head", load=load, num_tokens=load.batch_size, num_weights=text.hidden_size * text.vocab_size)
    return (*map(_together, layers, end), head)


def _layers(
    load: _Load, queries: _Queries, *, num_tokens: int, num_cached: int, num_layers: int, distinct: float | None
) -> list[Part]:
    """Return the parts of some layers that compute keys and values of all tokens, everything else of the queries."""
    text = load.config.text_config
    product = partial(_product, load=load)
    width = num_layers * text.hidden_size
    of_queries = width * 2 * text.num_attention_heads * text.head_dim  # q and o
    of_tokens = width * 2 * text.num_key_value_heads * text.head_dim  # k and v
    projections = (
        product("attention_projections", num_tokens=queries.tokens, num_weights=of_queries),
        product("attention_projections", num_tokens=num_tokens, num_weights=of_tokens),
    )
    parts = [_together(*projections), _attention(load, num_layers, num_pairs=queries.pairs, num_cached=num_cached)]
    if text.num_experts:
        parts.append(product("router", num_tokens=queries.tokens, num_weights=width * text.num_experts))
    return [*parts, _ffn(load, num_tokens=queries.tokens, num_layers=num_layers, distinct=distinct)]


def _together(one: Part, other: Part) -> Part:
    return Part(name=one.name, flops=one.flops + other.flops, bytes=one.bytes + other.bytes)


def _product(name: str, *, load: _Load, num_tokens: int, num_weights: int) -> Part:
    """Return the work of tokens that each meet every one of `num_weights` weights."""
    return Part(name=name, flops=FLOPS_PER_MAC * num_tokens * num_weights, bytes=num_weights * load.dtype_bytes)


def _attention(load: _Load, num_layers: int, *, num_pairs: int, num_cached: int) -> Part:
    """Return the work of softmax(Q K^T) V over query-key pairs, with `num_cached` tokens moved to or from the cache."""
    text = load.config.text_config
    macs_per_pair = ATTENTION_PRODUCTS * text.num_attention_heads * text.head_dim * num_layers
    layer_bytes = kv_bytes_per_token(load.config, dtype_bytes=load.dtype_bytes) // text.num_hidden_layers
    return Part(
        name="attention",
        flops=FLOPS_PER_MAC * macs_per_pair * num_pairs,
        bytes=layer_bytes * num_layers * num_cached,
    )


def _ffn(load: _Load, *, num_tokens: int, num_layers: int, distinct: float | None) -> Part:
    """Return the work of the feed-forward layers: all of a dense one, the experts hit of an MoE."""
    text = load.config.text_config
    if not text.num_experts:
        num_weights = num_layers * SWIGLU_MATRICES * text.hidden_size * text.intermediate_size
        return _product("ffn", load=load, num_tokens=num_tokens, num_weights=num_weights)
    expert_weights = num_layers * SWIGLU_MATRICES * text.hidden_size * text.moe_intermediate_size
    num_hit = distinct
    if num_hit is None:
        num_hit = expected_distinct_experts(text.num_experts, text.num_experts_per_tok, num_tokens)
    return Part(
        name="ffn",
        flops=FLOPS_PER_MAC * num_tokens * text.num_experts_per_tok * expert_weights,
        bytes=num_hit * expert_weights * load.dtype_bytes,
    )


def _tower(load: _Load) -> Part:
    """Return the work of the vision tower: patch embedding, then the layers up to the one whose output is used."""
    vision: Any = load.config.vision_config  # transformers allows pairs where this project has one side
    width, patches = vision.hidden_size, (vision.image_size // vision.patch_size) ** 2
    tokens = patches + 1  # the class token
    patch_weights = vision.num_channels * vision.patch_size**2 * width
    layer_weights = 4 * width**2 + MLP_MATRICES * width * vision.intermediate_size  # q, k, v, o
    layer_macs = tokens * layer_weights + ATTENTION_PRODUCTS * tokens**2 * width
    num_layers = load.config.vision_feature_layer % (vision.num_hidden_layers + 1)  # state 0 is the embedding
    return Part(
        name="vision",
        flops=FLOPS_PER_MAC * load.num_tiles * (patches * patch_weights + num_layers * layer_macs),
        bytes=(patch_weights + num_layers * layer_weights) * load.dtype_bytes,
    )


def _projector(load: _Load) -> Part:
    config = load.config
    width = config.text_config.hidden_size
    num_weights = config.vision_config.hidden_size * width + width**2
    num_tokens = load.num_tiles * config.image_seq_length
    return _product("projector", load=load, num_tokens=num_tokens, num_weights=num_weights)
