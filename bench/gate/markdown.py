"""Markdown as GitHub reads it: tables, folded parts, and text from outside that stays what it is whatever it holds.

GitHub reads mentions, references to issues, emoji and links out of the page that markdown became, so a backslash does
not hold them off: a code span does. What holds anything that could be read so comes as one.
"""

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from fixtures.programs.visible import visible

BAR = "&#124;"
RISKY = re.compile(  # what markdown, or GitHub after it, may read as more than text
    r"""
    [\\`*~$!<>&\#|]             # markup, math, HTML, entities, references to issues, cells
    | (?<!\w)_ | _(?!\w)        # emphasis: within a word it is none
    | (?<!\w)@ | @[^\s@]*\.     # mentions and mail; the depth in 7b@4 is neither
    | \][(\[]                   # links
    | \w:// | www\. | \w:[^\s:@]*@  # and what is one without brackets
    | :[\w+-]+: | :(?!\d+$)[\w+-]+$  # emoji, also with a colon behind the text
    | \bGH(SA)?-\w | \b[0-9a-f]{7,}\b  # issues, advisories, commits
    | ^[=\[] | ^[+-](?!\d) | ^\d+[.)](?!\d)  # rules, tasks, lists: at the start of a line
    """,
    re.VERBOSE | re.IGNORECASE,
)


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out as a GitHub table; what comes from names is escaped."""
    return github_table([escape(h) for h in headers], [[escape(cell) for cell in row] for row in rows])


def github_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out as a GitHub table; cells are markdown already."""
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def escape(text: str) -> str:
    r"""Return text as markdown that shows it and no more: as it is where nothing in it could be markup, else as code.

    >>> print(escape("bench_decode[7b@4-b1]"), escape("a <i>"), escape("@team\u202e"))
    bench_decode[7b@4-b1] `a <i>` `@team\u202e`
    """
    line = one_line(text)
    return code(line) if RISKY.search(line) else line


def code(text: str) -> str:
    """Return code spans, in which GitHub reads neither markup nor mentions, links or math; also within a table's cell.

    A cell ends at a bar whatever is around it, and outside of tables a backslash before one shows: bars stand between
    spans.

    >>> code("a<b"), code("a`b"), code("a|b"), code("")
    ('`a<b`', '`` a`b ``', '`a`&#124;`b`', '')
    """
    return BAR.join(map(_span, one_line(text).split("|")))


def one_line(text: str) -> str:
    """Join the lines of a text, and write out what hides in it."""
    return visible(" ".join(re.split("[ \t\r\n]+", text)).strip(" "))


def _span(text: str) -> str:
    if not text:
        return ""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    room = " " if len(fence) > 1 or text[0] == text[-1] == " " else ""  # a space at both ends is markup
    return f"{fence}{room}{text}{room}{fence}"


def folded(title: str, body: str) -> str:
    """Return a part that GitHub shows closed; the title is ours, no name."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
