"""What every choice among CPU kernels shares: what is asked for, the file of this machine, the clock that decides."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from moevlm.kernels.cpu import build, compiler
from moevlm.once import once

KERNELS, PRODUCTS, BLOCKS = "kernels", "products", "blocks"
WAYS = {
    KERNELS: "ours, in C++",
    PRODUCTS: "torch's matrix products; experts one after another, a dense layer at once",
    BLOCKS: "torch's matrix products, blocks of a dense layer one after another",
}
VARIABLE = "MOEVLM_FEED_FORWARD"
MEASURED, RULE = "measured", "rule"
ASKED = {
    MEASURED: "the default",
    RULE: "what was measured on the machines of docs/performance.md; nothing is measured here",
    **WAYS,
}
# What a choice depends on beside the kernels.
CHOOSER = ("choosing.py", "dense.py", "matmul.py", "way.py", "way_file.py", "way_timing.py", "../products.py")
ROUNDS = 5


@once
def asked() -> str:
    """Return what the environment asks for, read once a process.

    Raises:
        ValueError: It is no key of ASKED.
    """
    name = os.environ.get(VARIABLE) or MEASURED
    if name not in ASKED:
        raise ValueError(f"{VARIABLE} must be one of {', '.join(ASKED)}, got {name!r}; set one of them, or none")
    return name


def timed(calls: Mapping[str, Callable[[], object]], clock: Callable[[], float]) -> dict[str, float]:
    """Return the seconds of each call's fastest round by a clock, all taking turns: what disturbs it only adds."""
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    return {name: min(found) for name, found in seconds.items()}


def clock_of(num_threads: int) -> Callable[[], float]:
    """Return what times so many threads: one by its processor time, which others do not lengthen."""
    return time.thread_time if num_threads == 1 else time.perf_counter


@cache
def kept_in() -> Path:
    """Return the file that keeps the choices of this processor, these kernels and this chooser.

    Raises:
        OSError: The compiled kernels cannot be found again.
    """
    library = build.library()
    made_from = [library.name.encode(), *((Path(__file__).parent / name).read_bytes() for name in CHOOSER)]
    digest = hashlib.sha256(b"\0".join(made_from)).hexdigest()
    processor = compiler.made_from([])["processor"]
    return library.parent / f"ways-{processor[:12]}-{digest[:16]}.json"
