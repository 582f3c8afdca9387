"""baseline: measure the launches of this machine's baseline, and promote them; resumable."""

import argparse
import hashlib
import os
from pathlib import Path

from bench.commands.clone import clone_root, in_clone, project_table
from bench.commands.parsing import Commands, add_baselines, take_pytest_options, text
from bench.commands.promote import promote_and_tell
from bench.evidence.launches import Wanted, measure_launches
from bench.gate.baseline import LAUNCHES_TO_PROMOTE, NoBaseline, open_baseline
from bench.gate.cap import UNJUDGEABLE, capped
from bench.gate.comparison import judge_all
from bench.gate.git import git_says
from bench.gate.launch import LaunchFailed
from bench.gate.sentences import sensitivity
from bench.gate.verdict import EXIT_CODES
from bench.harness.environment import this_machine
from bench.harness.held import held
from bench.harness.reading import seconds
from bench.harness.record import load
from bench.harness.wording import counted
from fixtures.programs.terminal import note, say

RECORDS = Path("records")
OVER_S = 1800.0  # launches of four minutes shared a state: minutes later prefill / anchor lay 10 to 25 % off
GOES_ON = "finished launches are kept; the same command goes on"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("baseline")
    launches = "fresh processes, each of which measures everything; default: %(default)s"
    parser.add_argument("--launches", type=int, default=LAUNCHES_TO_PROMOTE, metavar="N", help=launches)
    parser.add_argument(
        "--reason", type=text, required=True, metavar="TEXT", help="why the baseline changes, for reviewers"
    )
    over = "spreads the launches: what neighbours do to a machine changes by minutes; like 90s or 2h; default: 30m"
    parser.add_argument("--over", type=seconds, default=OVER_S, metavar="TIME", help=over)
    out = f"takes the launches; call again to go on; default: {in_clone(RECORDS)}/baseline-COMMIT"
    parser.add_argument("--out", type=Path, metavar="DIR", help=out)
    add_baselines(parser)
    take_pytest_options(parser, "--device cuda, and files of scenarios")
    parser.set_defaults(run=run, goes_on=GOES_ON)


def run(options: argparse.Namespace) -> int:
    """Measure what is missing, promote, and say what to commit."""
    if options.launches < LAUNCHES_TO_PROMOTE:
        raise ValueError(f"--launches must be {LAUNCHES_TO_PROMOTE} or more, got {options.launches}; leave it out")
    if not options.reason.strip():
        raise ValueError(f"--reason must say why the baseline changes, got {options.reason!r}; reviewers read it")
    code = _code()
    wanted = Wanted(
        root=clone_root(),
        scenarios=project_table().scenarios,
        folder=options.out or in_clone(RECORDS / f"baseline-{code}"),
        options=options.pytest,
        count=options.launches,
        over_s=options.over,
        begun_with={"code": code, **this_machine()},
    )
    try:
        with held("--out", wanted.folder):
            paths = measure_launches(wanted, note=note)
    except LaunchFailed as failed:
        note(f"{failed.verdict.value}: {failed}; whole launches stay, call again to go on")
        return EXIT_CODES[failed.verdict]
    promoted = promote_and_tell(paths, options.baselines, options.reason)
    _tell_sensitivity(promoted, paths[0])
    return 0


def _code() -> str:
    """Name the code that is measured: its commit, and what of it is not committed."""
    commit = git_says(Path.cwd(), "rev-parse", "--short=12", "HEAD") or "unversioned"
    changes = git_says(clone_root(), "diff", "HEAD", "--", ".", f":(exclude){project_table().baselines}")
    return f"{commit}-{hashlib.sha256(os.fsencode(changes)).hexdigest()[:8]}" if changes else commit


def _tell_sensitivity(promoted: Path, launch: Path) -> None:
    """Say what a run that is compared with the new baseline can see."""
    record = load(launch)
    opened = open_baseline(promoted.parent, promoted, record)
    if not isinstance(opened, NoBaseline):
        verdicts = judge_all(record.scenarios, opened)[0].values()
        say(f"slowdowns above {sensitivity(verdicts)} of a scenario will be seen")
        if noisy := sum(capped(verdict).why == UNJUDGEABLE for verdict in verdicts):
            say(f"{counted(noisy, 'scenario')}: {UNJUDGEABLE}")
