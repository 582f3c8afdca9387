"""Base's whole tree: its own bench/ and fixtures/ with its package, which it runs where head's scenarios fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.harness.naming import SUITE

HARNESS = Path(SUITE, "__init__.py")  # a tree without it holds scenarios alone, and takes the harness of others
WORKER = Path(SUITE, "gate", "ab", "child.py")  # a harness without it cannot take part


@dataclass(frozen=True, kw_only=True)
class OwnTree:
    """All that a revision tracks, laid out, and which of the selected scenarios it has."""

    root: Path
    node_ids: Mapping[str, str]  # scenario -> node id there
    why: str = ""  # that is not known, and this is the reason

    @property
    def has_harness(self) -> bool:
        """Tell whether it measures with a harness of its own."""
        return (self.root / HARNESS).is_file()

    @property
    def has_worker(self) -> bool:
        """Tell whether its harness can take part."""
        return not self.has_harness or (self.root / WORKER).is_file()
