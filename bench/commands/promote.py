"""promote: make records of enough launches the baseline of their kind of machine."""

import argparse
import datetime
from pathlib import Path

from bench.commands.parsing import Commands, add_baselines
from bench.gate import ledger
from bench.gate.baseline import LAUNCHES_TO_PROMOTE
from bench.gate.git import run_git
from bench.gate.promotion import promote
from bench.gate.stats import percent


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("promote", help=f"make records of {LAUNCHES_TO_PROMOTE} or more launches the baseline")
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="JSON that a run of scenarios left")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why the baseline changes, for reviewers")
    add_baselines(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Promote, then say where the baseline is and what slowdowns were accepted since the last release."""
    release = _git("describe", "--tags", "--abbrev=0")
    commit = _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or "unversioned"
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    path = promote(options.records, options.baselines, ledger.Stamp(options.reason, commit, now, release))
    print(f"promoted {path}; commit it on its own, with the reason")
    accepted = ledger.accepted_since(ledger.read(options.baselines), baseline=path.name, release=release)
    since = f"since {release}" if release else "so far (no release tag yet)"
    if not accepted:
        print(f"no slowdown was accepted {since}")
        return 0
    print(f"slowdowns of {ledger.CONTROL} accepted {since}:")
    for scenario, log_ratio in sorted(accepted.items(), key=lambda item: -item[1]):
        print(f"  {percent(log_ratio):+6.1f} %  {scenario}")
    return 0


def _git(*arguments: str) -> str:
    """Return git's answer; empty where it cannot answer (no git, no repository, no tag)."""
    try:
        answer = run_git(Path.cwd(), *arguments)
    except OSError:
        return ""
    return "" if answer.returncode else answer.stdout.strip()
