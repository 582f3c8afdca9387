"""Every launch that is compiled where there is no GPU, by a name each: what models launch, and what tuning tries."""

from collections.abc import Mapping
from functools import partial
from itertools import zip_longest

from bench.tune_experts.candidates import SEARCHED
from bench.warm.launches import BATCH_SIZES, MANY_TOKENS, Launch, experts, of_model

SCALES = {80: ("7b", "34b"), 90: ("7b", "34b"), 100: ("7b",)}  # by compute capability
TUNED = 90  # the one that tuning's tiles were written for


def predicted(capability: int) -> dict[str, Launch]:
    """Return the launches of models on a GPU that nobody has measured."""
    return {name: run for scale in SCALES[capability] for name, run in of_model(scale, capability).items()}


def every(capability: int) -> Mapping[str, Launch]:
    """Return all of them."""
    return predicted(capability) | (_searched() if capability == TUNED else {})


def _searched() -> dict[str, Launch]:
    """Return the launches that tuning tries beside, at 7b: tiles of both products side by side."""
    launches: dict[str, Launch] = {}
    for way, products in SEARCHED.items():
        filled = [[*tiles, *[tiles[0]] * (max(map(len, products)) - len(tiles))] for tiles in products]
        for tiles in zip_longest(*filled):
            for tokens in BATCH_SIZES[1::2] if way == "few" else (MANY_TOKENS,):
                name = f"7b {way}, {tokens} tokens, {' + '.join(str(tuple(tile)) for tile in tiles)}"
                launches[name] = partial(experts, way, tiles, tokens, "7b")
    return launches
