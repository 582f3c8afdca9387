"""The end of a run: compare it, confirm suspects in fresh processes, and say what the whole run comes to."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from bench.gate.baseline import NoBaseline, OpenBaseline, open_baseline
from bench.gate.cap import capped
from bench.gate.comparison import Selection, missing_scenarios, wrong_scenarios
from bench.gate.launch import Launcher
from bench.gate.retest import retest
from bench.gate.suspects import judge_run
from bench.gate.verdict import EXIT_CODES, ScenarioVerdict, Verdict, closed, fails, worst
from bench.harness.heap import give_back
from bench.harness.reading import inject_option
from bench.harness.record import Scenario
from bench.harness.run import Finished
from bench.harness.wording import counted

RETEST_SHARE = 0.5  # of a scenario's budget in a fresh launch: launches differ by more than blocks do
RETEST_MIN_BLOCKS = 5  # two disturbed blocks leave the centre of five alone
# what fails a run that may do without a baseline
AUTO_FAILS = (Verdict.WRONG, Verdict.REGRESSED, Verdict.CORRUPT, Verdict.FAILED, Verdict.CHANGED)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run comes to."""

    verdicts: Sequence[ScenarioVerdict] = ()
    groups: Sequence[ScenarioVerdict] = ()  # of benchmarks at scales, and of the suite
    run_verdict: Verdict | None = None  # when the comparison as a whole could not be made
    why: str = ""

    def failing(self, compare: str, *, allow_inconclusive: bool) -> list[ScenarioVerdict]:
        """Return the verdicts that the process does not end 0 with, that of the whole run last.

        Under auto and off those of AUTO_FAILS; under require all that are not green, and NOTHING_COMPARED.
        """
        whole = (
            [ScenarioVerdict(scenario="the run", verdict=self.run_verdict, why=self.why)] if self.run_verdict else []
        )
        said = [*self.verdicts, *self.groups, *whole]
        if compare != "require":
            return [verdict for verdict in said if verdict.verdict in AUTO_FAILS]
        said = closed(said, allow_inconclusive=allow_inconclusive)
        return [verdict for verdict in said if fails(verdict, allow_inconclusive=allow_inconclusive)]

    def exit_code(self, compare: str, *, allow_inconclusive: bool) -> int:
        """Return the exit code: that of the most severe verdict of those that fail."""
        failing = self.failing(compare, allow_inconclusive=allow_inconclusive)
        return EXIT_CODES[worst(verdict.verdict for verdict in failing)]


def conclude(run: Finished, selection: Selection, note: Callable[[str], None]) -> Outcome:
    """Compare a finished run with its baseline; `note` tells the user what happens meanwhile."""
    outcome = Outcome() if run.options.compare == "off" else _compare(run, selection, note)
    verdicts = [*outcome.verdicts, *unanswered(run)]
    if run.options.compare != "off" and not outcome.run_verdict:
        verdicts = closed(verdicts, allow_inconclusive=run.options.allow_inconclusive)
    outcome = replace(outcome, verdicts=verdicts)
    if run.write_error:
        return replace(outcome, run_verdict=Verdict.FAILED, why=str(run.write_error))
    return outcome


def unanswered(run: Finished) -> list[ScenarioVerdict]:
    """List the scenarios that gave no answer, or a wrong one: a comparison is not needed to condemn them."""
    lost = [ScenarioVerdict(scenario=name, verdict=Verdict.FAILED, why=why) for name, why in run.lost.items()]
    return [*lost, *wrong_scenarios(run.record)]


def _compare(run: Finished, selection: Selection, note: Callable[[str], None]) -> Outcome:
    opened = open_baseline(run.options.baselines, run.options.baseline, run.record)
    if isinstance(opened, NoBaseline):
        return Outcome(run_verdict=opened.verdict, why=opened.why)
    verdicts, groups = judge_run(run.record.scenarios, opened, partial(_confirm, run, note), note)
    everything = [*map(capped, verdicts.values()), *_left_out(run, opened), *missing_scenarios(opened, selection)]
    return Outcome(verdicts=everything, groups=[*groups.values()])


def release_memory() -> None:
    """Give the device's memory back: fresh processes need it, and this one has finished measuring."""
    gc.collect()
    give_back()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _left_out(run: Finished, opened: OpenBaseline) -> list[ScenarioVerdict]:
    """List the baseline's scenarios that had no memory this time: the machine is not fit for them now."""
    return [
        ScenarioVerdict(scenario=name, verdict=Verdict.UNFIT, why=why)
        for name, why in run.record.why_not_fitting().items()
        if name in opened.record.scenarios
    ]


def _launch_options(run: Finished) -> list[str]:
    """Return the options of a fresh process: fewer blocks, and what was measured is not given up as too long."""
    return [
        *run.setup["launch_options"],
        f"--min-blocks={RETEST_MIN_BLOCKS}",
        f"--scenario-budget={RETEST_SHARE * run.options.scenario_budget_s:.9f}",
        f"--longest-block={run.options.longest_block_s:.9f}",
        *inject_option(run.options.slowdowns),
    ]


def _confirm(
    run: Finished,
    note: Callable[[str], None],
    suspects: Sequence[str],
    groups: Sequence[str],
    opened: OpenBaseline,
) -> tuple[dict[str, ScenarioVerdict], dict[str, Scenario]]:
    release_memory()
    tests = {name: run.tests[name] for name in suspects}
    return retest(
        {name: test._replace(seconds=RETEST_SHARE * test.seconds) for name, test in tests.items()},
        opened,
        Launcher(root=run.root, options=_launch_options(run)),
        groups=groups,
        deadline=run.deadline,
        on_launch=lambda number, count: note(
            f"measuring {counted(count, 'suspect')} again in fresh process {number}, "
            f"{run.deadline - time.monotonic():.0f} s left"
        ),
    )
