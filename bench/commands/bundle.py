"""bundle: pack a record's claims with their evidence; reproduce measures them again."""

import argparse
import time
from pathlib import Path

from bench.commands.clone import clone_root, project_table
from bench.commands.parsing import Commands, add_allow_inconclusive, take_pytest_options
from bench.evidence.bundle.allowed import check_scenarios, options_here
from bench.evidence.bundle.archive import pack, unpack
from bench.evidence.bundle.claims import claims_of
from bench.evidence.bundle.reproduction import Reproduced, judge, measure
from bench.evidence.bundle.tables import claims_table, reproduced_table
from bench.gate.launch import Launcher
from bench.gate.verdict import exit_code
from bench.harness.naming import COMMANDS
from bench.harness.reading import seconds
from bench.harness.record import Record, merge, read
from fixtures.programs.terminal import note, say

LAUNCHES = 3  # fewer meet the same bad moment together


def add(commands: Commands) -> None:
    """Add both commands to the parser."""
    packing = commands.add_parser("bundle")
    packing.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="launches of the same scenarios")
    packing.add_argument("--out", required=True, type=Path, metavar="FILE", help="the archive, like claims.tar.gz")
    packing.set_defaults(run=_pack)
    again = commands.add_parser("reproduce")
    again.add_argument("bundle", type=Path, metavar="BUNDLE", help="archive that `bundle` wrote")
    launches = "fresh processes, each of which measures everything; default: %(default)s"
    again.add_argument("--launches", type=int, default=LAUNCHES, metavar="N", help=launches)
    again.add_argument("--budget", type=seconds, default=1200.0, metavar="TIME", help="like 90s or 20m; default: 20m")
    add_allow_inconclusive(again)
    take_pytest_options(again, "--inject moe=1.3, over the bundle's own")
    again.set_defaults(run=_reproduce)


def _pack(options: argparse.Namespace) -> int:
    """Pack; print the claims."""
    documents = [read(path) for path in options.records]
    document = merge(documents) if len(documents) > 1 else documents[0]
    said = claims_table(claims_of(Record.from_document(document)))
    say(said)
    pack(document, options.out, said)
    say(f"\npacked {options.out}: {COMMANDS} reproduce {options.out}")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    """Measure again, judge each claim, print them; the exit code is that of the worst."""
    if options.launches < 1:
        raise ValueError(f"--launches must be at least 1, got {options.launches}; {LAUNCHES} are usual")
    bundle, root = unpack(options.bundle), clone_root()
    check_scenarios(bundle.node_ids.values(), root, project_table().scenarios)
    here = measure(
        bundle,
        Launcher(root=root, options=options_here(bundle.options, options.pytest)),
        launches=options.launches,
        deadline=time.monotonic() + options.budget,
        note=note,
    )
    reproduced = judge(bundle, here)
    say(reproduced_table(reproduced))
    return exit_code(map(Reproduced.said, reproduced), allow_inconclusive=options.allow_inconclusive)
