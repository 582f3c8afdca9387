"""The table of real changes: what each does to the code, and what the gate must say of it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
TABLE = FOLDER / "real_changes.toml"
NOTICED = 10.0  # percent: what is slower by so much never ends 0, on whatever machine


@dataclass(frozen=True, kw_only=True)
class RealChange:
    """One row; the head of the table says what its fields mean."""

    name: str
    does: str
    verdicts: Sequence[str]
    code: int
    runs: str  # timed, once or never
    patches: Sequence[str] = ()  # none: the one of its name
    is_taken_back: bool = False
    cause: str = ""
    worse: Mapping[str, float] | None = None
    touches: str = ""
    runs_in: Sequence[str] = ()
    scale: str = "tiny"
    scenarios: str = ""

    @property
    def files(self) -> list[Path]:
        """Return the patches in the order in which they are applied."""
        return [FOLDER / f"{name}.patch" for name in self.patches or (self.name,)]

    @property
    def benchmarks(self) -> list[str]:
        """Name the benchmarks whose calls run the patched lines, each once."""
        named = self.runs_in or [found[0] for key in self.worse or () if (found := re.match(r"\w+", key))]
        return list(dict.fromkeys(named))

    def percent(self, scenario: str) -> float:
        """Return by how much the table says that a scenario is worse; 0 where it says nothing."""
        return max((size for key, size in (self.worse or {}).items() if re.match(key, scenario)), default=0.0)

    def may_touch(self, scenario: str) -> bool:
        """Tell whether the change can move a scenario at all."""
        return bool(self.touches) and re.search(self.touches, scenario) is not None


def read_table(path: Path = TABLE) -> dict[str, RealChange]:
    """Read the rows by name.

    Raises:
        TypeError: a row lacks a field, or has one that the table does not know.
    """
    return {name: RealChange(name=name, **row) for name, row in tomllib.loads(path.read_text()).items()}


REAL_CHANGES = read_table()
