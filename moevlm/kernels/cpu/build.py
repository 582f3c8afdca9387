"""Load the CPU kernels, compiled for this machine at first use and kept in torch's extension folder."""

import platform
import subprocess
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from moevlm.kernels.cpu import answers, compiler
from moevlm.once import once

if TYPE_CHECKING:
    from moevlm.kernels.cpu.cache import Found


@once
def load() -> str | None:
    """Load the kernels as `torch.ops.moevlm`, compiling them where this machine's library is not there yet.

    Returns:
        None, or why there are none: no compiler, or what it said. That is warned about once.
    """
    try:
        _load()
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


def _by_token(queries: torch.Tensor, _keys: object, values: torch.Tensor, *_: object) -> torch.Tensor:
    return queries.new_empty(*queries.transpose(1, 2).shape[:3], values.shape[-1])


FAKE_OUTPUTS: dict[str, Callable[..., Any]] = {  # operator -> its output's shape, for torch.compile
    "swiglu_experts": _like_third,
    "swiglu_dense": _like_third,
    "few_rows": _rows_by_outputs,
    "gated": lambda projected, _: projected.new_empty(len(projected), projected.shape[1] // 2),
    "rms_norm": lambda hidden, *_: torch.empty_like(hidden),
    "rotated_heads": _rows_by_heads,
    "attend": lambda hidden, q_weight, *_: hidden.new_empty(len(hidden), len(q_weight)),
    "route": _routing,
    "decode_layers": lambda hidden, *_: torch.empty_like(hidden),
    "attend_prompt": _by_token,
}


def _reason(error: Exception) -> str:
    lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines() or [type(error).__name__]
    return next((line for line in lines if "error:" in line), lines[0])


def _load() -> None:
    """Load the library, compiled anew if what was kept cannot be loaded, and ask its operators."""
    if platform.system() == "Windows":
        raise OSError("they are for Linux and macOS, this is Windows")
    from moevlm.kernels.cpu import cache  # it needs locks and owners of files as POSIX has them

    found = _library({})
    complaint = _complaint(found.path)
    if complaint and not found.is_new:
        found = _library({found.path: f"cannot be loaded: {complaint}"})
        complaint = _complaint(found.path)
    if complaint:
        raise OSError(complaint)
    flaw = answers.flaw(torch.ops.moevlm)
    if flaw:  # a process cannot take back what it has loaded
        cache.drop(found.path)
        raise RuntimeError(f"{found.path} {flaw}; the next process compiles it anew")


def library() -> Path:
    """Return the compiled library; `load` has been asked.

    Raises:
        OSError: It cannot be found again.
    """
    return _library({}).path


def _library(refused: Mapping[Path, str]) -> "Found":
    from moevlm.kernels.cpu import cache

    command = compiler.command()
    make = partial(compiler.compile_to, command=command) if command else None
    return cache.find_or_make(cache.Wanted(compiler.made_from(command), make, refused))


def _complaint(library: Path) -> str | None:
    try:
        torch.ops.load_library(library)
    except OSError as error:
        return str(error.__cause__ or error)
    return None
