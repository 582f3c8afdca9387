"""Commands on records: python -m bench.harness promote RECORD... --reason TEXT."""

import argparse
import datetime
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.harness import ledger
from bench.harness.baseline import MIN_LAUNCHES, PromotionRefused, promote
from bench.harness.record import CorruptRecord, RecordWriteError

BASELINES = Path("baselines")
# Exit codes of what a user can mend, as regression verdicts have them; 2 is argparse's own for a bad command line.
EXIT_CODES: dict[type[Exception], int] = {
    PromotionRefused: 2,
    FileNotFoundError: 13,
    CorruptRecord: 14,
    RecordWriteError: 16,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: of the command line; None takes the process's.

    Returns:
        Exit code: 0, or that of the error in EXIT_CODES.
    """
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.run
    try:
        command(options)
    except tuple(EXIT_CODES) as error:
        print(f"error: {error}", file=sys.stderr)
        return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.harness", description="Commands on records of `pytest bench`."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    promotion = commands.add_parser("promote", help=f"make records of {MIN_LAUNCHES} or more launches the baseline")
    promotion.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="JSON that `pytest bench` left")
    promotion.add_argument("--reason", required=True, metavar="TEXT", help="why the baseline changes, for reviewers")
    promotion.add_argument("--baselines", type=Path, default=BASELINES, metavar="DIR", help="default: %(default)s")
    promotion.set_defaults(run=_promote)
    return parser


def _promote(options: argparse.Namespace) -> None:
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
        return
    print(f"slowdowns of {ledger.CONTROL} accepted {since}:")
    for scenario, log_ratio in sorted(accepted.items(), key=lambda item: -item[1]):
        print(f"  {100 * math.expm1(log_ratio):+6.1f} %  {scenario}")


def _git(*arguments: str) -> str:
    """Ask git; empty where it cannot answer (no repository, no tag)."""
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
