"""report: print a record as a markdown table, or write a page of records, baselines, comparisons and fronts."""

import argparse
from pathlib import Path

from bench.commands.clone import in_clone, project_table
from bench.commands.parsing import Commands
from bench.gate.comparison import wrong_scenarios
from bench.gate.markdown import escape, markdown_table
from bench.gate.sentences import explanations
from bench.gate.verdict import EXIT_CODES, Verdict
from bench.harness.record import load
from bench.harness.wording import counted
from bench.pages.extrapolate import EXTRAPOLATION_HEADERS, extrapolation_rows, extrapolations
from bench.pages.recycling import HEADERS as BIAS_HEADERS
from bench.pages.recycling import bias_rows, biases
from bench.pages.report import machine_line
from bench.pages.rows import HEADERS, PARTS, PERCENTILE_HEADERS, has_parts, percentile_rows, rows_of
from bench.report.data import report_data
from bench.report.inputs import SUFFIXES, read_inputs
from bench.report.page import web_address
from bench.report.write import origin_of, summary, write_page
from fixtures.programs.terminal import note, say
from fixtures.programs.visible import visible


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("report")
    takes = (
        "JSON that a run of scenarios left; with --html any number of records, baselines, ab.json, documents of "
        "bench.front, files of `track`, and folders of these; default then: what the project keeps"
    )
    parser.add_argument("inputs", nargs="*", type=Path, metavar="RECORD", help=takes)
    parts = "show the parts of a pass that bench_layers times alone, a row each"
    parser.add_argument("--parts", action="store_true", help=parts)
    parser.add_argument("--html", type=Path, metavar="DIR", help="takes a page that opens from disk, with its data")
    judged = "with --html: promoted baselines, that records are judged by; default: the project's"
    parser.add_argument("--baselines", type=Path, metavar="DIR", help=judged)
    linked = "with --html: web address that commits are linked to; default: that of git's origin"
    parser.add_argument("--repository", metavar="URL", help=linked)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what a record holds, or write the page.

    Raises:
        ValueError: a record must be named, or an option does nothing.
    """
    if options.html is not None:
        if options.parts:
            raise ValueError("--parts is for the table of one record, got it with --html; leave it out: a page has all")
        return _write(options)
    idle = [f"--{name}" for name in ("baselines", "repository") if getattr(options, name) is not None]
    if idle or len(options.inputs) != 1:
        got = f"{' and '.join(idle)} without --html" if idle else f"{len(options.inputs)} records"
        raise ValueError(f"a table is of one record, got {got}; name one, or give --html DIR for a page")
    return _print(options.inputs[0], parts=options.parts)


def _print(path: Path, *, parts: bool) -> int:
    """Print what a record holds."""
    record = load(path)
    say(f"{escape(machine_line(record))}\n")
    say(markdown_table(HEADERS, [row.cells() for row in rows_of(record, {}, parts=parts)]))
    deep = extrapolation_rows(extrapolations(record))
    if deep:
        say(f"\n{markdown_table(EXTRAPOLATION_HEADERS, deep)}")
    if spread := percentile_rows(record, parts=parts):
        say(f"\n{markdown_table(PERCENTILE_HEADERS, spread)}")
    if found := bias_rows(biases(record)):
        say(f"\n{markdown_table(BIAS_HEADERS, found)}")
    hidden = [PARTS] if has_parts(record) and not parts else []
    for text in (*hidden, *explanations(wrong_scenarios(record))):
        say(f"\n- {escape(text)}")
    return 0


def _write(options: argparse.Namespace) -> int:
    """Write the page; a file that was named and cannot be shown ends as CORRUPT does, after it.

    Raises:
        ValueError: nothing can be shown.
    """
    baselines = options.baselines or in_clone(project_table().baselines)
    if options.baselines and not baselines.is_dir():
        raise FileNotFoundError(f"{baselines} must be a folder of baselines, got none; name it with --baselines DIR")
    inputs = read_inputs(options.inputs or _kept(baselines))
    for problem in inputs.problems:
        note(f"not shown: {problem.file}: {problem.why}")
    if inputs.others:
        note(f"left out: {counted(len(inputs.others), 'document')} of kinds that a report does not show")
    if inputs.is_empty:
        raise ValueError(
            f"a report must show something, got no record among {len(inputs.problems)} files; name files that "
            f"a run of scenarios, `ab` or bench.front wrote ({', '.join(SUFFIXES)}), or folders of them"
        )
    repository = web_address(options.repository) if options.repository else origin_of(baselines)
    data = report_data(inputs, baselines=baselines if baselines.is_dir() else None, repository=repository)
    written = write_page(options.html, data)
    for line in (*summary(data), str(written)):
        say(visible(line))
    return EXIT_CODES[Verdict.CORRUPT] if any(problem.is_asked for problem in inputs.problems) else 0


def _kept(baselines: Path) -> list[Path]:
    """Return the folders in which a project keeps what it measures, those that are there."""
    return [folder for folder in (in_clone("records"), in_clone("docs/records"), baselines) if folder.is_dir()]
