"""What a campaign has: a row a step, then which scenarios do not fit and which were not reached, and why."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.evidence.campaign.plan import Step
from bench.evidence.campaign.state import State, state_of
from bench.evidence.campaign.took import took
from bench.gate.markdown import escape, markdown_table

HEADERS = ("step", "for", "measured", "does not fit", "left", "predicted", "took")


def report(folder: Path, steps: Sequence[Step], troubles: Mapping[str, str]) -> str:
    """Return the state of a campaign as markdown, with what went wrong in this call by step."""
    states = {step.name: state_of(folder, step) for step in steps}
    rows = [
        (*_row(step, states[step.name]), _shown(step.predicted_s), _shown(took(folder, step).seconds)) for step in steps
    ]
    lines = [f"{name}: {text}" for name, text in troubles.items()]
    for name, state in states.items():
        lines += [f"{name}: {scenario} {why}" for scenario, why in state.not_fitting.items()]
        if name not in troubles:  # which say it already
            lines += [f"{name}: {text}" for text in state.wrong_answers]
        lines += [f"{name}: {scenario} was not reached" for scenario in sorted(state.left - set(state.wrong))]
    said = [f"- {escape(line)}" for line in lines]
    return "\n".join([markdown_table(HEADERS, rows), *([""] if said else []), *said])


def _row(step: Step, state: State) -> tuple[str, ...]:
    if state.wanted is None:
        return (step.name, step.why, "not begun", "", "all")
    counts = (len(state.measured), len(state.not_fitting), len(state.left))
    return (step.name, step.why, *(str(count or "") for count in counts))


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds else ""
