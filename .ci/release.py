"""What a release needs to know: that its tag is the version, and its section of the changelog.

`python .ci/release.py v1.2.3` prints the section, or ends 1 with what is to be done first. It needs Python alone.
"""

import argparse
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECT, CHANGELOG = "pyproject.toml", "CHANGELOG.md"
UNRELEASED = "Unreleased"
SECTION = re.compile(r"^## (\S+)(.*)\n((?:(?!## ).*\n?)*)", re.M)  # name, date, lines


def notes(tag: str, pyproject: str, changelog: str) -> str:
    """Return what the changelog says of the version that a tag names.

    Args:
        tag: "v" and the version.
        pyproject: the text of pyproject.toml, the one place that states a version.
        changelog: the text of CHANGELOG.md.

    Raises:
        ValueError: tag and version differ, the section is absent, undated or empty, or lines are still unreleased.
    """
    version: str = tomllib.loads(pyproject)["project"]["version"]
    if tag != f"v{version}":
        raise ValueError(f"the tag must be v{version}, as {PYPROJECT} says, got {tag}; change one of the two")
    sections = {name: (date, lines.strip()) for name, date, lines in SECTION.findall(changelog)}
    if sections.get(UNRELEASED, ("", ""))[1]:
        raise ValueError(f"{CHANGELOG} must have nothing under {UNRELEASED}; name the section {version} - YYYY-MM-DD")
    date, lines = sections.get(version, ("", ""))
    if not re.fullmatch(r" - \d{4}-\d\d-\d\d", date) or not lines:
        raise ValueError(f"{CHANGELOG} must have a section '## {version} - YYYY-MM-DD' with lines, got none; write it")
    return lines + "\n"


def main() -> None:
    """Print the notes of the tag on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag", help="v and the version, as v1.2.3")
    tag = parser.parse_args().tag
    texts = ((ROOT / name).read_text(encoding="utf-8") for name in (PYPROJECT, CHANGELOG))
    try:
        print(notes(tag, *texts), end="")
    except ValueError as refused:
        raise SystemExit(str(refused)) from None


if __name__ == "__main__":
    main()
