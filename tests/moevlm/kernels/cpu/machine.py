"""A stand-in for the compiler, and what it makes: the cache is tried without compiling for seconds."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

from moevlm.kernels.cpu import cache

COMPILED = b"\x7fELF of this machine"
NOBODY = 65534  # a user
MADE_FROM = {name: f"{name[0]}{'0' * 15}" for name in ("source", "set of flags", "torch", "processor", "compiler")}
ANY_COMPILER = {name: value for name, value in MADE_FROM.items() if name != "compiler"}


@dataclass
class Machine:
    """Asks the cache for a library, as a process would, and counts how often it is compiled."""

    made_from: dict[str, str] = field(default_factory=MADE_FROM.copy)
    has_compiler: bool = True
    refused: dict[Path, str] = field(default_factory=dict)
    compiled: int = 0

    def library(self) -> Path:
        make = self._compile if self.has_compiler else None
        return cache.find_or_make(cache.Wanted(self.made_from, make, self.refused)).path

    def _compile(self, library: Path) -> None:
        self.compiled += 1
        library.write_bytes(COMPILED)


def asked(machine):
    """Return the library and what was warned of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        library = machine.library()
    return library, " ".join(str(each.message) for each in said)
