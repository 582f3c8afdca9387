"""Which tiles are tried, and how the fastest are found: one product after the other, medians of interleaved rounds."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median

from bench.harness.clock import Clock
from moevlm.kernels.tilings import Tile, Tiling

NUM_ROUNDS = 20


def _tiles(*sizes: tuple[int, int, int, int, int]) -> list[Tile]:
    return [Tile(*size) for size in sizes]


# Tried for the first and the second product of each way, beside the predicted tiles.
SEARCHED: Mapping[str, tuple[Sequence[Tile], ...]] = {
    "few": (
        _tiles((16, 16, 128, 4, 4), (16, 32, 64, 4, 5), (16, 32, 128, 4, 3), (16, 32, 256, 4, 3))
        + _tiles((16, 64, 64, 4, 4), (16, 64, 128, 4, 3), (16, 64, 128, 8, 3), (32, 64, 64, 4, 3)),
        _tiles((16, 32, 64, 4, 4), (16, 32, 128, 4, 4), (16, 64, 64, 4, 4), (16, 128, 64, 4, 3))
        + _tiles((16, 128, 64, 8, 3), (32, 64, 64, 4, 3)),
    ),
    "many": (
        _tiles((16, 64, 64, 4, 4), (32, 64, 64, 4, 4), (64, 64, 64, 4, 4), (64, 128, 64, 8, 3))
        + _tiles((128, 64, 64, 8, 4), (128, 128, 64, 8, 4), (128, 128, 32, 8, 4)),
        _tiles((16, 128, 64, 4, 4), (32, 128, 64, 4, 4), (64, 128, 64, 4, 4), (64, 256, 64, 8, 3))
        + _tiles((128, 128, 64, 8, 3), (128, 128, 64, 4, 4), (128, 256, 64, 8, 4)),
    ),
    "fused": (
        _tiles((16, 32, 128, 4, 4), (16, 64, 64, 4, 4), (32, 64, 64, 4, 4), (64, 64, 64, 4, 4))
        + _tiles((64, 128, 64, 8, 3), (128, 64, 64, 8, 4), (128, 128, 64, 8, 4), (128, 128, 32, 8, 4)),
    ),
}


def search(first: Tiling, measure: Callable[[Sequence[Tiling]], Mapping[Tiling, float]]) -> tuple[Tiling, float]:
    """Return the fastest tiles of one way, searched one product after the other.

    Args:
        measure: Seconds of each tiling; those that the GPU cannot hold are left out.

    Raises:
        ValueError: The GPU holds none of them.
    """
    best, seconds = first, float("inf")
    for product, tiles in enumerate(SEARCHED.get(first.way, ((),))):
        tried = [replace(best, tiles=(*best.tiles[:product], tile, *best.tiles[product + 1 :])) for tile in tiles]
        timed = measure(list(dict.fromkeys([best, *tried])))
        if timed:
            best = min(timed, key=timed.__getitem__)
            seconds = timed[best]
    if seconds == float("inf"):
        raise ValueError(f"the GPU must hold one of {first.way}'s tiles, got none; add smaller ones to SEARCHED")
    return best, seconds


def medians(calls: Mapping[Tiling, Callable[[], object]], clock: Clock, rng: random.Random) -> dict[Tiling, float]:
    """Return the median seconds of each call, all of them once in each round, in random order."""
    samples: dict[Tiling, list[float]] = {tiling: [] for tiling in calls}
    for _ in range(NUM_ROUNDS):
        for tiling in rng.sample(list(calls), len(calls)):
            samples[tiling].append(clock.measure(calls[tiling]).seconds)
    return {tiling: median(values) for tiling, values in samples.items()}
