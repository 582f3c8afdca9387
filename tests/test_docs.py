"""Links in what a reader reads: each leads to a file of the repository, not to one that only this checkout has."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob("baselines/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|`(docs/[\w./-]+\.\w+)`")


def targets(page: Path) -> list[Path]:
    """Return the files that a page points to, by link from its folder or by name from the root."""
    found = LINK.findall(page.read_text(encoding="utf-8"))
    links = [page.parent / link for link, _ in found if link and "://" not in link]
    return [path.resolve() for path in (*links, *(ROOT / name for _, name in found if name))]


@pytest.fixture(scope="module")
def tracked() -> set[Path]:
    if not (ROOT / ".git").exists():
        return {path for path in ROOT.rglob("*") if path.is_file()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {ROOT / name for name in listed.stdout.splitlines()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_of_the_repository(page: Path, tracked: set[Path]) -> None:
    folders = {parent for path in tracked for parent in path.parents}
    assert [str(path) for path in targets(page) if path not in tracked and path not in folders] == []


def test_links_are_found() -> None:
    assert ROOT / "docs" / "records" / "proxy-cpu.json" in targets(ROOT / "README.md")
