"""compare: judge records of one or more launches against a baseline."""

import argparse
from pathlib import Path

from bench.commands.parsing import Commands, add_allow_inconclusive, add_baselines
from bench.gate.baseline import NoBaseline, open_baseline
from bench.gate.cap import capped
from bench.gate.comparison import Selection, judge_all, missing_scenarios, wrong_scenarios
from bench.gate.headline import headline, tell
from bench.gate.judging_groups import judge_groups
from bench.gate.markdown import escape, markdown_table
from bench.gate.retest import LAUNCHES_TO_CONFIRM
from bench.gate.sentences import explanations
from bench.gate.verdict import EXIT_CODES, closed, exit_code, worst
from bench.harness.record import Record, merge, read
from bench.pages.rows import HEADERS, group_rows, rows_of
from fixtures.programs.terminal import say


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("compare")
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="launches of the same scenarios")
    add_baselines(parser)
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="compare with this record and no other")
    add_allow_inconclusive(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge; several launches confirm one another, a single one can only raise suspicion."""
    documents = [read(path) for path in options.records]
    record = Record.from_document(merge(documents) if len(documents) > 1 else documents[0])
    opened = open_baseline(options.baselines, options.baseline, record)
    wrong = wrong_scenarios(record)
    if isinstance(opened, NoBaseline):
        for text in (f"{opened.verdict.value}: {opened.why}", *explanations(wrong)):
            say(escape(text))
        return EXIT_CODES[worst([opened.verdict, *(verdict.verdict for verdict in wrong)])]
    confirmed = all(len(scenario.launch_ids) >= LAUNCHES_TO_CONFIRM for scenario in record.scenarios.values())
    verdicts, opened = judge_all(record.scenarios, opened, confirmed=confirmed)
    verdicts = {name: capped(verdict) for name, verdict in verdicts.items()}
    groups = judge_groups(record.scenarios, opened, opened.groups, confirmed=confirmed)
    rows = [*rows_of(record, verdicts), *group_rows(groups.values())]
    say(markdown_table(HEADERS, [row.cells() for row in rows]))
    verdicts.update({verdict.scenario: verdict for verdict in wrong})
    whole = Selection(
        collected=set(verdicts), functions=None, axes=record.options.get("axes", {}), whole=not record.filtered
    )
    verdicts.update({verdict.scenario: verdict for verdict in missing_scenarios(opened, whole)})
    verdicts.update(groups)
    said = closed(verdicts.values(), allow_inconclusive=options.allow_inconclusive)
    for text in explanations(said):
        say(f"- {escape(text)}")
    if head := headline(tell(groups.values())):
        say(escape(head))
    return exit_code(said, allow_inconclusive=options.allow_inconclusive)
