"""What models of a preset launch on a GPU that nobody has measured, on meta tensors, by a name each."""

from collections.abc import Callable, Iterable
from functools import partial

import torch

from moevlm.kernels.tilings import Tile, default_tiling
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
BATCH_SIZES = (1, 8, 32, 64)  # few: programs look through 8, 64, 256 and 512 pairs
MANY_TOKENS = 16384
ROOM = 2176  # tokens of a cache

Launch = Callable[[], object]


def meta(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """Make a tensor that has no content, on no device."""
    return torch.empty(shape, dtype=dtype, device="meta")


def of_model(scale: str, capability: int, batch_sizes: Iterable[int] = BATCH_SIZES) -> dict[str, Launch]:
    """Return a preset's launches in decode of some batches and in prefill, in bfloat16."""
    launches: dict[str, Launch] = {}
    top_k, shared_bytes = _decoder(scale).num_experts_per_tok, SHARED_BYTES[capability]
    sizes = [*(("few", tokens) for tokens in batch_sizes), ("many", MANY_TOKENS), ("fused", MANY_TOKENS)]
    if capability >= PERSISTENT_FROM:
        sizes.append(("persistent", MANY_TOKENS))
    for way, tokens in sizes:
        tiles = default_tiling(way, "bfloat16", shared_bytes, num_pairs=tokens * top_k).tiles
        launches[f"{scale} {way}, {tokens} tokens"] = partial(experts, way, tiles, tokens, scale)
    for samples in batch_sizes:
        launches[f"{scale} step of {samples} samples"] = partial(step, samples, scale)
    return launches


def experts(way: str, tiles: tuple[Tile, ...], num_tokens: int, scale: str) -> None:
    """Launch what a way's experts, or the twin's blocks, are."""
    size = _decoder(scale)
    hidden_size, width, num_experts = size.hidden_size, size.intermediate_size, size.num_experts
    weights = meta(num_experts, 2 * width, hidden_size), meta(num_experts, width, hidden_size)
    hidden_TH = meta(num_tokens, hidden_size)
    if way == "fused":
        fused_dense(*weights, hidden_TH, tiles)
    else:
        ids_TK, weights_TK = (
            meta(num_tokens, size.num_experts_per_tok, dtype=d) for d in (torch.int64, torch.bfloat16)
        )
        ROUTED[way](*weights, hidden_TH, ids_TK, weights_TK, tiles)


def step(num_samples: int, scale: str) -> None:
    """Launch what stands between the products of a decode step."""
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
    for table_PE in (None, meta(64, size.num_experts, dtype=torch.float32), meta(64, size.num_experts)):
        steering = None if table_PE is None else (table_PE, meta(num_samples, dtype=torch.int64))
        route(
            meta(num_samples, size.num_experts), steering, damping=LOGIT_DAMPING, top_k=size.num_experts_per_tok,
            normalises=True, num_open=size.num_experts,
        )  # fmt: skip


def _decoder(scale: str) -> DecoderShape:
    decoder = PRESETS[scale].moe
    assert decoder is not None, "SCALES have an MoE"
    return decoder
