"""Products of float32 matrices by the faster of torch's two libraries: its default, which on x86 is MKL, or oneDNN.

MKL is made for Intel's processors: on an AMD Zen 4 oneDNN multiplies 5 to 20 % faster. Which one does is measured once
a machine and number of threads, as the ways of a feed-forward are, and holds for every product alike.

Shapes: R rows, H inputs, O outputs.
"""

import itertools
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F

from moevlm.kernels.cpu import compiler
from moevlm.kernels.cpu.choosing import MEASURED, asked, clock_of, kept_in, timed
from moevlm.once import once

DEFAULT, ONEDNN = "default", "onednn"
LIBRARIES = (DEFAULT, ONEDNN)
LEAST_ROWS = 32  # below, neither is faster
LEAST_WIDTH = 256  # inputs and outputs; of narrower ones, as routers, oneDNN's calls cost more than they save
TIMED = (256, 1024, 2048)  # R, H and O of what is timed: 10 ms
PLAIN = (torch.Tensor, torch.nn.Parameter)  # others, as fake ones, are no memory that oneDNN reads


def linear(
    input: torch.Tensor,  # noqa: A002  # as torch calls it
    weight_OH: torch.Tensor,
    bias_O: torch.Tensor | None = None,
) -> torch.Tensor:
    """Multiply (..., H) by a weight matrix and add the bias, as `torch.nn.functional.linear` does."""
    may_choose = not torch.compiler.is_compiling() and _may_choose(input, weight_OH)
    if may_choose and chosen(torch.get_num_threads()) == ONEDNN:
        return _by_onednn(input, weight_OH, bias_O)
    return F.linear(input, weight_OH, bias_O)


def _may_choose(rows: torch.Tensor, weight_OH: torch.Tensor) -> bool:
    """Tell whether both libraries compute the same product: float32 on a CPU, and nobody watches its operations."""
    needs_gradient = torch.is_grad_enabled() and (rows.requires_grad or weight_OH.requires_grad)
    return (
        rows.dtype == weight_OH.dtype == torch.float32
        and rows.is_cpu
        and weight_OH.is_cpu
        and rows.numel() >= LEAST_ROWS * weight_OH.shape[1]
        and min(weight_OH.shape) >= LEAST_WIDTH
        and type(rows) in PLAIN
        and type(weight_OH) in PLAIN
        and not needs_gradient
        and not torch.is_autocast_enabled("cpu")
        and has_onednn()
    )


def has_onednn() -> bool:
    """Tell whether torch was built with oneDNN and may use it."""
    is_there: bool = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return is_there and bool(torch.backends.mkldnn.enabled)


@once
def chosen(num_threads: int) -> str:
    """Return the library of so many threads, found once a process.

    What MOEVLM_FEED_FORWARD fixes fixes this too: then nothing is measured.
    """
    if not has_onednn():
        return DEFAULT
    if asked() != MEASURED:
        return usual()
    with ThreadPoolExecutor(max_workers=1) as apart:  # there the caller's modes (fake tensors) do not hold
        return apart.submit(_found, num_threads).result()


def usual() -> str:
    """Return what was faster where it was measured: torch's default on Intel's processors, oneDNN on others."""
    return DEFAULT if b"Intel" in compiler.processor() else ONEDNN


def _found(num_threads: int) -> str:
    from moevlm.kernels.cpu import way_file  # it needs locks and owners of files as POSIX has them

    def choose(before: str) -> way_file.Choice:
        torch.set_num_threads(num_threads)  # a thread that is new may have been given others by OpenMP
        seconds = seconds_by_library(num_threads)
        return way_file.Choice(way_file.better(before or usual(), seconds), seconds)

    try:
        path = kept_in()
    except OSError as error:
        warnings.warn(f"moevlm's choice of matrix products cannot be kept: {error}", stacklevel=2)
        return choose("").way
    return way_file.find_or_choose(path, f"products float32, {num_threads} threads", LIBRARIES, choose)


@torch.inference_mode()
def seconds_by_library(num_threads: int) -> dict[str, float]:
    """Time a product by each library, in turn."""
    num_rows, num_inputs, num_outputs = TIMED
    generator = torch.Generator().manual_seed(0)
    rows_RH, *weights = (
        torch.rand(size, num_inputs, generator=generator, device="cpu")
        for size in (num_rows, *itertools.repeat(num_outputs, 4))
    )
    turns = itertools.cycle(weights)  # of both, or the second would find what the first has read
    calls: dict[str, Callable[[], object]] = {
        DEFAULT: lambda: F.linear(rows_RH, next(turns)),
        ONEDNN: lambda: _by_onednn(rows_RH, next(turns)),
    }
    return timed(calls, clock_of(num_threads))


def _by_onednn(rows: torch.Tensor, weight_OH: torch.Tensor, bias_O: torch.Tensor | None = None) -> torch.Tensor:
    output: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight_OH, bias_O, "none", [], "")
    return output
