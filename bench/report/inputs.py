"""What a report is made of: files, and folders of such, told apart by what they hold; what cannot be shown is named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bench.gate import ledger
from bench.harness.documents import CorruptRecord, content_of, document_of, parse_json
from bench.harness.record import KEY, Record, load
from bench.harness.writing import whole_lines
from bench.pages.pareto.documents import Tier, read_tiers
from bench.report.compared import Compared, read_compared
from bench.report.tracked import TrackedRun, is_tracked, read_tracked
from fixtures.programs.visible import visible

RUN = "launch"  # of each line of a file of runs
SUFFIXES = (".json", ".jsonl")  # of a folder's files that are read
FORMS = (
    "a record or a baseline, ab.json of `ab`, a document of bench.front, or lines of `track`; leave it out, or measure "
    "it again"
)


class OtherKind(CorruptRecord):
    """A sound document that a report does not show."""


class Problem(NamedTuple):
    """What is not shown, and why."""

    file: str
    why: str
    is_asked: bool  # it was named, and not met in a folder


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What was read, by the name of its file, in the order in which it was named."""

    records: dict[str, Record] = field(default_factory=dict)
    compared: dict[str, Compared] = field(default_factory=dict)
    tiers: dict[str, Tier] = field(default_factory=dict)
    tracked: dict[str, Sequence[TrackedRun]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # files of folders, sound, of kinds that no report shows

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to show."""
        return not (self.records or self.compared or self.tiers or self.tracked)


def read_inputs(paths: Iterable[Path]) -> Inputs:
    """Read files, and those of folders, each once; one that cannot be read becomes a problem, and the rest is read.

    Raises:
        FileNotFoundError: there is no such file.
    """
    found, seen = Inputs(), set()
    for asked in paths:
        for path in _files(asked):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                _read(found, path, is_asked=path == asked)
    return found


def _files(path: Path) -> list[Path]:
    """Return a file, or those of a folder that may be shown: a baselines' ledger is read with its history."""
    if not path.is_dir():
        return [path]
    return sorted(one for one in path.iterdir() if one.suffix in SUFFIXES and one.name != ledger.NAME)


def _read(found: Inputs, path: Path, *, is_asked: bool) -> None:
    name = visible(path.as_posix())
    try:
        _sort_in(found, path, name)
    except FileNotFoundError:
        raise
    except OtherKind as error:
        if is_asked:
            found.problems.append(Problem(name, _reason(error, name), is_asked))
        else:
            found.others.append(name)
    except (ValueError, KeyError) as error:  # CorruptRecord says where; a KeyError's words are the missing key
        why = _reason(error, name) if isinstance(error, ValueError) else f"must have {error}"
        found.problems.append(Problem(name, why, is_asked))


def _reason(error: ValueError, name: str) -> str:
    return str(error).removeprefix(name).lstrip(":, ")


def _sort_in(found: Inputs, path: Path, name: str) -> None:
    """Read a file as what it is.

    Raises:
        CorruptRecord: it is none of what a report shows, or breaks its form.
    """
    if is_tracked(path):
        found.tracked[name] = _runs(path)
        return
    with document_of(path, remedy=f"name {FORMS}"):
        document = parse_json(content_of(path))
    _check_kind(path, document, is_shown=isinstance(document, dict))
    assert isinstance(document, dict)
    if KEY in document:
        found.records[name] = load(path)
    elif "tier" in document:
        (found.tiers[name],) = read_tiers([path]).values()
    elif {"base", "head", "launches"} <= document.keys():
        found.compared[name] = read_compared(path)
    else:
        _check_kind(path, document, is_shown=False)


def _runs(path: Path) -> list[TrackedRun]:
    """Read the runs of a file of lines, if it is one of runs.

    Raises:
        CorruptRecord: as `_sort_in`.
    """
    first, _, _ = whole_lines(content_of(path)).partition(b"\n")
    with document_of(f"{path}, line 1", remedy=f"name {FORMS}"):
        held = parse_json(first) if first else {RUN: ""}
    _check_kind(path, held, is_shown=isinstance(held, dict) and RUN in held)
    return read_tracked(path)


def _check_kind(path: Path, held: object, *, is_shown: bool) -> None:
    """Refuse a document of another kind.

    Raises:
        OtherKind: it is one.
    """
    if not is_shown:
        what = ", ".join(list(held)[:4]) if isinstance(held, dict) else type(held).__name__
        raise OtherKind(
            f"must be what a report shows, got another document ({what or 'empty'})", file=path, remedy=f"name {FORMS}"
        )
