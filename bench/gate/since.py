"""What changed since an earlier result of `ab`, as the last push left one: verdict by verdict."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from bench.gate.comment_rows import name
from bench.gate.markdown import escape
from bench.gate.verdict import SEVERITY, ScenarioVerdict, Verdict
from bench.harness.documents import DocumentError, content_of, parse_json
from bench.harness.forms import Text, checked
from bench.harness.wording import counted

MOST_NAMED = 3  # scenarios that became worse


class SideForm(Struct, frozen=True):
    """What is read of a side."""

    commit: Text


class SaidForm(Struct, frozen=True):
    """What was said of a scenario."""

    scenario: Text
    verdict: Verdict


class Earlier(Struct, frozen=True):
    """What is read of an earlier result."""

    head: SideForm
    verdicts: tuple[SaidForm, ...]


def read_earlier(path: Path) -> Earlier | None:
    """Read the result that is about to be replaced; None where there is none, or another program's."""
    try:
        return checked(parse_json(content_of(path)), Earlier)
    except (FileNotFoundError, DocumentError):
        return None


def since(earlier: Earlier, verdicts: Iterable[ScenarioVerdict]) -> str:
    """Say which scenarios are judged otherwise than before, what became worse by name."""
    before = {said.scenario: said.verdict for said in earlier.verdicts}
    now = {one.scenario: one.verdict for one in verdicts if one.scenario in before}
    moves: dict[tuple[Verdict, Verdict], list[str]] = {}
    for scenario, verdict in now.items():
        moves.setdefault((before[scenario], verdict), []).append(scenario)
    said = [_moved(*move, names) for move, names in _worst_first(moves) if move[0] is not move[1]]
    same = sum(len(names) for (old, new), names in moves.items() if old is new)
    told = "; ".join([*said, f"{counted(same, 'scenario')} as before"])
    return f"Since {escape(earlier.head.commit[:10])}: {told}."


def _worst_first(
    moves: Mapping[tuple[Verdict, Verdict], Sequence[str]],
) -> list[tuple[tuple[Verdict, Verdict], Sequence[str]]]:
    return sorted(moves.items(), key=lambda item: SEVERITY[item[0][0]] - SEVERITY[item[0][1]])


def _moved(old: Verdict, new: Verdict, names: Sequence[str]) -> str:
    said = f"{len(names)} {old.value} became {new.value}"
    more = ", ..." if len(names) > MOST_NAMED else ""
    is_worse = SEVERITY[new] > SEVERITY[old]
    return f"{said} ({', '.join(map(name, names[:MOST_NAMED]))}{more})" if is_worse else said
