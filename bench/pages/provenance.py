"""Where a page's figures come from: its records, those of one machine and software together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.harness.record import Record
from bench.pages.grouping import grouped
from bench.pages.report import machine, peaks_line


@dataclass(frozen=True, kw_only=True)
class Source:
    """Records of one machine and software."""

    files: tuple[Path, ...]
    machine: str
    peaks: str  # the least and the greatest that their runs measured; empty without any


def sources(records: Mapping[Path, Record]) -> list[Source]:
    """Return what measured the records, in their order.

    Args:
        records: by the file that each was read from.
    """
    groups = grouped(records, lambda path: machine(records[path]))
    return [
        Source(
            files=tuple(paths), machine=machine(records[paths[0]]), peaks=peaks_line([records[path] for path in paths])
        )
        for paths in groups
    ]
