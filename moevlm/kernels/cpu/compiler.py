"""The C++ compiler: which one there is, what its library depends on, and one call of it.

Headers of torch's stable ABI take a few seconds, and need no ninja.
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch

from moevlm.kernels.cpu import lifeline

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
# What -march=native looks at, on x86 and on ARM.
CPU_FACTS = ("flags", "features", "model name", "cpu family", "model", "cpu implementer", "cpu part", "cpu variant")


def command() -> Sequence[str]:
    """Return the command that CXX names, or the first known compiler; empty: there is none."""
    return shlex.split(os.environ.get("CXX", "")) or [path for path in map(shutil.which, COMPILERS) if path][:1]


def made_from(command: Sequence[str]) -> dict[str, str]:
    """Hash each thing that a library depends on, by its name; no compiler: all but it.

    Args:
        command: What `command` returned.

    Raises:
        OSError: The compiler cannot be run.
    """
    sources = (path for path in sorted(SOURCES.iterdir()) if path.suffix in (".h", ".cpp"))
    facts = {
        "source": b"".join(path.name.encode() + b"\0" + path.read_bytes() for path in sources),
        "set of flags": shlex.join((*_flags(), *LIBRARIES)).encode(),
        "torch": f"{torch.__version__} {torch.version.git_version}".encode(),
        "processor": processor(),
    }
    if command:
        said = subprocess.run([*command, "--version"], check=False, capture_output=True, timeout=COMPILE_TIMEOUT_S)
        facts["compiler"] = shlex.join(command).encode() + b"\0" + said.stdout
    return {name: hashlib.sha256(fact).hexdigest() for name, fact in facts.items()}


def compile_to(library: Path, command: Sequence[str]) -> None:
    """Compile the kernels into a file of a folder of their own; the compiler's own files go there too.

    Raises:
        OSError, subprocess.SubprocessError: The compiler cannot be run, failed or took too long.
    """
    from torch.utils.cpp_extension import include_paths, library_paths  # it imports setuptools

    paths = [f"-I{path}" for path in include_paths()] + [f"-L{path}" for path in library_paths()]
    call = [*command, *_flags(), *paths, str(SOURCES / MAIN), "-o", str(library), *LIBRARIES]
    surroundings = os.environ | {"TMPDIR": str(library.parent), "LC_ALL": "C"}  # complaints are looked for in English
    lifeline.run(call, timeout_s=COMPILE_TIMEOUT_S, environment=surroundings)
    if not library.is_file():
        raise subprocess.SubprocessError(f"{command[0]} ended well and wrote no library")


def _flags() -> tuple[str, ...]:
    return (*FLAGS, STABLE_ABI) + (FLAGS_X86 if platform.machine() == "x86_64" else ())


def processor() -> bytes:
    """Return the facts of this processor that -march=native looks at."""
    if not CPUINFO.exists():
        return f"{platform.machine()} {platform.processor()}".encode()
    lines = (line.partition(b":") for line in CPUINFO.read_bytes().splitlines())
    known = {b"%s:%s" % (name.strip().lower(), value) for name, _, value in lines if _is_fact(name)}
    return b"\n".join(sorted(known))


def _is_fact(name: bytes) -> bool:
    return name.strip().lower().decode(errors="replace") in CPU_FACTS
