"""Compile the CPU kernels for this machine at first use, keep the library in torch's extension folder, load it.

One compiler call on headers of torch's stable ABI (a few seconds): it needs no ninja, and leaves no lock behind when
it is killed.
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from moevlm.once import once

SOURCES = Path(__file__).parent
MAIN = "experts.cpp"
COMPILERS = ("g++", "clang++")  # unless CXX names one
# No trap and no errno: what keeps a compiler from vectorising exp. -march=native: a library is for one kind of machine.
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared", "-w")
STABLE_ABI = "-DTORCH_TARGET_VERSION=0x020b000000000000"  # torch 2.11, the oldest that the package runs on
FLAGS_X86 = ("-mprefer-vector-width=512",)
LIBRARIES = ("-ltorch_cpu", "-ltorch", "-lc10")
COMPILE_TIMEOUT_S = 300  # a few seconds are usual
CPUINFO = Path("/proc/cpuinfo")


@once
def load() -> str | None:
    """Load the kernels as `torch.ops.moevlm`, compiling them where this machine's library is not there yet.

    Returns:
        None, or why there are none: no compiler, or what it said. That is warned about once.
    """
    try:
        torch.ops.load_library(_library())
    except (ImportError, OSError, subprocess.SubprocessError, RuntimeError) as error:
        reason = _reason(error)
        warnings.warn(f"moevlm's CPU kernels are not there, torch's own are used instead: {reason}", stacklevel=2)
        return reason
    for name, output in FAKE_OUTPUTS.items():
        torch.library.register_fake(f"moevlm::{name}", output)
    return None


def _like_third(_gate_up: torch.Tensor, _down: torch.Tensor, hidden: torch.Tensor, *_: object) -> torch.Tensor:
    return torch.empty_like(hidden)


def _rows_by_outputs(weight: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    return hidden.new_empty(hidden.numel() // weight.shape[1], weight.shape[0])


def _rows_by_heads(
    projected: torch.Tensor, scale: torch.Tensor, _k_scale: object, cos: torch.Tensor, *rest: int
) -> torch.Tensor:
    _signed_sin, _epsilon, num_queries, num_keys = rest
    return projected.new_empty(cos.numel() // len(scale), num_queries + num_keys, len(scale))


def _routing(
    hidden: torch.Tensor, weight: torch.Tensor, _table: object, _rows: object, _damping: float, top_k: int, *_: object
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    logits = _rows_by_outputs(weight, hidden)
    weights = logits.new_empty(len(logits), top_k)
    return logits, weights, torch.empty_like(weights, dtype=torch.long)


FAKE_OUTPUTS: dict[str, Callable[..., Any]] = {  # operator -> its output's shape, for torch.compile
    "swiglu_experts": _like_third,
    "swiglu_dense": _like_third,
    "few_rows": _rows_by_outputs,
    "rms_norm": lambda hidden, *_: torch.empty_like(hidden),
    "rotated_heads": _rows_by_heads,
    "attend": lambda hidden, q_weight, *_: hidden.new_empty(*hidden.shape[:2], len(q_weight)),
    "route": _routing,
}


def _reason(error: Exception) -> str:
    lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines() or [type(error).__name__]
    return next((line for line in lines if "error:" in line), lines[0])


def _library() -> Path:
    """Return the library's path, compiled if need be; another process that compiles at the same time does no harm."""
    from torch.utils.cpp_extension import get_default_build_root, include_paths, library_paths  # it imports setuptools

    compiler = shlex.split(os.environ.get("CXX", "")) or [path for path in map(shutil.which, COMPILERS) if path][:1]
    if not compiler:
        raise OSError("a C++ compiler must be there (g++, clang++ or CXX), found none; install one")
    flags = (*FLAGS, STABLE_ABI) + (FLAGS_X86 if platform.machine() == "x86_64" else ())
    folder = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or get_default_build_root()) / "moevlm"
    library = folder / f"cpu-{_fingerprint(*compiler, *flags)}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / library.name
            paths = [f"-I{path}" for path in include_paths()] + [f"-L{path}" for path in library_paths()]
            command = [*compiler, *flags, *paths, str(SOURCES / MAIN), "-o", str(made), *LIBRARIES]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S)
            made.replace(library)
    return library


def _fingerprint(*command: str) -> str:
    """Hash what the library depends on: sources, command, torch and the processor's instructions."""
    sources = [path.read_text() for path in sorted(SOURCES.iterdir()) if path.suffix in (".h", ".cpp")]
    return hashlib.sha256("\n".join([*sources, *command, torch.__version__, _processor()]).encode()).hexdigest()[:16]


def _processor() -> str:
    if not CPUINFO.exists():
        return platform.processor()
    lines = CPUINFO.read_text().splitlines()
    return "\n".join(sorted({line for line in lines if line.lower().startswith(("flags", "features", "model name"))}))
