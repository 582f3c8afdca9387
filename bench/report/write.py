"""Write a report: of files that a command names, or of what `pytest` has just measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.gate.git import git_says
from bench.gate.verdict import ScenarioVerdict
from bench.harness.record import Record
from bench.harness.wording import counted
from bench.harness.writing import replace_bytes
from bench.report.data import ReportData, report_data
from bench.report.inputs import Inputs
from bench.report.page import page_files, web_address, weight

INDEX = "index.html"


class Written(NamedTuple):
    """A page that lies on disk."""

    path: Path
    num_bytes: int  # that a browser loads

    def __str__(self) -> str:
        """Say where it is."""
        return f"report: {self.path}, {self.num_bytes / 1e6:.1f} MB; open it in a browser, or serve its folder"


def write_page(folder: Path, data: ReportData) -> Written:
    """Write the page's files into a folder, which is made; other files there stay.

    Raises:
        RecordWriteError: the file system refuses.
    """
    files = page_files(data)
    for name, content in files.items():
        replace_bytes(folder / name, content)
    return Written(folder / INDEX, weight(files))


def write_run(
    folder: Path, name: str, record: Record, verdicts: Mapping[str, ScenarioVerdict], baselines: Path
) -> Written:
    """Write the page of one run, with the history of its baselines.

    Raises:
        RecordWriteError: the file system refuses.
    """
    inputs = Inputs(records={name: record})
    data = report_data(inputs, baselines=baselines, repository=origin_of(baselines), said={name: verdicts})
    return write_page(folder, data)


def origin_of(folder: Path) -> str:
    """Return the web address of the repository that a folder lies in; empty where it has none."""
    if not folder.is_dir():
        return ""
    try:
        return web_address(git_says(folder, "remote", "get-url", "origin"))
    except ValueError:  # no git, no origin, or one on a disk
        return ""


def summary(data: ReportData) -> Sequence[str]:
    """Say what the page holds, and what it does not."""
    held = {
        "scenario": len(data.scenarios), "speed-up": len(data.speedups), "layer": len(data.layers),
        "front": len(data.fronts), "followed scenario": len(data.history),
    }  # fmt: skip
    shown = ", ".join(counted(number, what) for what, number in held.items() if number)
    return [f"shown: {shown or 'nothing'}", *(f"note: {note}" for note in data.notes)]
