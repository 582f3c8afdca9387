"""Which kernels a GPU runs for a shape and a number of tokens: what was measured there, else a predicted default.

`python -m bench.tune_experts` measures the ways on a GPU and writes the table; nothing is tried while a model runs, so
neither a captured graph nor a clock ever sees a search.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

MEASURED = Path(__file__).parent / "triton" / "measured.json"
MOST_FEW_PAIRS = 512  # (token, expert) pairs that a program of the few-token kernels looks through

EXPERT_WAYS = {
    "few": "Triton, no sort: each program finds its expert's pairs; each hit expert's weights are read once",
    "many": "Triton, pairs sorted by expert: gather in the load, SwiGLU in the epilogue",
    "grouped_mm": "torch's grouped product, with what stands around it compiled",
    "persistent": "Triton, rows gathered once, tiles by bulk copies, programs that stay; only where it was measured",
}
DENSE_WAYS = {
    "products": "torch's matrix products",
    "fused": "Triton's gate, up and SwiGLU in one, then torch's product",
}


class Tile(NamedTuple):
    """How one product is cut: rows, columns and summed columns of a tile, warps of a program, stages of its loads."""

    block_m: int
    block_n: int
    block_k: int
    num_warps: int
    num_stages: int

    def options(self) -> dict[str, int]:
        """Return the arguments that Triton's launches take."""
        return {
            "BLOCK_M": self.block_m,
            "BLOCK_N": self.block_n,
            "BLOCK_K": self.block_k,
            "num_warps": self.num_warps,
            "num_stages": self.num_stages,
        }


# Predicted for an SM90 and 2-byte values, by way: few tokens need many loads in flight, many need large tiles. Gate and
# up hold two sums, so their tile is half as wide as down's. No GPU has run them yet.
TILES: dict[str, tuple[Tile, ...]] = {
    "few": (Tile(16, 32, 128, 4, 4), Tile(16, 64, 128, 4, 3)),
    "many": (Tile(128, 128, 64, 8, 3), Tile(128, 256, 64, 8, 3)),
    "grouped_mm": (),
    "persistent": (),  # as moevlm.kernels.triton.persistent predicts
    "products": (),
    "fused": (Tile(128, 128, 64, 8, 3),),
}
# Of more pairs than these a program of four warps keeps so much of its search that it takes all 255 registers of a
# thread, and some spill; of eight warps, 80 (docs/records/compiled-gpu.json).
FOUR_WARPS_PAIRS = 256
EIGHT_WARPS_TILES = (Tile(16, 64, 128, 8, 3), Tile(16, 64, 128, 8, 3))
WIDE_TILES: dict[str, tuple[Tile, ...]] = TILES | {  # 4-byte values, multiplied without tensor cores
    "few": (Tile(16, 32, 64, 4, 3), Tile(16, 64, 32, 4, 3)),
    "many": (Tile(64, 64, 32, 8, 2), Tile(64, 64, 32, 8, 2)),
    "fused": (Tile(64, 64, 32, 8, 2),),
}
COPIED_VALUES = 8  # of 2 bytes, in the 16 bytes that a bulk copy's rows are whole multiples of
MATRICES = (2, 1)  # that a tile of the first product (gate, up) and of the second (down) reads
MOST_TILE_BYTES = 96 * 1024  # shared memory that every GPU since SM80 gives a program; SM90 gives 227 KiB


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a choice of kernels depends on beside the tokens; top_k = num_experts stands for the dense twin."""

    device: str  # as torch.cuda.get_device_name gives it
    dtype: str  # "bfloat16"
    num_experts: int
    top_k: int
    hidden_size: int
    width: int  # of one expert

    @property
    def is_dense(self) -> bool:
        """Tell whether every token takes every block."""
        return self.top_k == self.num_experts

    @property
    def ways(self) -> Sequence[str]:
        """Return the ways that compute this shape."""
        return list(DENSE_WAYS if self.is_dense else EXPERT_WAYS)


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """A way, its tiles (none where torch cuts the products), and whether a GPU of this name has measured it."""

    way: str
    tiles: tuple[Tile, ...]
    is_measured: bool


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The fastest way of one shape at one number of tokens."""

    shape: Shape
    num_tokens: int
    tiling: Tiling
    seconds: float  # median of one layer


def takes(way: str, shape: Shape, num_tokens: int) -> bool:
    """Tell whether a way can run.

    Few tokens are few pairs to look through, compiled grouped_mm is bfloat16 alone, and bulk copies take rows of whole
    16 bytes, of which tiles of 2-byte values fit.
    """
    if way == "few":
        return num_tokens * shape.top_k <= MOST_FEW_PAIRS
    if way == "persistent":
        is_aligned = shape.hidden_size % COPIED_VALUES == 0 and shape.width % COPIED_VALUES == 0
        return is_aligned and shape.dtype in ("bfloat16", "float16")
    return way != "grouped_mm" or shape.dtype == "bfloat16"


def choose(shape: Shape, num_tokens: int, *, path: Path = MEASURED, most_shared_bytes: int = MOST_TILE_BYTES) -> Tiling:
    """Return the tiling measured at the number of tokens nearest in ratio.

    Else the predicted one: torch's products for a dense twin, Triton for experts.

    Args:
        num_tokens: Rows of the hidden states, at least 1.
        most_shared_bytes: Shared memory that the GPU gives a program; predicted tiles are made to fit.
    """
    known = [entry for entry in read(path) if entry.shape == shape and takes(entry.tiling.way, shape, num_tokens)]
    if known:
        return min(known, key=lambda entry: abs(math.log(entry.num_tokens / num_tokens))).tiling
    experts_way = "few" if takes("few", shape, num_tokens) else "many"
    way, num_pairs = "products" if shape.is_dense else experts_way, num_tokens * shape.top_k
    return default_tiling(way, shape.dtype, most_shared_bytes, num_pairs=num_pairs)


def default_tiling(way: str, dtype: str, most_shared_bytes: int, *, num_pairs: int = 0) -> Tiling:
    """Return a way with its predicted tiles, their stages cut to what the GPU's shared memory holds."""
    value_bytes = getattr(torch, dtype).itemsize
    tiles = TILES[way] if value_bytes <= 2 else WIDE_TILES[way]
    if way == "few" and value_bytes <= 2 and num_pairs > FOUR_WARPS_PAIRS:
        tiles = EIGHT_WARPS_TILES
    fitted = []
    for tile, matrices in zip(tiles, MATRICES, strict=False):  # a dense twin has Triton's first product alone
        stage_bytes = (tile.block_m + matrices * tile.block_n) * tile.block_k * value_bytes
        fitted.append(tile._replace(num_stages=max(1, min(tile.num_stages, most_shared_bytes // stage_bytes))))
    return Tiling(way=way, tiles=tuple(fitted), is_measured=False)


@cache
def read(path: Path) -> tuple[Entry, ...]:
    """Return the table's entries; read once a process.

    Raises:
        ValueError: The file is no such table.
    """
    try:
        return tuple(_entry(row) for row in json.loads(path.read_text()))
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} must hold rows as bench.tune_experts writes them, got {error!r}; measure again with it"
        ) from error


def _entry(row: dict[str, Any]) -> Entry:
    shape = Shape(**row["shape"])
    if row["way"] not in shape.ways:
        raise ValueError(f"way must be one of {', '.join(shape.ways)}, got {row['way']!r}")
    tiling = Tiling(way=row["way"], tiles=tuple(Tile(*tile) for tile in row["tiles"]), is_measured=True)
    return Entry(shape=shape, num_tokens=row["num_tokens"], tiling=tiling, seconds=row["seconds"])


def write(entries: Iterable[Entry], path: Path) -> None:
    """Write entries into the table, in place of those of the same shape and tokens."""
    kept = {(entry.shape, entry.num_tokens): entry for entry in read(path)} if path.exists() else {}
    kept |= {(entry.shape, entry.num_tokens): entry for entry in entries}
    rows = [
        {
            "shape": asdict(entry.shape),
            "num_tokens": entry.num_tokens,
            "way": entry.tiling.way,
            "tiles": entry.tiling.tiles,
            "seconds": entry.seconds,
        }
        for entry in kept.values()
    ]
    path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    read.cache_clear()
