"""promote: make records of enough launches the baseline of their kind of machine."""

import argparse
import datetime
import shlex
from collections.abc import Sequence
from pathlib import Path

from bench.commands.parsing import Commands, add_baselines, text
from bench.gate import ledger
from bench.gate.git import git_says
from bench.gate.promotion import promote
from fixtures.programs.terminal import say
from fixtures.programs.visible import visible


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("promote")
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="JSON that a run of scenarios left")
    parser.add_argument(
        "--reason", type=text, required=True, metavar="TEXT", help="why the baseline changes, for reviewers"
    )
    add_baselines(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Promote the records that are named."""
    promote_and_tell(options.records, options.baselines, options.reason)
    return 0


def promote_and_tell(records: Sequence[Path], baselines: Path, reason: str) -> Path:
    """Promote, then say what to commit and what slowdowns were accepted since the last release.

    Returns:
        Where the baseline lies.

    Raises:
        PromotionRefused: see `promote`, which raises it as others.
    """
    here = Path.cwd()
    release = git_says(here, "describe", "--tags", "--abbrev=0")
    commit = git_says(here, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or "unversioned"
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    path = promote(records, baselines, ledger.Stamp(reason, commit, now, release))
    message = shlex.quote(f"Baseline: {reason}")
    say(f"promoted {path}; commit it on its own: git add {baselines} && git commit -m {message}")
    accepted = ledger.accepted_since(ledger.read(baselines), baseline=path.name, release=release)
    since = f"since {release}" if release else "so far (no release tag yet)"
    if not accepted:
        say(f"no slowdown was accepted {since}")
    else:
        say(f"slowdowns of {ledger.CONTROL}, of accuracy losses of the MoE, accepted {since}:")
    for scenario, one in sorted(accepted.items(), key=lambda item: -item[1].log_ratio):
        say(f"  {one!s:>11}  {visible(scenario)}")
    return path
