"""Which tiles are tried, and how the fastest are found: one product after the other, medians of interleaved rounds."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

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


class Found(NamedTuple):
    """The fastest tiles of one way, and their seconds."""

    tiling: Tiling
    seconds: float


def search(
    first: Tiling, measure: Callable[[Sequence[Tiling]], Mapping[Tiling, float]], *, most_tiles: int | None = None
) -> Found | None:
    """Return the fastest tiles of one way, searched one product after the other.

    Args:
        measure: Seconds of each tiling; those that are wrong, or that the GPU cannot hold, are left out.
        most_tiles: Tiles tried of a product beside the first ones; None: all.

    Returns:
        None: All were left out.
    """
    best, seconds = first, float("inf")
    for product, tiles in enumerate(SEARCHED.get(first.way, ((),))):
        tried = [
            replace(best, tiles=(*best.tiles[:product], tile, *best.tiles[product + 1 :]))
            for tile in tiles[:most_tiles]
        ]
        timed = measure(list(dict.fromkeys([best, *tried])))
        if timed:
            best = min(timed, key=timed.__getitem__)
            seconds = timed[best]
    return None if seconds == float("inf") else Found(best, seconds)


def medians(
    calls: Mapping[Tiling, Callable[[], object]], clock: Clock, rng: random.Random, num_rounds: int = NUM_ROUNDS
) -> dict[Tiling, float]:
    """Return the median seconds of each call, all of them once in each round, in random order."""
    samples: dict[Tiling, list[float]] = {tiling: [] for tiling in calls}
    for _ in range(num_rounds):
        for tiling in rng.sample(list(calls), len(calls)):
            samples[tiling].append(clock.measure(calls[tiling]).seconds)
    return {tiling: median(values) for tiling, values in samples.items()}
