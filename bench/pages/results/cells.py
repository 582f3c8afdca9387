"""The work of cells of batch and length, and drawn requests: a document of bench.grid, checked as it is read.

{"schema_version": 1, "kind": "cells", "dtype": "bfloat16", "cells": [{"scale", "phase", "batch_size", "length",
"routing", "costs": {arm: {"flops", "bytes", "parts"}}}, ...], "requests": [{"scale", "workload", "drawn", "tile"}]}
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.forms import Count, Positive, Text, checked
from bench.harness.record.schema import CostForm

SCHEMA_VERSION = 1
KIND = "cells"  # of the document
REMEDY = "write it again with the command that made it"
UNIFORM = "uniform"  # routing


class Cell(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One phase of a scale at one batch and length, of one image a request."""

    scale: Text
    phase: Text
    batch_size: Count
    length: Count
    routing: Text = UNIFORM
    costs: Mapping[str, CostForm]  # by arm, of one step or one prefill


class Request(NamedTuple):
    """What one request costs."""

    prompt_tokens: Positive  # image tokens among them
    tiles: Positive  # that the vision tower sees
    output_tokens: Count


class Requests(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests of a workload, as a scale's processor counts them."""

    scale: Text
    workload: Text  # with its visual scheme, as scenarios write it
    drawn: tuple[Request, ...]
    tile: Mapping[str, CostForm]  # by arm, of one more tile

    def __post_init__(self) -> None:
        """Demand requests that have a prompt, a tile and an answer."""
        if not self.drawn or any(min(one) < 1 for one in self.drawn):
            raise ValueError("drawn must be requests of at least 1 prompt token, tile and output token")


class CellsForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document."""

    schema_version: int
    kind: str
    dtype: Text
    cells: tuple[Cell, ...]
    requests: tuple[Requests, ...] = ()

    def __post_init__(self) -> None:
        """Demand a document of this kind and form."""
        if (self.schema_version, self.kind) != (SCHEMA_VERSION, KIND):
            raise ValueError(f"must be {KIND} of schema {SCHEMA_VERSION}, got {self.kind} of {self.schema_version}")


class Work(NamedTuple):
    """What documents hold."""

    cells: Mapping[str, list[Cell]]  # by dtype
    requests: Sequence[Requests]  # of each workload at a scale the last


def holds_cells(document: Mapping[str, Any]) -> bool:
    """Tell whether a document is of bench.grid."""
    return document.get("kind") == KIND


def read_cells(paths: Iterable[Path]) -> Work:
    """Read documents.

    Raises:
        CorruptRecord: A file is no such document.
    """
    forms = []
    for path in paths:
        with document_of(path, remedy=REMEDY):
            forms.append(checked(parse_json(content_of(path)), CellsForm))
    return work_of(forms)


def work_of(forms: Iterable[CellsForm]) -> Work:
    """Put documents together."""
    cells: dict[str, list[Cell]] = {}
    requests: dict[tuple[str, str], Requests] = {}
    for form in forms:
        cells.setdefault(form.dtype, []).extend(form.cells)
        requests.update({(one.scale, one.workload): one for one in form.requests})
    return Work(cells, list(requests.values()))
