"""Markdown as GitHub reads it: tables, folded parts, and names that stay what they are whatever they hold."""

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out as a GitHub table; what comes from names is escaped."""
    return github_table([escape(h) for h in headers], [[escape(cell) for cell in row] for row in rows])


def github_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out as a GitHub table; cells are markdown already."""
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def escape(text: str) -> str:
    """Escape what would end a cell or start markup in a GitHub table.

    >>> escape("a|b <i>")
    'a\\\\|b &lt;i&gt;'
    """
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


def code(text: str) -> str:
    """Return a code span, in which GitHub reads neither markup nor mentions nor links; also within a table's cell.

    >>> code("a|b")
    '`a\\\\|b`'
    >>> code("a`b")
    '`` a`b ``'
    """
    line = " ".join(text.split())
    if not line:
        return ""
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    room = " " if len(fence) > 1 else ""
    return f"{fence}{room}{line}{room}{fence}".replace("|", "\\|")


def folded(title: str, body: str) -> str:
    """Return a part that GitHub shows closed; the title is ours, no name."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
