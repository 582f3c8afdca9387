"""Markdown as GitHub reads it: folded parts, and names that stay what they are whatever they hold."""

import re


def code(text: str) -> str:
    """Return a code span, in which GitHub reads neither markup nor mentions nor links; also within a table's cell.

    Args:
        text: anything; line breaks become spaces.

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
