"""Cells as tables: expert backends by tokens, how near they come to the floor, and decode by batch."""

from collections.abc import Iterable, Sequence
from itertools import takewhile

from bench.gate.stats import Interval
from bench.harness.arms import DENSE, PRIMARY
from bench.harness.wording import span
from bench.pages.performance.cells import Cell, grouped

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]  # headers, rows

AT_FLOOR = 0.9  # share of the floor from which nothing that a user would notice is left
MANY_TOKENS = 1024  # from here arithmetic decides, not reading
PROJECT = "transformers/"  # is said once, above the tables
FLOOR_HEADERS = (
    *("of", "scale", f"{100 * AT_FLOOR:.0f} % or more up to (tokens)", "theirs / ours there"),
    *(f"beyond, below {MANY_TOKENS:,} tokens", f"from {MANY_TOKENS:,} tokens", "theirs / ours there"),
)


def setting(cell: Cell) -> tuple[str, ...]:
    """Return what the cells of one table of experts have in common: dtype, routing and our backend."""
    return (cell.dtype, f"{cell.params['routing']} routing", str(cell.params["backend"]))


def experts_table(cells: Iterable[Cell]) -> Table:
    """Lay the cells of one setting out: a row for each number of tokens, three columns for each scale."""
    found = {(cell.scale, cell.size): cell for cell in cells}
    scales, sizes = dict.fromkeys(scale for scale, _ in found), sorted({size for _, size in found})
    heads = (f"{scale} (floor)" for scale in scales)
    headers = ("tokens", *(title for head in heads for title in (head, "best of theirs", "theirs / ours")))
    rows = [
        (f"{size:,}", *(text for scale in scales for text in _experts_texts(found.get((scale, size)))))
        for size in sizes
    ]
    return headers, rows


def _experts_texts(cell: Cell | None) -> tuple[str, str, str]:
    if cell is None:
        return ("", "", "")
    share = f" ({percent_of(cell.floor_share)})" if cell.floor_share else ""
    best = f"{cell.show(cell.seconds(cell.best))} {short(cell.best)}" if cell.best else ""
    return f"{cell.show(cell.seconds(PRIMARY))}{share}", best, _ratio(cell.over_best)


def floor_rows(cells: Iterable[Cell]) -> list[tuple[str, ...]]:
    """Return a row for each setting and scale: how far the floor is reached, and what is gained where."""
    return [
        _floor_row(sorted((cell for cell in part if cell.scale == scale), key=lambda cell: cell.size))
        for part in grouped(cells, setting)
        for scale in dict.fromkeys(cell.scale for cell in part)
    ]


def _floor_row(cells: Sequence[Cell]) -> tuple[str, ...]:
    near = list(takewhile(lambda cell: (cell.floor_share or 0) >= AT_FLOOR, cells))
    between = [cell for cell in cells[len(near) :] if cell.size < MANY_TOKENS]
    many = [cell for cell in cells if cell.size >= MANY_TOKENS]
    reach = f"{near[-1].size:,}" if near else "none"
    return (
        *(", ".join(setting(cells[0])), cells[0].scale),
        *(reach if any(cell.floor_share for cell in cells) else "", spread_of_ratios(near)),
        *(_spread_of_shares(between), _spread_of_shares(many), spread_of_ratios(many)),
    )


def place(cell: Cell) -> tuple[str, ...]:
    """Return what the cells of one table of decode have in common: what is asked, and how many tokens a run makes."""
    names = (str(cell.params[axis]) for axis in ("scale", "workload"))
    routing, length = cell.params["routing"], cell.params["seq_len"]
    return (*names, f"prompts of {length} tokens", f"{routing} routing", f"{cell.num_units:g} tokens a run")


def decode_table(cells: Sequence[Cell]) -> Table:
    """Lay the cells of one place out: a row for each dtype and batch, a column for each arm."""
    arms = dict.fromkeys(arm for cell in cells for arm in cell.samples)
    dense = [arm for arm in arms if arm in DENSE]
    peers = dict.fromkeys(arm for cell in cells for arm in cell.peers)
    shown = [title for arm in dense for title in (arm, f"{arm} / ours")]
    headers = ("dtype, batch", "ours", "floor", *map(short, peers), "best of theirs / ours", *shown)
    ordered = sorted(cells, key=lambda cell: (cell.dtype, cell.size))
    return headers, [_decode_row(cell, list(peers), dense) for cell in ordered]


def _decode_row(cell: Cell, peers: Iterable[str], dense: Iterable[str]) -> tuple[str, ...]:
    return (
        f"{cell.dtype}, {cell.size}",
        _time(cell, PRIMARY),
        cell.show(cell.least_s) if cell.least_s else "",
        *(_time(cell, arm) for arm in peers),
        _ratio(cell.over_best),
        *(text for arm in dense for text in (_time(cell, arm), _ratio(_over_ours(cell, arm)))),
    )


def _time(cell: Cell, arm: str) -> str:
    return cell.show(cell.seconds(arm)) if arm in cell.samples else ""


def _over_ours(cell: Cell, arm: str) -> Interval | None:
    return cell.over_ours(arm) if arm in cell.samples else None


def _ratio(interval: Interval | None) -> str:
    return interval.text(".2f") if interval else ""


def short(arm: str) -> str:
    """Name another project's arm without the project that most are of."""
    return arm.removeprefix(PROJECT)


def percent_of(share: float) -> str:
    """Write a share as a whole percentage."""
    return f"{100 * share:.0f} %"


def spread_of_ratios(cells: Iterable[Cell]) -> str:
    """Write from where to where the time of the fastest peer over ours goes; "" where none was measured."""
    ratios = [cell.over_best.estimate for cell in cells if cell.over_best]
    return span(ratios) if ratios else ""


def _spread_of_shares(cells: Iterable[Cell]) -> str:
    shares = [100 * cell.floor_share for cell in cells if cell.floor_share]
    return f"{span(shares, '.0f')} %" if shares else ""
