"""Files that people write and review: TOML with entries of one kind, each held to a form."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from bench.harness.documents import MAX_TOML_BYTES, DocumentError, content_of, document_of, parse_toml
from bench.harness.forms import checked

T = TypeVar("T")


class Entry(NamedTuple, Generic[T]):
    """One entry, and where it stands."""

    fields: T
    where: str


@dataclass(frozen=True, kw_only=True)
class Form(Generic[T]):
    """What an entry must look like."""

    key: str  # of the list of entries
    entry: type[T]  # that msgspec knows
    next_step: str  # where the user finds the form

    def read(self, path: Path) -> Iterator[Entry[T]]:
        """Read the entries of a file, in order.

        Raises:
            DocumentError: the file cannot be read or is not TOML, or an entry lacks a field, has an unknown one, or one
                of another type.
        """
        with document_of(path, remedy=self.next_step, error=DocumentError):
            for number, fields in enumerate(self._entries(path), start=1):
                yield Entry(checked(fields, self.entry, f"{self.key} {number}"), f"{path}, {self.key} {number}")

    def _entries(self, path: Path) -> list[Any]:
        try:
            document = parse_toml(content_of(path, MAX_TOML_BYTES))
        except FileNotFoundError as error:
            raise DocumentError("must be a file to read, got no such file") from error
        if unknown := set(document) - {self.key}:
            raise DocumentError(f"must hold [[{self.key}]] entries alone, got {', '.join(sorted(unknown)):.60}")
        entries = document.get(self.key, [])
        if not isinstance(entries, list):
            raise DocumentError(f"must be a list, [[{self.key}]], got {entries!r:.60}", place=self.key)
        return entries
