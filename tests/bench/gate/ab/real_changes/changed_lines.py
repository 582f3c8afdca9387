"""Which lines of the package a change adds that a call can run."""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType

PACKAGE = "moevlm/"
CO_OPTIMIZED = 0x1  # a function's code: not a module's or a class's body, which runs at import
REFUSAL = "raise "  # what sound inputs never run

Lines = set[tuple[str, int]]  # (file from the root, line)


def runnable_lines(base: Path, head: Path, names: Iterable[str]) -> Lines:
    """Return the lines that head adds inside functions of the package's files, refusals left out.

    Args:
        base: Root of the project as it is.
        head: Root of a copy with the change.
        names: Files that the change names, from the root.
    """
    return {
        (name, line)
        for name in names
        if name.startswith(PACKAGE) and name.endswith(".py")
        for line in _added(base / name, head / name) & set(_inside_functions(_compiled(head / name)))
        if not _text(head / name)[line - 1].strip().startswith(REFUSAL)
    }


def _added(before: Path, after: Path) -> set[int]:
    codes = difflib.SequenceMatcher(None, _text(before), _text(after), autojunk=False).get_opcodes()
    return {line + 1 for tag, _, _, start, end in codes if tag != "equal" for line in range(start, end)}


def _inside_functions(code: CodeType) -> Iterator[int]:
    if code.co_flags & CO_OPTIMIZED:
        yield from (line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inside_functions(constant)


def _compiled(path: Path) -> CodeType:
    return compile(path.read_text(), str(path), "exec")


def _text(path: Path) -> list[str]:
    return path.read_text().splitlines()
