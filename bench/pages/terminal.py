"""Tables on a terminal of any width: no word and no number is broken, and no empty column is shown.

What is too wide stands in blocks: a row's first cell on a line of its own, the rest below it in columns; of a report,
shares of the peaks leave the columns for a line of their own. Where columns are still too wide, each cell has a line.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text
from tabulate import tabulate

from bench.gate.verdict import Verdict
from bench.pages.rows import ARM_HEADERS, HEADERS, Row
from fixtures.programs.visible import visible

STYLES = {
    Verdict.OK: "green",
    Verdict.IDENTICAL: "green",
    Verdict.IMPROVED: "bold green",
    Verdict.REGRESSED: "bold red",
    Verdict.WRONG: "bold red",
    Verdict.CORRUPT: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.CHANGED: "bold red",
    Verdict.MISSING: "red",
    Verdict.NOT_COMPARABLE: "red",
    Verdict.UNFIT: "yellow",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NEW: "cyan",
}
HEAD = "bold"
INDENT = "  "
SHARES = ARM_HEADERS.index("MFU")  # where the shares of the peaks begin

Cells = Sequence[str]


def report_lines(rows: Sequence[Row], arms: Mapping[str, Sequence[Cells]], width: int) -> list[Text]:
    """Lay out rows of a report; too wide for the terminal, each scenario has a line, and one below it for each arm.

    Args:
        arms: by scenario, under ARM_HEADERS.
        width: of the terminal, in cells.
    """
    flat = aligned(HEADERS, [row.cells() for row in rows])
    if _fits(flat, width):
        return [Text(flat[0], HEAD), *(_judged(line, row) for line, row in zip(flat[1:], rows, strict=True))]
    blocks = [(row, arms.get(row.scenario, ())) for row in rows if row.scenario]
    everything = [cells for _, found in blocks for cells in found]
    num_columns = len(ARM_HEADERS) if _fits(_indented(aligned(ARM_HEADERS, everything)), width) else SHARES
    head, below = _below(ARM_HEADERS[:num_columns], [cells[:num_columns] for cells in everything], width)
    lines, waiting = [Text(head, HEAD)] if head else [], iter(below)
    for row, found in blocks:
        lines += _scenario(row, width)
        lines += [Text(line) for _ in found for line in next(waiting)]
        if num_columns == SHARES:
            lines += map(Text, _indented(textwrap.wrap(_shares(found), width - len(INDENT), break_long_words=False)))
    return lines


def table_lines(headers: Cells, rows: Sequence[Cells], width: int) -> list[Text]:
    """Lay out any rows, the first cell of each its name."""
    flat = aligned(headers, rows)
    if _fits(flat, width):
        return [Text(flat[0], HEAD), *map(Text, flat[1:])]
    head, below = _below(headers[1:], [row[1:] for row in rows], width)
    named = [[Text(visible(row[0])), *map(Text, found)] for row, found in zip(rows, below, strict=True)]
    return [*([Text(head, HEAD)] if head else []), *(line for lines in named for line in lines)]


def aligned(headers: Cells, rows: Sequence[Cells]) -> list[str]:
    """Return a line for the headers and one a row, in columns as wide as they must be; empty ones are left out.

    >>> aligned(("a", "b", "c"), [("1", "", "2"), ("333", "", "")])
    ['a    c', '1    2', '333']
    """
    kept = [i for i in range(len(headers)) if any(row[i] for row in rows)]
    plain = [[visible(row[i]) for i in kept] for row in rows]
    text = tabulate(plain, [headers[i] for i in kept], tablefmt="plain", disable_numparse=True)
    return [line.rstrip() for line in text.split("\n")]


def _below(headers: Cells, rows: Sequence[Cells], width: int) -> tuple[str, list[list[str]]]:
    """Return the headers' line and the lines of each row, indented; without headers where each cell has a line."""
    if not rows:
        return "", []
    head, *lines = aligned(headers, rows)
    if _fits(_indented((head, *lines)), width):
        return f"{INDENT}{head}", [_indented([line]) for line in lines]
    named = [zip(headers, row, strict=False) for row in rows]
    return "", [[f"{INDENT}{name}: {visible(cell)}" for name, cell in cells if cell] for cells in named]


def _shares(arms: Sequence[Cells]) -> str:
    """Name the shares of the peaks of a scenario's arms, in their order.

    >>> _shares([("moe", "", "", "3 %", "", ""), ("dense", "", "", "4 %", "5 %", "")])
    'MFU 3 / 4 %, MBU - / 5 %'
    """
    columns = {
        name: [cells[i].removesuffix(" %") for cells in arms] for i, name in enumerate(ARM_HEADERS) if i >= SHARES
    }
    said = {name: " / ".join(share or "-" for share in shares) for name, shares in columns.items() if any(shares)}
    return ", ".join(f"{name} {shares} %" for name, shares in said.items())


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"{INDENT}{line}" for line in lines]


def _fits(lines: Iterable[str], width: int) -> bool:
    return max(map(cell_len, lines)) <= width


def _scenario(row: Row, width: int) -> list[Text]:
    """Return a scenario's line with change and verdict behind it, or below where they do not fit."""
    behind = "  ".join(filter(None, (row.change, row.said)))
    whole = "  ".join(filter(None, (visible(row.scenario), visible(behind))))
    if cell_len(whole) <= width or not behind:
        return [_judged(whole, row)]
    return [Text(visible(row.scenario)), _judged(f"{INDENT}{visible(behind)}", row)]


def _judged(line: str, row: Row) -> Text:
    """Colour the verdict at the end of a line."""
    text = Text(line)
    if row.verdict:
        text.stylize(STYLES[row.verdict], len(line) - len(row.said))
    return text
