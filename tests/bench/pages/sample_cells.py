"""Cells of batch and length made of plain work, and scenarios that were measured at some of them."""

import json
from pathlib import Path
from typing import Any

from msgspec import structs

from bench.harness.record import Scenario
from bench.pages.results.cells import Cell
from bench.pages.results.gains import Gain
from tests.bench.pages.sample_gains import gains, scenario

BYTE_PER_S = 10.0  # of sample_gains' peaks


def cost(seconds: float) -> dict[str, Any]:
    """Return the work of a floor of so many seconds."""
    return {"flops": 0.0, "bytes": BYTE_PER_S * seconds, "parts": [[0.0, BYTE_PER_S * seconds]]}


def cell(batch: int, length: int, moe_s: float = 1.0, dense_s: float = 4.0, **fields: Any) -> Cell:
    """Return a cell by the floors of its arms."""
    plain = {"scale": "7b", "phase": "decode", "batch_size": batch, "length": length}
    return Cell(**{**plain, "costs": {"moe": cost(moe_s), "dense": cost(dense_s)}, **fields})


def measured(batch: int, length: int, times: tuple[float, float], **fields: Any) -> Scenario:
    """Return a scenario of floors 1 s and 4 s that took so long."""
    one = scenario(*times, batch=batch, length=length, cost=cost(1.0), **fields)
    dense = structs.replace(one.arms["dense"], cost=cost(4.0))
    return Scenario(id=one.id, arms={**one.arms, "dense": dense})


def known(*places: tuple[int, int, tuple[float, float]]) -> list[Gain]:
    return gains(*(measured(*place) for place in places))


def write_cells(path: Path, *cells: Cell, dtype: str = "float32", **fields: Any) -> Path:
    document = {"schema_version": 1, "kind": "cells", "dtype": dtype, "cells": [structs.asdict(one) for one in cells]}
    path.write_text(json.dumps({**document, **fields}))
    return path
