"""The page's files: index.html from its template, data as a script and as JSON, and what is copied as it is.

Every string of a record is untrusted: the template escapes each, and no script makes HTML of one.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.report.data import ReportData

FOLDER = Path(__file__).with_name("static")
SCRIPTS = (  # in the order in which they are loaded
    *("lib/d3.min.js", "lib/plot.umd.min.js", "data.js"),
    *("js/format.js", "js/dom.js", "js/state.js", "js/model.js", "js/filters.js", "js/charts.js", "js/detail.js"),
    *("js/table.js", "js/speedup.js", "js/bars.js", "js/front.js", "js/history.js", "js/main.js"),
)
STYLE = "report.css"
LICENCES = ("lib/LICENSE-d3", "lib/LICENSE-plot", "lib/README.md")
# Beyond JSON's own: what would end the literal, the script, or a line of it.
ESCAPED = {"\\": "\\\\", "'": "\\'", "<": "\\x3c", "\u2028": "\\u2028", "\u2029": "\\u2029"}
COMMIT = re.compile(r"[0-9a-f]{7,64}")

TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def page_files(data: ReportData) -> dict[str, bytes]:
    """Return the page's files by their names, index.html last: it is there once all that it loads is."""
    encoded = msgspec.json.encode(data)
    copied = {name: (FOLDER / name).read_bytes() for name in (*SCRIPTS, STYLE, *LICENCES) if name != "data.js"}
    facts = {"data": data, "scripts": SCRIPTS, "style": STYLE, "commit_url": commit_url}
    page = TEMPLATES.get_template("index.html").render(facts)
    return {**copied, "data.json": encoded, "data.js": script_of(encoded).encode(), "index.html": page.encode()}


def script_of(encoded: bytes) -> str:
    r"""Return JSON as a script that a browser loads from disk, where it may fetch nothing.

    >>> print(script_of(b'{"a":"</script>\'\\n"}'), end="")
    window.REPORT_DATA = JSON.parse('{"a":"\x3c/script>\'\\n"}');
    """
    text = re.sub("[\\\\'<\u2028\u2029]", lambda found: ESCAPED[found[0]], encoded.decode())
    return f"window.REPORT_DATA = JSON.parse('{text}');\n"


def commit_url(repository: str, commit: str) -> str:
    """Return where a commit is shown; empty where there is no address, or no commit.

    >>> commit_url("https://example.org/a/b", "0123456789abcdef"), commit_url("https://example.org/a/b", "javascript:")
    ('https://example.org/a/b/commit/0123456789abcdef', '')
    """
    return f"{repository}/commit/{commit}" if repository and COMMIT.fullmatch(commit) else ""


def web_address(text: str) -> str:
    """Return the web address of a repository, as a remote of git or a user writes it, without credentials.

    Raises:
        ValueError: it is none.

    >>> web_address("git@example.org:a/b.git"), web_address("https://token@example.org/a/b.git")
    ('https://example.org/a/b', 'https://example.org/a/b')
    """
    if found := re.fullmatch(r"(?:ssh://)?git@([\w.-]+)[:/](?:\d+/)?([\w./-]+)", text):
        text = f"https://{found[1]}/{found[2]}"
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not re.fullmatch(r"[\w./~-]*", parts.path):
        raise ValueError(f"a repository must have a web address, like https://host/owner/name, got {text!r:.100}")
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.removesuffix('/').removesuffix('.git')}"


def weight(files: Mapping[str, bytes]) -> int:
    """Return the bytes of what a browser loads: of the data the script alone."""
    return sum(len(content) for name, content in files.items() if name in (*SCRIPTS, STYLE, "index.html"))
