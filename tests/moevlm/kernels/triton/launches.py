"""Every launch that a way may choose, on meta tensors: what is compiled where there is no GPU, by a name each."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import zip_longest

import torch

from bench.tune_experts.candidates import SEARCHED
from moevlm.kernels.tilings import Tile, default_tiling
from moevlm.kernels.triton import persistent
from moevlm.kernels.triton.attend import attend
from moevlm.kernels.triton.dense import fused_dense
from moevlm.kernels.triton.few import few_experts
from moevlm.kernels.triton.heads import write_heads
from moevlm.kernels.triton.many import many_experts
from moevlm.kernels.triton.norm import add_rms_norm
from moevlm.kernels.triton.persistent import persistent_experts
from moevlm.kernels.triton.route import route
from moevlm.presets import PRESETS
from moevlm.presets.shapes import DecoderShape
from moevlm.routing.router import LOGIT_DAMPING

SHARED_BYTES = {80: 163 << 10, 90: 227 << 10, 100: 227 << 10}  # of a program: CUDA's programming guide, 5.1
PERSISTENT_FROM = 90  # bulk copies; where there are none, Triton writes loads in their place, and registers spill
ROUTED = {"few": few_experts, "many": many_experts, "persistent": persistent_experts}
FEW_TOKENS = (1, 8, 32, 64)  # programs look through 8, 64, 256 and 512 pairs
MANY_TOKENS = 16384
ROOM = 2176  # of a cache
SCALES = ("7b", "34b")

Launch = Callable[[], object]


def meta(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """Make a tensor that has no content, on no device."""
    return torch.empty(shape, dtype=dtype, device="meta")


def _decoder(scale: str) -> DecoderShape:
    decoder = PRESETS[scale].moe
    assert decoder is not None
    return decoder


def _experts(way: str, tiles: tuple[Tile, ...], num_tokens: int, scale: str) -> None:
    size = _decoder(scale)
    hidden_size, width, num_experts = size.hidden_size, size.intermediate_size, size.num_experts
    weights = meta(num_experts, 2 * width, hidden_size), meta(num_experts, width, hidden_size)
    hidden_TH = meta(num_tokens, hidden_size)
    if way == "fused":
        fused_dense(*weights, hidden_TH, tiles)
    else:
        ids_TK, weights_TK = (meta(num_tokens, size.num_experts_per_tok, dtype=d) for d in (torch.int64, torch.bfloat16))
        ROUTED[way](*weights, hidden_TH, ids_TK, weights_TK, tiles)


def predicted(capability: int) -> dict[str, Launch]:
    """Return the launches of models on a GPU that nobody has measured."""
    launches: dict[str, Launch] = {}
    for scale in SCALES:
        top_k = _decoder(scale).num_experts_per_tok
        sizes = [("few", tokens) for tokens in FEW_TOKENS] + [("many", MANY_TOKENS), ("fused", MANY_TOKENS)]
        for way, tokens in sizes:
            shared = SHARED_BYTES[capability]
            tiles = default_tiling(way, "bfloat16", shared, num_pairs=tokens * top_k).tiles
            launches[f"{scale} {way}, {tokens} tokens"] = partial(_experts, way, tiles, tokens, scale)
        if capability >= PERSISTENT_FROM:
            name = f"{scale} persistent, {MANY_TOKENS} tokens"
            launches[name] = partial(_experts, "persistent", persistent.PREDICTED, MANY_TOKENS, scale)
        for samples in (1, 8, 64):
            launches[f"{scale} step of {samples} samples"] = partial(_step, samples, scale)
    return launches


def searched() -> dict[str, Launch]:
    """Return the launches that tuning tries beside, at 7b: tiles of both products side by side."""
    launches: dict[str, Launch] = {}
    for way, products in SEARCHED.items():
        filled = [[*tiles, *[tiles[0]] * (max(map(len, products)) - len(tiles))] for tiles in products]
        for tiles in zip_longest(*filled):
            for tokens in FEW_TOKENS[1::2] if way == "few" else (MANY_TOKENS,):
                name = f"7b {way}, {tokens} tokens, {' + '.join(str(tuple(tile)) for tile in tiles)}"
                launches[name] = partial(_experts, way, tiles, tokens, "7b")
    return launches


def every(capability: int) -> Mapping[str, Launch]:
    """Return all of them."""
    return predicted(capability) | searched()


def _step(num_samples: int, scale: str) -> None:
    """Launch what stands beside the products of a decode step."""
    size = _decoder(scale)
    queries, keys, width = size.num_attention_heads, size.num_key_value_heads, size.head_dim
    hidden_TH, slot_1 = meta(num_samples, size.hidden_size), meta(1, dtype=torch.int64)
    memory = meta(num_samples, keys, ROOM, width), meta(num_samples, keys, ROOM, width)
    for delta_TH in (None, hidden_TH):
        add_rms_norm(hidden_TH, delta_TH, meta(size.hidden_size), 1e-6)
    tables = meta(num_samples, 1, 1, width), meta(num_samples, 1, 1, width)
    projected_BD = meta(num_samples, (queries + 2 * keys) * width)
    query_BNW = write_heads(projected_BD, (meta(width), meta(width)), tables, slot_1, memory, epsilon=1e-6)
    attend(query_BNW, memory, meta(num_samples, ROOM, dtype=torch.bool), slot_1, scale=width**-0.5)
    table_PE, rows_T = meta(64, size.num_experts, dtype=torch.float32), meta(num_samples, dtype=torch.int64)
    for steering in (None, (table_PE, rows_T)):
        route(
            meta(num_samples, size.num_experts), steering, damping=LOGIT_DAMPING, top_k=size.num_experts_per_tok,
            normalises=True, num_open=size.num_experts,
        )  # fmt: skip
