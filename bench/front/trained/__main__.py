"""Trained twins, planned, scored or shipped: `python -m bench.front.trained plan RECORD`, `score DIR`, `ship DIR`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate
from transformers.utils.logging import disable_progress_bar

from bench.front.trained.document import score_folder, table, write_document
from bench.front.trained.exam import Exam
from bench.front.trained.plan import ASSUMED, plan_rows
from bench.front.trained.ship import ship
from bench.harness.writing import check_writable, replace_text
from bench.pages.tables import csv_text
from fixtures.devices import pin_threads, resolve_device
from fixtures.programs.errors import in_words
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.reading import at_least, listed, not_negative, one_of
from fixtures.training.recipes import RECIPES, SIZES
from fixtures.training.runs import TwinKey
from fixtures.training.shipped import SHIPPED_SIZES, SHIPPED_VARIANTS
from fixtures.training.tasks import TRAINED_TASKS
from fixtures.training.variants import VARIANTS

SPREADS = (  # fields of `Spread`, and the options that give them
    ("seeds", "--seed-sd", "of a variant's accuracy from seed to seed"),
    ("pictures", "--picture-sd", "of a twin's score from picture to picture"),
    ("within", "--within", "correlation of two seeds' scores by picture"),
    ("between", "--between", "of two variants'"),
)


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


def plan(chosen: argparse.Namespace) -> None:
    """Print what a training would cost and could tell apart, and write it as CSV."""
    rows = plan_rows(chosen)
    say(tabulate([row.values() for row in rows], headers=list(rows[0]), tablefmt="github", floatfmt=".2f"))
    say("differences and sd in points; seen and excluded: with 80 % power, the latter where there is none")
    if chosen.out:
        replace_text(chosen.out, csv_text(rows))
        say(f"written: {chosen.out}")


def build_parser() -> Parser:
    """Return the parser of the commands."""
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
    _add_plan(commands.add_parser("plan", help="say what a training would cost and could tell apart"))
    for command in (scored, shipped):
        command.add_argument("twins", type=Path, metavar="DIR", help="what python -m fixtures.training filled")
        command.add_argument(
            "--pictures", type=int, default=Exam.num_pictures, help="of the test split (default: %(default)s)"
        )
        command.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    return parser


def _add_plan(parser: argparse.ArgumentParser) -> None:
    """Add what a training is: how much of what, and how far accuracies are to lie apart."""
    parser.add_argument(
        "records", nargs="+", type=Path, metavar="RECORD", help="document of scored twins, for minutes and spreads"
    )
    for name, known, default in (
        ("tasks", TRAINED_TASKS, "charts,documents"),
        ("variants", VARIANTS, "dense,dense_active,plain,smoes-attention"),
    ):
        parser.add_argument(f"--{name}", type=listed(one_of(known)), default=default, help="default: %(default)s")
    parser.add_argument("--size", choices=SIZES, default="medium", help="default: %(default)s")
    parser.add_argument("--recipe", choices=RECIPES, default="minutes", help="default: %(default)s")
    parser.add_argument("--seeds", type=at_least(2), default=10, help="of each variant (default: %(default)s)")
    parser.add_argument("--pictures", type=at_least(2), default=600, help="of the test split (default: %(default)s)")
    for field, option, what in SPREADS:
        usual = f"default: the record's, or {getattr(ASSUMED, field):g}"
        parser.add_argument(
            option, type=not_negative, dest=f"spread_{field}", metavar="SHARE", help=f"{what} ({usual})"
        )
    parser.add_argument("--out", type=Path, metavar="FILE", help="takes the rows as CSV")
    parser.set_defaults(run=plan, threads=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the commands."""
    parser = build_parser()
    chosen = parser.parse_args(arguments)
    disable_progress_bar()  # transformers' own, of each model it loads
    try:
        pin_threads(chosen.threads)
        chosen.run(chosen)
    except (FileNotFoundError, ImportError, ValueError) as error:
        parser.error(str(in_words(error)))


if __name__ == "__main__":
    sys.exit(run_program(main))
