"""Files that people write and review: TOML with entries of one kind, each field checked."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

Kinds = Mapping[str, type | tuple[type, ...]]


class Entry(NamedTuple):
    """One entry, and where it stands."""

    fields: Mapping[str, Any]
    where: str


@dataclass(frozen=True, kw_only=True)
class Form:
    """What an entry must look like."""

    key: str  # of the list of entries
    required: Kinds
    optional: Kinds
    next_step: str  # where the user finds the form

    def read(self, path: Path) -> Iterator[Entry]:
        """Read the entries of a file, in order.

        Raises:
            ValueError: the file cannot be read or is not TOML, or an entry lacks a field, has an unknown one, or one of
                another type.
        """
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{path} must be a file to read, got {error.strerror}; {self.next_step}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} must be TOML, got {error}; {self.next_step}") from error
        if unknown := set(document) - {self.key}:
            named = ", ".join(sorted(unknown))
            raise ValueError(f"{path} must hold [[{self.key}]] entries alone, got {named}; {self.next_step}")
        entries = document.get(self.key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError(
                f"{path}: {self.key} must be a list, [[{self.key}]], got {entries!r:.60}; {self.next_step}"
            )
        for number, fields in enumerate(entries, start=1):
            where = f"{path}, {self.key} {number}"
            self._check(fields, where)
            yield Entry(fields, where)

    def _check(self, fields: Mapping[str, Any], where: str) -> None:
        kinds = {**self.required, **self.optional}
        if missing := set(self.required) - set(fields):
            named, lacking = ", ".join(self.required), ", ".join(sorted(missing))
            raise ValueError(f"{where} must have {named}, got none of {lacking}; {self.next_step}")
        for name, value in fields.items():
            if name not in kinds or not isinstance(value, kinds[name]) or isinstance(value, bool):
                raise ValueError(
                    f"{where} must have the fields {', '.join(kinds)}, got {name} = {value!r}; {self.next_step}"
                )
