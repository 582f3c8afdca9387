"""The work of cells of batch and length: a document of bench.grid, checked as it is read.

{"schema_version": 1, "kind": "cells", "dtype": "bfloat16", "cells": [{"scale", "phase", "batch_size", "length",
"costs": {arm: {"flops", "bytes", "parts"}}}, ...]}
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.forms import Count, Text, checked
from bench.harness.record.schema import CostForm

SCHEMA_VERSION = 1
KIND = "cells"  # of the document
REMEDY = "write it again with python -m bench.grid"


class Cell(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One phase of a scale at one batch and length; uniform routing."""

    scale: Text
    phase: Text
    batch_size: Count
    length: Count
    costs: Mapping[str, CostForm]  # by arm, of one step or one prefill


class CellsForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document."""

    schema_version: int
    kind: str
    dtype: Text
    cells: tuple[Cell, ...]

    def __post_init__(self) -> None:
        """Demand a document of this kind and form."""
        if (self.schema_version, self.kind) != (SCHEMA_VERSION, KIND):
            raise ValueError(f"must be {KIND} of schema {SCHEMA_VERSION}, got {self.kind} of {self.schema_version}")


def holds_cells(document: Mapping[str, Any]) -> bool:
    """Tell whether a document is of bench.grid."""
    return document.get("kind") == KIND


def read_cells(paths: Iterable[Path]) -> dict[str, list[Cell]]:
    """Read documents; return their cells by dtype.

    Raises:
        CorruptRecord: A file is no such document.
    """
    found: dict[str, list[Cell]] = {}
    for path in paths:
        with document_of(path, remedy=REMEDY):
            form = checked(parse_json(content_of(path)), CellsForm)
        found.setdefault(form.dtype, []).extend(form.cells)
    return found
