"""Compile what models launch on a GPU that is not there, into a folder that Triton takes as its cache.

`TRITON_CACHE_DIR=DIR` then finds it, wherever the folder is carried, once this command has run there: Triton keeps
absolute paths. What must be equal for that: Triton's version and its libtriton.so, which every minor version of Python
has its own of (`--libtriton` names another's), the kernels' source, and the GPU's compute capability.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.reading import at_least, listed, one_of
from moevlm.presets import PRESETS, preset_variants

TARGETS = {"sm_80": 80, "sm_90": 90, "sm_100": 100}
SCALES = tuple(name for name in PRESETS if {"moe", "dense"} <= set(preset_variants(name)))
MIB = 1 << 20


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="python -m bench.warm", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--target", type=one_of(TARGETS), default="sm_90", help=f"{', '.join(TARGETS)} (default: %(default)s)"
    )
    parser.add_argument(
        "--scale",
        dest="scales",
        type=listed(one_of(SCALES)),
        default="7b,34b",
        help=f"presets with an MoE and its twin: {', '.join(SCALES)} (default: %(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        dest="batch_sizes",
        type=listed(at_least(1)),
        default="1,8,32,64",
        help="of decode (default: %(default)s)",
    )
    parser.add_argument(
        "--libtriton",
        type=Path,
        help="libtriton.so of the same Triton for another Python, which is to find the kernels",
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder")
    chosen = parser.parse_args(arguments)
    if chosen.libtriton is not None and not chosen.libtriton.is_file():
        parser.error(f"--libtriton must be a file, got {chosen.libtriton}: no such file; unpack that Python's wheel")
    return chosen


def settle(folder: Path) -> None:
    """Make a cache that was carried find its own files: Triton's groups name them by absolute paths."""
    for group in folder.glob("*/__grp__*.json"):
        names = json.loads(group.read_text())["child_paths"]
        group.write_text(json.dumps({"child_paths": {name: str(group.resolve().parent / name) for name in names}}))


def find_as(libtriton: Path) -> None:
    """Keep kernels under the names by which a Triton looks for them that differs in this library alone.

    So do one version's wheels for Linux: what they compile with is the same source.
    """
    from triton import _C
    from triton.runtime import cache

    (own,) = Path(_C.__path__[0]).glob("libtriton.*")
    own_digest, other_digest = (sha256(path.read_bytes()).hexdigest() for path in (own, libtriton))
    key = cache.triton_key()
    if own_digest not in key:
        raise ValueError("Triton's key must name its library's digest, got none of it; leave --libtriton out")
    cache.triton_key = lambda: key.replace(own_digest, other_digest)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compile what is not in the folder yet."""
    chosen = read_arguments(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    os.environ |= {"TRITON_CACHE_DIR": str(chosen.out.resolve()), "TRITON_STORE_BINARY_ONLY": "1"}
    settle(chosen.out)
    import triton

    from bench.warm.launches import of_model
    from moevlm.kernels.triton.compile_only import compiling_for

    if chosen.libtriton is not None:
        find_as(chosen.libtriton)
    found: list[bool] = []
    triton.knobs.compilation.listener = lambda *, cache_hit, **_: found.append(cache_hit)
    capability = TARGETS[chosen.target]
    with compiling_for(capability):
        for scale in chosen.scales:
            for launch in of_model(scale, capability, chosen.batch_sizes).values():
                launch()
    size = sum(path.stat().st_size for path in chosen.out.rglob("*") if path.is_file())
    reader = chosen.libtriton or f"Python {'.'.join(platform.python_version_tuple()[:2])}"
    say(
        f"{len(found)} kernels for {chosen.target}: {found.count(False)} compiled, {found.count(True)} found; "
        f"{size / MIB:.1f} MiB in {chosen.out}, for Triton {triton.__version__} of {reader}"
    )


if __name__ == "__main__":
    sys.exit(run_program(main))
