"""How far a step is, read from the records that it has left; nothing else is remembered between calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.evidence.begun import check_begun
from bench.evidence.campaign.plan import Step
from bench.evidence.campaign.took import took
from bench.gate.qualify.store import read_qualification
from bench.harness.record import Record, load


@dataclass(frozen=True, kw_only=True)
class State:
    """What is there of a step."""

    wanted: frozenset[str] | None  # scenarios; None as long as nothing has said which there are
    measured: frozenset[str]  # in every launch that is asked for
    not_fitting: Mapping[str, str]  # scenario -> why
    wrong: Mapping[str, str]  # scenario that answered wrongly and has not been measured since -> in what
    launches: int  # begun
    num_measured: int  # scenarios, once for each launch

    @property
    def left(self) -> frozenset[str]:
        """Return the scenarios that have neither been measured nor found too large."""
        return (self.wanted or frozenset()) - self.measured - frozenset(self.not_fitting)

    @property
    def wrong_answers(self) -> list[str]:
        """Say of each scenario that answered wrongly in what."""
        return [f"{name} answers wrongly: {why}" for name, why in self.wrong.items()]

    @property
    def is_done(self) -> bool:
        """Tell whether another process would have nothing to do."""
        return self.wanted is not None and not self.left


def record_path(folder: Path, step: Step, number: int) -> Path:
    """Return where a step's record of this number lies, from 1."""
    return folder / f"{step.name}-{number}.json"


def records_of(folder: Path, step: Step) -> list[Record]:
    """Read a step's records in order."""
    records: list[Record] = []
    while (path := record_path(folder, step, len(records) + 1)).exists():
        records.append(load(path))
    return records


def check_same_options(folder: Path, step: Step, options: Sequence[str]) -> None:
    """Demand that a step goes on with the options it was begun with: other ones make other scenarios of the same name.

    Raises:
        ValueError: An earlier call had others.
    """
    check_begun(
        folder / f"{step.name}.begun",
        {f"command of {step.name}": " ".join([*step.files, *step.program, *step.options, *options])},
    )


def state_of(folder: Path, step: Step) -> State:
    """Read how far a step is.

    Raises:
        CorruptRecord: one of its records cannot be read.
    """
    if step.suites:
        return _state_of_suites(folder, step)
    if step.program:
        return _state_of_program(folder, step)
    records = records_of(folder, step)
    not_fitting = {name: why for record in records for name, why in record.why_not_fitting().items()}
    launches = [frozenset(record.scenarios) for record in records]
    everything = frozenset().union(*launches)
    measured = frozenset(name for name in everything if sum(name in launch for launch in launches) >= step.launches)
    wanted = frozenset().union(*(record.selected for record in records)) if records else None
    return State(
        wanted=wanted,
        measured=measured,
        not_fitting=not_fitting,
        wrong={name: why for record in records for name, why in record.wrong.items() if name not in measured},
        launches=len(records),
        num_measured=sum(map(len, launches)),
    )


def _state_of_program(folder: Path, step: Step) -> State:
    """A program is one scenario, measured when it has ended by itself, however."""
    everything = frozenset([" ".join(step.program)])
    done = everything if took(folder, step).ended else frozenset[str]()
    return State(wanted=everything, measured=done, not_fitting={}, wrong={}, launches=len(done), num_measured=len(done))


def _state_of_suites(folder: Path, step: Step) -> State:
    path = record_path(folder, step, 1)
    names = [f"suite {number}" for number in range(1, step.suites + 1)]
    done = len(read_qualification(path).whole) if path.exists() else 0
    return State(
        wanted=frozenset(names),
        measured=frozenset(names[:done]),
        not_fitting={},
        wrong={},
        launches=done,
        num_measured=done,
    )
