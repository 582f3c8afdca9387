"""Where a page's figures lie: beside it, and named after it, for pages of one folder share their images'."""

import re
from pathlib import Path

IMAGES = Path("images")


def figure_path(page: Path, name: str) -> Path:
    """Name a figure's file, relative to its page.

    >>> figure_path(Path("docs/my page.md"), "bins.svg").as_posix()
    'images/my-page-bins.svg'
    """
    stem = re.sub(r"[^\w.-]+", "-", page.stem)  # of a link: no spaces
    return IMAGES / f"{stem}-{name}"
