"""results, layers, performance, peers, twins, pareto: write a page with its tables and figures from records."""

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.commands.clone import in_clone
from bench.commands.parsing import Commands
from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.forms import checked
from bench.harness.record import KEY, Record, load
from bench.pages.layers.page import layers_page
from bench.pages.pareto.documents import read_tiers
from bench.pages.pareto.page import pareto_page
from bench.pages.peers.page import peers_page
from bench.pages.performance.page import performance_page
from bench.pages.results.cells import holds_cells, read_cells
from bench.pages.results.page import results_page
from bench.pages.twins.documents import read_settings
from bench.pages.twins.page import twins_page
from bench.pages.write import Content, write_page
from fixtures.programs.terminal import say


def _records(paths: Sequence[Path]) -> dict[Path, Record]:
    return {path: load(path) for path in paths}


def _results(paths: Sequence[Path]) -> Content:
    """Part records from documents of accuracy and throughput, and of cells' work, by what they hold."""
    held = {path: _json(path) for path in paths}
    records = [path for path, document in held.items() if KEY in document]
    cells = [path for path, document in held.items() if holds_cells(document)]
    tiers = read_tiers(path for path in held if path not in (*records, *cells))
    work = read_cells(cells)
    return results_page(_records(records), tiers, work.cells, work.requests)


def _json(path: Path) -> dict[str, Any]:
    """Read a record or a document.

    Raises:
        CorruptRecord: a file holds neither.
    """
    with document_of(path, remedy="measure it again, or leave it out"):
        return checked(parse_json(content_of(path)), dict[str, Any])


def _twins(paths: Sequence[Path], *, task: str | None, size: str | None) -> Content:
    return twins_page(paths, read_settings(*paths, task=task, size=size))


class Command(NamedTuple):
    """What writes one page."""

    page: str  # where it lies, unless --out says
    takes: str  # "RECORD", say
    of: str  # what these are
    read: Callable[..., Content]  # of the paths, and of what narrows them
    narrowing: tuple[str, ...] = ()


COMMANDS = {
    "results": Command(
        "docs/results.md", "RECORD_OR_DOCUMENT", "of pytest bench, of bench.front: trained, published, supplied, or of "
        "bench.grid", _results,
    ),
    "layers": Command(
        "docs/specialization.md", "RECORD", "of bench/bench_layers.py and bench.distributed.parallel",
        lambda paths: layers_page(_records(paths)),
    ),
    "performance": Command(
        "docs/performance.md", "RECORD", "of bench/bench_experts.py and bench/decode_peers.py; `quiet` or `contended` "
        "in a file's name says what else ran", lambda paths: performance_page(_records(paths)),
    ),
    "peers": Command(
        "docs/peers.md", "RECORD", "of bench_prefill, bench_decode and bench_generate with arms of peers",
        lambda paths: peers_page(_records(paths)),
    ),
    "twins": Command(
        "docs/twins.md", "DOCUMENT", "of bench.front.trained score", _twins, narrowing=("task", "size"),
    ),
    "pareto": Command(
        "docs/pareto.md", "DOCUMENT", "written by bench.front: trained, published, supplied",
        lambda paths: pareto_page(read_tiers(paths)),
    ),
}  # fmt: skip


def add(commands: Commands) -> None:
    """Add the commands to the parser."""
    for name, command in COMMANDS.items():
        parser = commands.add_parser(name)
        more = "; or a pattern of such names in quotes"
        parser.add_argument("paths", nargs="+", type=Path, metavar=command.takes, help=command.of + more)
        for field in command.narrowing:
            parser.add_argument(f"--{field}", metavar="NAME", help="leave the others out")
        out = in_clone(Path(command.page))
        parser.add_argument("--out", type=Path, default=out, metavar="FILE", help="default: %(default)s")
        parser.set_defaults(run=run, writes=name)


def run(options: argparse.Namespace) -> int:
    """Write the page with its tables and figures; print what was written."""
    command = COMMANDS[options.writes]
    matching = [path for named in options.paths for path in sorted(named.parent.glob(named.name)) or [named]]
    narrowed = {field: getattr(options, field) for field in command.narrowing}
    given = [word for field, value in narrowed.items() if value for word in (f"--{field}", value)]
    words = [options.writes, *map(Path.as_posix, options.paths), "--out", options.out.as_posix(), *given]
    content = command.read(matching, **narrowed)
    for path in write_page(options.out, content, f"python -m bench {shlex.join(words)}"):
        say(f"written: {path}")
    return 0
