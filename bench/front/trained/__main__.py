"""Score trained twins or ship them: `python -m bench.front.trained score DIR --out JSON`, or `ship DIR`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate
from transformers.utils.logging import disable_progress_bar

from bench.front.trained.document import score_folder, table, write_document
from bench.front.trained.exam import Exam
from bench.front.trained.ship import ship
from bench.harness.writing import check_writable
from fixtures.devices import pin_threads, resolve_device
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.training.runs import TwinKey
from fixtures.training.shipped import SHIPPED_SIZES, SHIPPED_VARIANTS


def score(chosen: argparse.Namespace) -> None:
    """Score the twins of a folder, print a table, write the document."""
    if chosen.out:
        check_writable(chosen.out)
    exam = Exam(num_pictures=chosen.pictures, num_shifted=chosen.shifted_pictures)
    document = score_folder(chosen.twins, exam, resolve_device(chosen.device))
    say(table(document["twins"]))
    if chosen.out:
        write_document(chosen.out, document)
        say(f"written: {chosen.out}")


def ship_all(chosen: argparse.Namespace) -> None:
    """Ship every variant on every task; print what they are worth."""
    rows = []
    for task, size in SHIPPED_SIZES.items():
        for variant in SHIPPED_VARIANTS:
            key = TwinKey(task=task, size=size, variant=variant, seed=chosen.seed)
            card = ship(chosen.twins, key, chosen.pictures)
            rows.append([task, size, variant, card["num_parameters"], card["accuracy"]["all"]["estimate"]])
    say(tabulate(rows, headers=("task", "size", "variant", "parameters", "accuracy"), intfmt=",", floatfmt=".2f"))


def build_parser() -> Parser:
    """Return the parser of both commands."""
    parser = Parser(prog="python -m bench.front.trained", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    scored = commands.add_parser("score", help="make one document of a folder of trained twins")
    scored.add_argument("--out", type=Path, metavar="FILE", help="takes the document; answers are kept in any case")
    scored.add_argument(
        "--shifted-pictures",
        type=int,
        default=Exam.num_shifted,
        help="in each held-out style; 0: none (default: %(default)s)",
    )
    scored.add_argument("--device", default="cpu", help="auto, cpu or cuda (default: %(default)s)")
    scored.set_defaults(run=score)
    shipped = commands.add_parser("ship", help="copy those of one seed into fixtures/twins, with cards")
    shipped.add_argument("--seed", type=int, default=0, help="of the twins (default: %(default)s)")
    shipped.set_defaults(run=ship_all)
    for command in (scored, shipped):
        command.add_argument("twins", type=Path, metavar="DIR", help="what python -m fixtures.training filled")
        command.add_argument(
            "--pictures", type=int, default=Exam.num_pictures, help="of the test split (default: %(default)s)"
        )
        command.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the commands."""
    parser = build_parser()
    chosen = parser.parse_args(arguments)
    disable_progress_bar()  # transformers' own, of each model it loads
    try:
        pin_threads(chosen.threads)
        chosen.run(chosen)
    except (FileNotFoundError, ImportError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(run_program(main))
