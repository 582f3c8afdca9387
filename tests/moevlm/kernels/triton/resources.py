"""What compiled kernels take of a GPU, as NVIDIA's own tool reads it from their code: no GPU is needed."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import triton
from triton.runtime.jit import JITFunction

from moevlm.kernels.triton.compile_only import Compiled

CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
USAGE = re.compile(r"REG:(?P<registers>\d+) STACK:(?P<stack>\d+)")
UNITS = ("tcgen05.mma", "wgmma.mma_async", "mma.sync")  # tensor cores of SM100, SM90 and SM80, the newest first
BULK_COPY, COPY = "cp.async.bulk.tensor", "cp.async"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a kernel takes."""

    kernel: str
    registers: int  # of a thread
    spilled_bytes: int  # of a thread: what found no register
    shared_bytes: int  # of a program
    unit: str  # that multiplies; empty: none
    copies: str  # how tiles come while others are multiplied; empty: not so


def resources_of(launches: Iterable[Compiled], folder: Path) -> list[Resources]:
    """Read what each different kernel takes.

    Args:
        launches: As `compiling_for` lists them.
        folder: Takes the kernels' code.
    """
    different = {launch.kernel.hash: launch for launch in launches}
    return [_resources(launch, folder / "kernel.cubin") for launch in different.values()]


def _resources(launch: Compiled, cubin: Path) -> Resources:
    cubin.write_bytes(launch.kernel.asm["cubin"])
    command = [CUOBJDUMP, "-res-usage", cubin]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    usage, ptx = USAGE.search(said), launch.kernel.asm["ptx"]
    assert usage is not None, said
    return Resources(
        kernel=launch.name,
        registers=int(usage["registers"]),
        spilled_bytes=int(usage["stack"]),
        shared_bytes=launch.kernel.metadata.shared,
        unit=next((unit for unit in UNITS if unit in ptx), ""),
        copies=next((copy for copy in (BULK_COPY, COPY) if copy in ptx), ""),
    )


def code_digest(modules: Iterable[Any]) -> str:
    """Return the digest of all that Triton compiles in modules, but for comments' lines around it."""
    functions = [one for module in modules for one in vars(module).values() if isinstance(one, JITFunction)]
    sources = sorted({f"{one.__module__}.{one.__name__}\n{one.src}" for one in functions})
    return sha256("\n".join(sources).encode()).hexdigest()[:12]
