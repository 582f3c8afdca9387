"""What a campaign measures, from one reviewed file: steps, the most valuable first.

[[step]]
name = "batches"                      # of the step's records
why = "where the MoE stops paying"    # what the results need it for
files = ["bench_prefill.py"]          # of bench/, measured by one pytest process a launch
options = ["--batch-size=1,8,64"]     # as of pytest bench
launches = 8                          # optional, default 1: fresh processes, each of which measures everything

[[step]]
name = "error-rates"
why = "how often the gate errs on this machine"
suites = 4                            # instead of files: suites of `qualify`
options = ["--scale=tiny"]
"""

import re
from dataclasses import dataclass
from pathlib import Path

from bench.gate.reviewed_toml import Entry, Form

PLAN = Path("bench/campaign.toml")
NAME = re.compile(r"[a-z][a-z0-9-]*")  # it becomes part of file names
FORM = Form(
    key="step",
    required={"name": str, "why": str, "options": list},
    optional={"files": list, "launches": int, "suites": int},
    next_step="see bench/evidence/campaign/plan.py for the form",
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Some scenarios over some parameters, or suites of the gate against itself."""

    name: str
    why: str
    options: tuple[str, ...]
    files: tuple[str, ...] = ()
    launches: int = 1
    suites: int = 0


def read_plan(path: Path) -> list[Step]:
    """Read the steps in order.

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
    return steps


def _step(found: Entry) -> Step:
    fields, where = found
    lists = {name: tuple(map(str, fields.get(name, ()))) for name in ("files", "options")}
    step = Step(**{**fields, **lists})
    if not NAME.fullmatch(step.name):
        raise ValueError(f"{where}: name must be lower-case letters, digits and hyphens, got {step.name!r}; rename it")
    if step.launches < 1 or fields.get("suites", 1) < 1:
        raise ValueError(
            f"{where}: launches and suites must be 1 or more, got {step.launches} and {fields.get('suites', 'none')}; "
            "leave out what is not meant"
        )
    if bool(step.files) == bool(step.suites):
        raise ValueError(
            f"{where} must have files or suites, got {'both' if step.files else 'neither'}; {FORM.next_step}"
        )
    if step.suites and step.launches > 1:
        raise ValueError(f"{where}: launches belong to files, got {step.launches} with suites; leave launches out")
    return step
