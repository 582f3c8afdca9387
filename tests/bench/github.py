"""What GitHub makes of markdown: its own library, then the filters that read mentions and the like from the page.

The filters' patterns are those of html-pipeline and of GitHub's documentation, not the code's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

FILTERS: Mapping[str, re.Pattern[str]] = {  # run over text that stands in no code
    "a mention": re.compile(r"(?:^|\W|_)@[a-z0-9][a-z0-9-]*", re.I),
    "an issue": re.compile(r"(?:^|\W|[a-z0-9])#\d+|\bgh-\d+", re.I),
    "an advisory": re.compile(r"\bGHSA(-[a-z0-9]{4}){3}", re.I),
    "a commit": re.compile(r"\b[0-9a-f]{7,40}\b", re.I),
    "an emoji": re.compile(r":(?!\d+:)[\w+-]+:"),  # of a number it is a picture of that number
    "math": re.compile(r"\$[^$]+\$"),
}
LITERAL = ("code", "pre", "a")  # where the filters read nothing
VOID = ("br", "hr", "img", "input")


@dataclass
class Page(HTMLParser):
    """A page as it is seen: its text, its elements, and what the filters would find."""

    html: str
    text: str = ""
    elements: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    within: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.within += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        while tag in self.within and self.within.pop() != tag:
            pass  # what a name closes, it need not have opened

    def handle_comment(self, _data: str) -> None:
        self.elements.append("!--")

    def handle_data(self, data: str) -> None:
        self.text += data
        if not set(self.within) & set(LITERAL):
            self.found += [name for name, pattern in FILTERS.items() if pattern.search(data)]


def page_of(markdown: str) -> Page:
    """Return what GitHub shows of a markdown text."""
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES  # HTML is read, and sanitised behind this
    return Page(cmarkgfm.github_flavored_markdown_to_html(markdown, options))


def seen(text: str) -> str:
    """Return a text as a browser lays it out, with one space for any."""
    return re.sub("[ \t\r\n]+", " ", text).strip(" ")
