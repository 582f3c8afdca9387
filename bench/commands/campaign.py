"""campaign: measure everything that the results need on this machine, the most valuable first; resumable."""

import argparse
import time
from pathlib import Path

from bench.commands.clone import clone_root, in_clone
from bench.commands.parsing import Commands, take_pytest_options
from bench.evidence.campaign.archive import pack
from bench.evidence.campaign.plan import PLAN, read_plan
from bench.evidence.campaign.state import state_of
from bench.evidence.campaign.steps import Invocation, run_steps
from bench.evidence.campaign.tables import report
from bench.gate.verdict import EXIT_CODES, Verdict, worst
from bench.harness.held import held
from bench.harness.reading import seconds
from bench.harness.writing import replace_text
from fixtures.programs.terminal import note, say

GOES_ON = "finished scenarios are kept; the same command goes on"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("campaign")
    parser.add_argument("--scale", metavar="NAME,...", help="presets, as of pytest bench; default: the plan's")
    parser.add_argument("--budget", type=seconds, default=540.0, metavar="TIME", help="like 90s or 9m; default: 9m")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="takes the records; call again to go on")
    plan = "the steps; default: %(default)s"
    parser.add_argument("--plan", type=Path, default=in_clone(PLAN), metavar="FILE", help=plan)
    archive = "takes all that is there after each process: what a cut leaves is kept"
    parser.add_argument("--archive", type=Path, metavar="FILE", help=archive)
    rehearse = (
        "run every step small, on a GPU that is not there: kernels are interpreted, graphs done again step by step"
    )
    parser.add_argument("--rehearse", action="store_true", help=rehearse)
    take_pytest_options(parser, "--batch-size 1 --depth 2, over the plan's")
    parser.set_defaults(run=run, goes_on=GOES_ON)


def run(options: argparse.Namespace) -> int:
    """Measure what is left, then say what is there; ends 17 if an answer is wrong, 16 if a step was not measured."""
    root, steps = clone_root(), read_plan(options.plan)
    invocation = Invocation(
        root=root,
        folder=options.out,
        options=[*([f"--scale={options.scale}"] if options.scale else []), *options.pytest],
        deadline=time.monotonic() + options.budget,
        archive=options.archive,
        is_rehearsed=options.rehearse,
    )
    with held("--out", options.out):
        troubles = run_steps(steps, invocation, note=note)
    said = report(options.out, steps, troubles)
    try:
        replace_text(options.out / "campaign.md", f"{said}\n")
        if options.archive:
            pack(options.out, options.archive)
    finally:  # a disk that is full by now must not cost what was measured
        say(said)
    is_wrong = any(state_of(options.out, step).wrong for step in steps)
    ends = [*([Verdict.WRONG] if is_wrong else []), *([Verdict.FAILED] if troubles else [])]
    return EXIT_CODES[worst(ends)]
