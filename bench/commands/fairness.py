"""fairness: tell whether every arm goes its fastest way, from records of bench/ways.py."""

import argparse
from pathlib import Path

from bench.commands.parsing import Commands
from bench.gate.verdict import EXIT_CODES, Verdict
from bench.harness.record import load
from bench.harness.writing import replace_text
from bench.pages.fairness import ALLOWED, fairness_table, is_unfair
from bench.pages.peers.pairs import pairs_of
from fixtures.programs.terminal import say


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("fairness")
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="of pytest bench/ways.py")
    parser.add_argument("--out", type=Path, metavar="FILE", help="takes the table too")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table; end as REGRESSED does where a ratio of models would be wrong.

    Raises:
        ValueError: no record has an arm that goes another way.
    """
    pairs = pairs_of({path: load(path) for path in options.records})
    if not pairs:
        raise ValueError(
            "records must hold arms that go other ways, as products/dense, got none; run pytest bench/ways.py"
        )
    said, unfair = fairness_table(pairs), [pair for pair in pairs if is_unfair(pair)]
    if options.out:
        replace_text(options.out, f"{said}\n")
    say(said)
    say(f"{len(pairs)} comparisons; another way is faster by more than {100 * (ALLOWED - 1):.0f} %: {len(unfair)}")
    return EXIT_CODES[Verdict.REGRESSED] if unfair else 0
