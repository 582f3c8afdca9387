"""history: how scenarios moved over the promoted baselines."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands, add_baselines
from bench.gate import ledger
from bench.gate.history import UNCOMMITTED, Move, Promotion, baseline_names, follow, read_history
from bench.gate.markdown import escape, markdown_table
from bench.harness.wording import counted
from bench.pages.history import draw_history
from fixtures.programs.terminal import say
from fixtures.programs.visible import visible

PROMOTION_HEADERS = ("promoted", "commit", "launches", "release before", "reason")
HEADERS = ("scenario", "promoted", "commit", "MoE", "dense", "MoE / dense [95 %]", "change", "accepted since release")
LEGEND = (
    "change: of MoE / dense to the promotion before, above 0 is worse, of accuracy the MoE's own, in points; accepted: "
    "what the ledger adds up to since the last release tag"
)
FIGURE = "history.svg"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("history")
    which = "all promotions of these; default: the newest of every scenario that is still measured"
    parser.add_argument("scenarios", nargs="?", metavar="REGEX", help=which)
    add_baselines(parser)
    parser.add_argument(
        "--baseline", metavar="NAME", help="file in it; default: all that it holds or has held, one after the other"
    )
    out, takes = in_clone(Path("records")), f"takes {FIGURE}; default: %(default)s"
    parser.add_argument("--out", type=Path, default=out, metavar="DIR", help=takes)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the promotions and how the scenarios move, baseline by baseline, and draw it."""
    pattern = _pattern(options.scenarios or "")
    names = _chosen(options.baseline, baseline_names(options.baselines))
    told = [_tell(name, pattern, options, is_one=len(names) == 1) for name in names]
    known = [scenario for found in told for scenario in found.known]
    if not any(found.shown for found in told):
        raise ValueError(
            f"REGEX must find a scenario of {', '.join(names)}, got {pattern.pattern!r}; there are {_some(known)}"
        )
    return 0


class Told(NamedTuple):
    """What a baseline's scenarios are, and how many of them were shown."""

    known: Sequence[str]
    shown: int


def _tell(name: str, pattern: re.Pattern[str], options: argparse.Namespace, *, is_one: bool) -> Told:
    """Tell of one baseline, unless no scenario of it is meant."""
    history = read_history(options.baselines, name)
    found = follow(history.promotions, ledger.read(options.baselines), baseline=name)
    left = [] if options.scenarios else _left(found, history.promotions[-1])
    gone = set(left)
    series = {scenario: moves for scenario, moves in found.items() if pattern.search(scenario) and scenario not in gone}
    if not series:
        return Told(list(found), 0)
    say(f"{escape(name)}\n\n{markdown_table(PROMOTION_HEADERS, map(_promotion_cells, history.promotions))}\n")
    shown = series if options.scenarios else {scenario: moves[-1:] for scenario, moves in series.items()}
    say(f"{markdown_table(HEADERS, _rows(shown))}\n\n{LEGEND}")
    if left:
        gone_by = escape(_some(left))
        say(f"{counted(len(left), 'scenario')} not in the newest promotion: {gone_by}; a REGEX shows their past")
    for note in history.notes:
        say(f"note: {visible(note)}")
    figure = options.out / (FIGURE if is_one else f"history-{name.removesuffix('.json')}.svg")
    drawn = draw_history(series, figure)
    others = " that moved most" if len(drawn) < len(series) else ""
    say(f"drawn: {figure}, {len(drawn)} of {counted(len(series), 'scenario')}{others}\n")
    return Told(list(found), len(series))


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(
            f"REGEX must be a regular expression, got {text!r} ({error}); write a bracket as \\["
        ) from error


def _chosen(asked: str | None, names: Sequence[str]) -> list[str]:
    """Return the baselines that are meant; a suffix may be left out."""
    fitting = [name for name in names if asked in (None, name, name.removesuffix(".json"))]
    if not fitting:
        raise ValueError(f"--baseline must name a baseline, got {asked}; known: {', '.join(names)}")
    return fitting


def _left(found: Mapping[str, Sequence[Move]], newest: Promotion) -> list[str]:
    """Name the scenarios that the newest promotion has no longer."""
    return [scenario for scenario, moves in found.items() if moves[-1].promotion is not newest]


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def _promotion_cells(promotion: Promotion) -> tuple[str, ...]:
    return (_minute(promotion), _short(promotion), promotion.launches, promotion.release or "none", promotion.reason)


def _rows(series: Mapping[str, Sequence[Move]]) -> list[tuple[str, ...]]:
    """Return a row for each move; a scenario is named once."""
    return [
        (scenario if i == 0 else "", *_cells(move))
        for scenario, moves in series.items()
        for i, move in enumerate(moves)
    ]


def _cells(move: Move) -> tuple[str, ...]:
    ratio = move.followed.text(".3f") if move.followed and move.control == ledger.CONTROL else ""
    told = [str(moved) if moved else "" for moved in (move.change, move.accepted)]
    return (_minute(move.promotion), _short(move.promotion), move.moe, move.dense, ratio, *told)


def _short(promotion: Promotion) -> str:
    return promotion.commit if promotion.commit == UNCOMMITTED else promotion.commit[:10]


def _minute(promotion: Promotion) -> str:
    return promotion.date[:16].replace("T", " ")
