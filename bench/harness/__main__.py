"""Commands on records: python -m bench.harness ab | compare | promote | report | twins."""

import argparse
import datetime
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.harness import ledger
from bench.harness.ab.command import Request, compare
from bench.harness.ab.comment import comment, ends_with
from bench.harness.ab.github import publish
from bench.harness.ab.lockstep import HEAD
from bench.harness.ab.tolerances import FILE_NAME
from bench.harness.baseline import MIN_LAUNCHES, promote
from bench.harness.comparison import Selection, judge_one, missing_scenarios, open_reference
from bench.harness.extrapolate import EXTRAPOLATION_HEADERS, extrapolation_rows, extrapolations
from bench.harness.plot import draw_twins
from bench.harness.record import CorruptRecord, Record, RecordWriteError, load, merge, read, replace_text
from bench.harness.report import HEADERS, explanations, machine_line, markdown_table, rows_of
from bench.harness.retest import MIN_LAUNCHES as MIN_FRESH_LAUNCHES
from bench.harness.twins import HEADERS as TWIN_HEADERS
from bench.harness.twins import read_twins, summary_rows
from bench.harness.verdict import EXIT_CODES, Verdict, exit_code

BASELINES = Path("baselines")
IMAGES = Path("docs/images")
ERROR_CODES: dict[type[Exception], int] = {
    FileNotFoundError: EXIT_CODES[Verdict.MISSING],
    CorruptRecord: EXIT_CODES[Verdict.CORRUPT],
    RecordWriteError: EXIT_CODES[Verdict.FAILED],
    ValueError: 2,  # argparse's own code for a command line that makes no sense; after CorruptRecord, which is one
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: of the command line; None takes the process's.

    Returns:
        Exit code: the command's, or that of the error in ERROR_CODES.
    """
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except tuple(ERROR_CODES) as error:
        print(f"error: {error}", file=sys.stderr)
        return next(code for kind, code in ERROR_CODES.items() if isinstance(error, kind))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.harness", description="Commands on records of `pytest bench`."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_ab(commands)
    promotion = commands.add_parser("promote", help=f"make records of {MIN_LAUNCHES} or more launches the baseline")
    promotion.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="JSON that `pytest bench` left")
    promotion.add_argument("--reason", required=True, metavar="TEXT", help="why the baseline changes, for reviewers")
    promotion.add_argument("--baselines", type=Path, default=BASELINES, metavar="DIR", help="default: %(default)s")
    promotion.set_defaults(run=_promote)
    comparison = commands.add_parser("compare", help="judge records of one or more launches against a baseline")
    comparison.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="launches of the same scenarios")
    comparison.add_argument("--baselines", type=Path, default=BASELINES, metavar="DIR", help="default: %(default)s")
    comparison.add_argument("--baseline", type=Path, metavar="FILE", help="compare with this record and no other")
    comparison.add_argument("--strict", action="store_true", help="INCONCLUSIVE ends 11")
    comparison.set_defaults(run=_compare)
    report = commands.add_parser("report", help="print a record as a markdown table")
    report.add_argument("record", type=Path, metavar="RECORD")
    report.set_defaults(run=_report)
    twins = commands.add_parser("twins", help="draw what `python -m fixtures.training` left, and print its table")
    twins.add_argument("document", type=Path, metavar="RESULTS", help="its results.json")
    twins.add_argument("--out", type=Path, default=IMAGES, metavar="DIR", help="takes the SVGs; default: %(default)s")
    twins.set_defaults(run=_twins)
    return parser


def _add_ab(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    ab = commands.add_parser("ab", help="measure base and head in lock-step on this machine, now")
    ab.add_argument("--base", required=True, metavar="REV", help="git revision to compare with")
    ab.add_argument("--head", metavar="REV", help="git revision to judge; default: the working tree as it is")
    ab.add_argument("--scenarios", default="", metavar="EXPR", help="pytest's -k; default: all")
    ab.add_argument("--budget", type=seconds, default=1200.0, metavar="TIME", help="like 90s or 20m; default: 20m")
    ab.add_argument("--out", type=Path, default=Path("records"), metavar="DIR", help="takes ab.json and ab.md")
    ab.add_argument("--strict", action="store_true", help="INCONCLUSIVE ends 11")
    ab.add_argument("--inject", action="append", default=[], metavar="ARM=F", help="slow an arm of head, to rehearse")
    ab.add_argument("pytest", nargs="*", metavar="-- OPTION", help="as of pytest bench: --scale tiny --batch-size 1")
    ab.set_defaults(run=_ab)


def seconds(text: str) -> float:
    """Read a duration; argparse turns the error of anything else into its own.

    >>> seconds("90s"), seconds("20m"), seconds("1h")
    (90.0, 1200.0, 3600.0)
    """
    return float(text.rstrip("smh")) * {"m": 60.0, "h": 3600.0}.get(text[-1:], 1.0)


def _ab(options: argparse.Namespace) -> int:
    """Compare base and head; leave the launches and the comment, print the comment."""
    request = Request(
        root=Path.cwd(),
        base=options.base,
        head=options.head,
        expression=options.scenarios,
        arguments=options.pytest,
        budget_s=options.budget,
        seed=0,
        tolerances=BASELINES / FILE_NAME,
        side_arguments={HEAD: [f"--inject={arm}" for arm in options.inject]},
    )
    signal.signal(signal.SIGTERM, _interrupt)
    result = compare(request, note=lambda text: print(text, file=sys.stderr))
    said = comment(result)
    print(said)  # before any file is written: a full disk must not cost what was measured
    for line in publish(said, result.verdicts, os.environ):
        print(line)
    result.write(options.out / "ab.json")
    replace_text(options.out / "ab.md", said)
    return ends_with(result, strict=options.strict)


def _interrupt(*_arguments: object) -> None:
    """Turn SIGTERM into what Ctrl-C raises: workers and worktrees are then cleaned up."""
    raise KeyboardInterrupt


def _compare(options: argparse.Namespace) -> int:
    """Judge; several launches confirm one another, a single one can only raise suspicion."""
    documents = [read(path) for path in options.records]
    record = Record.from_document(merge(documents) if len(documents) > 1 else documents[0])
    reference = open_reference(options.baselines, options.baseline, record.kind, record.fingerprint)
    if reference.verdict:
        print(f"{reference.verdict.value}: {reference.why}")
        return EXIT_CODES[reference.verdict]
    verdicts = {
        name: judge_one(name, scenario, reference, confirmed=len(scenario.launch_ids) >= MIN_FRESH_LAUNCHES)
        for name, scenario in record.scenarios.items()
    }
    print(markdown_table(HEADERS, [row.cells() for row in rows_of(record, verdicts)]))
    whole = Selection(
        collected=set(verdicts), functions=None, axes=record.options.get("axes", {}), whole=not record.filtered
    )
    verdicts.update({verdict.scenario: verdict for verdict in missing_scenarios(reference, whole)})
    for text in explanations(verdicts.values()):
        print(f"- {text}")
    return exit_code((verdict.verdict for verdict in verdicts.values()), strict=options.strict)


def _report(options: argparse.Namespace) -> int:
    """Print what a record holds."""
    record = load(options.record)
    print(markdown_table(HEADERS, [row.cells() for row in rows_of(record, {})]))
    deep = extrapolation_rows(extrapolations(record))
    if deep:
        print(f"\n{markdown_table(EXTRAPOLATION_HEADERS, deep)}")
    print(f"\n{machine_line(record)}")
    return 0


def _twins(options: argparse.Namespace) -> int:
    """Draw the twins of a document; the table is printed as markdown."""
    variants = read_twins(options.document)
    print(markdown_table(TWIN_HEADERS, summary_rows(variants)))
    for path in draw_twins(variants, options.out):
        print(f"drawn: {path}")
    return 0


def _promote(options: argparse.Namespace) -> int:
    """Promote, then say where the baseline is and what slowdowns were accepted since the last release."""
    release = _git("describe", "--tags", "--abbrev=0")
    path = promote(
        options.records,
        options.baselines,
        reason=options.reason,
        commit=_git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or "unversioned",
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        release=release,
    )
    print(f"promoted {path}; commit it on its own, with the reason")
    accepted = ledger.accepted_since(ledger.read(options.baselines), baseline=path.name, release=release)
    since = f"since {release}" if release else "so far (no release tag yet)"
    if not accepted:
        print(f"no slowdown was accepted {since}")
        return 0
    print(f"slowdowns of {ledger.CONTROL} accepted {since}:")
    for scenario, log_ratio in sorted(accepted.items(), key=lambda item: -item[1]):
        print(f"  {100 * math.expm1(log_ratio):+6.1f} %  {scenario}")
    return 0


def _git(*arguments: str) -> str:
    """Ask git; empty where it cannot answer (no repository, no tag)."""
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
