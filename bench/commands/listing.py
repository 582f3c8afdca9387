"""The commands, as `--help` lists them; the module of one is imported when it is chosen."""

from collections.abc import Mapping
from typing import NamedTuple


class Listed(NamedTuple):
    """A command that nothing is imported for."""

    module: str  # in this folder; some have several commands
    help: str


COMMANDS: Mapping[str, Listed] = {
    "ab": Listed("ab", "measure base and head in lock-step on this machine, now"),
    "qualify": Listed("qualify", "measure how often `ab` errs on this machine; resumable"),
    "campaign": Listed("campaign", "measure all that the results need; resumable, within a budget"),
    "baseline": Listed("baseline", "measure this machine's baseline and promote it; resumable"),
    "promote": Listed("promote", "make records of enough launches the baseline"),
    "compare": Listed("compare", "judge records of one or more launches against a baseline"),
    "history": Listed("history", "how scenarios moved over the promoted baselines"),
    "report": Listed("report", "print a record as a markdown table, or write an HTML page of many (--html)"),
    "track": Listed("track", "add a run to the file of runs that CI keeps, for the page's history"),
    "export": Listed("export", "write the figures of records as other tools read them"),
    "fairness": Listed("fairness", "tell whether every arm goes its fastest way; red where another is faster"),
    "coverage": Listed("coverage", "tell how often another launch falls where three say; red below nine of ten"),
    "bundle": Listed("bundle", "pack a record's claims with their evidence into one archive"),
    "reproduce": Listed("bundle", "measure a bundle's claims on this machine; ends 0 if they hold"),
    "results": Listed("pages", "write the page that answers the questions, from records and documents"),
    "layers": Listed("pages", "write the page on where the time of decoder layers goes, from records"),
    "performance": Listed(
        "pages", "write the page on expert backends and decode beside other projects' code, from records"
    ),
    "peers": Listed("pages", "write the page on other engines beside ours, from records"),
    "twins": Listed("pages", "write the page about trained twins, with figures by layer"),
    "pareto": Listed("pages", "write the page about accuracy against throughput, with its figures"),
}
