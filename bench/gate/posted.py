"""A comment as a job may post it that holds the right to: whoever wrote it, it calls nobody and leads nowhere.

A pull request's own code measures, and writes the comment: it may hold anything. The job that posts it runs this file
of the default branch, on what Python brings along, for it installs nothing.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.visible import visible_lines

MARKER = "<!-- moevlm ab -->"  # by which a workflow finds the comment to update it in place
NOTICE = "*Measured and written by this pull request's own code, which can change what it says.*"
RUN = re.compile(r"https://[\w.-]+(/[\w.-]+){2}/actions/runs/\d+")  # as whoever posts it knows of itself
WORKFLOW = re.compile(r"\w+(-\w+)*")
MOST_LETTERS = 65_000  # GitHub refuses comments above 65,536
MOST_BYTES = 2**20  # of which more is read than can be shown
CUT, CLOSED = "\n\n(cut: too long for a comment)", "\n\n</details>"
MOST_OPEN = 10  # folded parts that lie in one another; ours lie side by side
UNSEEN = "\N{ZERO WIDTH SPACE}"  # behind what begins more than text; in code, too, it leaves all as it looks
BEGINS_MORE = re.compile(
    r"""
    (?<![a-z0-9])@ | @(?=[\w-]*\.)         # mentions, mail; the depth in 7b@4 is neither
    | \#(?!(?<=&\#)124;)(?=\d) | \bGH(SA)?-(?=\w)  # issues, advisories; a bar is neither
    | :(?=//) | www(?=\.) | \](?=[(\[:])    # links, pictures
    | &(?!\#124;)(?=[\#\w])               # an entity is any of these in disguise; a bar is none
    | <(?!/?(details|summary|sub)>)        # HTML, but for what a comment of ours has
    """,
    re.VERBOSE | re.IGNORECASE,
)


def posted(comment: bytes, run: str = "", of: str = "") -> str:
    """Return a comment with a word on who wrote it, defused and short enough.

    Args:
        comment: what the pull request's code wrote.
        run: address of the run that measured, which keeps record and report; the one link.
        of: name of the workflow that measured: each has a comment of its own.

    Raises:
        ValueError: it is none of ours: it does not begin with MARKER; or the address is of no run, the name no word.
    """
    if run and not RUN.fullmatch(run):
        raise ValueError(f"a run must be https://HOST/OWNER/NAME/actions/runs/NUMBER, got {run!r}; leave it out")
    if of and not WORKFLOW.fullmatch(of):
        raise ValueError(f"a workflow's name must be letters, digits and single hyphens, got {of!r}; rename it")
    text = comment[:MOST_BYTES].decode("utf-8", errors="replace")
    if not text.startswith(MARKER):
        raise ValueError(f"a comment to post must begin with {MARKER}, got {text[:40]!r}; measure again")
    said = BEGINS_MORE.sub(lambda found: f"{found[0]}{UNSEEN}", visible_lines(text.removeprefix(MARKER)))
    link = f" [Run, record and report]({run}#artifacts)" if run else ""
    own = f"<!-- {of} -->" if of else ""
    return cut(f"{MARKER}{own}\n{NOTICE}{link}\n{said}", MOST_LETTERS)


def cut(text: str, most: int) -> str:
    """Shorten a comment to whole lines, if need be, close the parts that are open then, and say so.

    >>> print(cut("<details>\\n| a |\\n| bc |\\n" + "d" * 200, 185))
    <details>
    | a |
    | bc |
    <BLANKLINE>
    </details>
    <BLANKLINE>
    (cut: too long for a comment)
    """
    if len(text) <= most:
        return text
    kept = text[: most - len(CUT) - MOST_OPEN * len(CLOSED)].rpartition("\n")[0]
    num_open = kept.count("<details>") - kept.count("</details>")
    return f"{kept}{CLOSED * min(max(num_open, 0), MOST_OPEN)}{CUT}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read a comment from a file and write it as it may be posted; what is none of ours ends 4."""
    parser = Parser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, metavar="COMMENT", help="what a measuring job wrote")
    parser.add_argument("out", type=Path, metavar="OUT", help="takes what may be posted")
    parser.add_argument("--run", default="", metavar="URL", help="of the run that measured, to link to")
    parser.add_argument("--of", default="", metavar="WORKFLOW", help="that measured: each has a comment of its own")
    options = parser.parse_args(arguments)
    options.out.write_text(posted(options.source.read_bytes(), options.run, options.of), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_program(main))
