"""What a campaign measures, from one reviewed file: steps, the most valuable first.

[[step]]
name = "batches"                      # of the step's records
why = "where the MoE stops paying"    # what the results need it for
files = ["bench_prefill.py"]          # of bench/, measured by one pytest process a launch
options = ["--batch-size=1,8,64"]     # as of pytest bench
launches = 8                          # optional, default 1: fresh processes, each of which measures everything
rounds = 3                            # optional instead, default 1: so often in turn with all steps that have rounds,
                                      # hours apart; a round goes on where it was interrupted

[[step]]
name = "error-rates"
why = "how often the gate errs on this machine"
suites = 4                            # instead of files: suites of `qualify`
options = ["--scale=tiny"]

[[step]]
name = "kernels"
why = "the kernels, compiled"
program = ["pytest", "tests/kernels"] # instead of files: a module of Python, run once; its log is kept
options = ["--out={out}/seen.json"]   # {out} is the campaign's folder
most_s = 60                           # optional, of any step: when its process is ended, finished scenarios are kept
predicted_s = 40                      # optional: what it was predicted to take, shown beside what it took
rehearsal = ["-k=few"]                # optional: options that make it small, in a campaign with --rehearse alone
"""

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, structs

from bench.gate.reviewed_toml import Entry, Form

PLAN = Path("bench/campaign.toml")
NAME = re.compile(r"[a-z][a-z0-9-]*")  # it becomes part of file names
FILES = "files"
KINDS = (FILES, "suites", "program")
MOST = 10_000  # launches or suites: more is a slip of the finger

Several = Annotated[int, Meta(ge=1, le=MOST)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some scenarios over some parameters, suites of the gate against itself, or a program."""

    name: str
    why: str
    options: tuple[str, ...]
    files: tuple[str, ...] = ()
    launches: Several = 1
    rounds: Several = 1
    suites: Several = 0  # where a plan leaves them out
    program: tuple[str, ...] = ()
    most_s: Seconds = 0.0  # none where a plan leaves it out
    predicted_s: Seconds = 0.0
    rehearsal: tuple[str, ...] = ()


FORM = Form(key="step", entry=Step, next_step="see bench/evidence/campaign/plan.py for the form")


def read_plan(path: Path) -> list[Step]:
    """Read the steps in order, each round of a step as one of its own, and all steps of a round before the next.

    Raises:
        ValueError: the file cannot be read or breaks a rule of the form; names it.
    """
    steps = [_step(entry) for entry in FORM.read(path)]
    names = [step.name for step in steps]
    if not steps or len(set(names)) < len(names):
        raise ValueError(
            f"{path} must have one step or more with different names, got {', '.join(names) or 'none'}; "
            f"{FORM.next_step}"
        )
    longest = max(step.rounds for step in steps)
    return [_round(step, number) for number in range(1, longest + 1) for step in steps if number <= step.rounds]


def _round(step: Step, number: int) -> Step:
    """Return one round of a step."""
    if step.rounds == 1:
        return step
    return structs.replace(step, name=f"{step.name}-round-{number}", rounds=1)


def _step(found: Entry[Step]) -> Step:
    step, where = found
    if not NAME.fullmatch(step.name):
        raise ValueError(f"{where}: name must be lower-case letters, digits and hyphens, got {step.name!r}; rename it")
    kinds = [kind for kind in KINDS if getattr(step, kind)]
    if len(kinds) != 1:
        raise ValueError(
            f"{where} must have files, suites or a program, got {' and '.join(kinds) or 'none'}; {FORM.next_step}"
        )
    (kind,) = kinds
    if step.rounds > 1 and (kind != FILES or step.launches > 1):
        other = kind if kind != FILES else "launches"
        raise ValueError(f"{where} must have rounds or {other}, got both; a round is one launch of a step with files")
    if kind != FILES and step.launches > 1:
        raise ValueError(f"{where}: launches belong to files, got {step.launches} with {kind}; leave launches out")
    return step
