"""The part of the plugin that measures, in this process: peaks, then each scenario, and a record after each."""

import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.harness.agreement import WrongAnswer
from bench.harness.blocks import UnknownArm
from bench.harness.heap import give_back, keep_freed
from bench.harness.hooks import MeasuredSetup
from bench.harness.naming import SUITE
from bench.harness.options import Options
from bench.harness.other_plugins import replaced, run_again
from bench.harness.paired import Paired
from bench.harness.project import read_project
from bench.harness.record import CorruptRecord, load
from bench.harness.run import Finished, Launched, Measured, Run, ScenarioTest

XDIST = "PYTEST_XDIST"  # prefix of the variables by which pytest-benchmark knows a worker and measures nothing in it
OF_WRONG_ANSWER = "of_wrong_answer"  # attribute of a report that is a verdict and no failure of pytest's own
UNEXPLAINED = "its check says no more"
NOTHING_SELECTED = "-k and -m must leave a scenario to measure, got none; --collect-only -q lists them"
NO_SETUP = (
    "a project must say on what it measures, got no answer of pytest_measured_setup; implement it in conftest.py, "
    f"or name {SUITE}.defaults in its pytest_plugins"
)


class Measuring:
    """Measure what is collected; idle where no scenario is."""

    def __init__(self, config: pytest.Config, options: Options, launched: Launched | None = None) -> None:
        self.config, self.options, self.launched = config, options, launched
        self.run: Run | None = None
        self.collected: list[str] = []  # scenario ids, before -k and -m took from them
        self.selected: list[str] = []  # node ids of scenarios
        self.begun: set[str] = set()  # scenario ids
        self.left_out: list[str] = []  # scenario ids that --measured took from those selected

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, Any, None]:
        """Remember what was collected before -k and -m take from it; then leave out what is measured already."""
        self.collected = [item.name for item in items if is_scenario(item)]
        yield
        known = known_scenarios(self.options.measured)
        done = [item for item in items if is_scenario(item) and item.name in known]
        if done:
            self.left_out = [item.name for item in done]
            self.config.hook.pytest_deselected(items=done)
            items[:] = [item for item in items if item not in done]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember what is left to measure."""
        self.selected = [item.nodeid for item in session.items if is_scenario(item)]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self) -> Generator[None, Any, None]:
        """Pin the device and measure its peaks before the first scenario."""
        if self.selected and not self.config.option.collectonly:
            setup, selected = setup_of(self.config), [scenario_of(node_id) for node_id in self.selected]
            self.run = Run(self.config, self.options, setup, selected, self.launched, left_out=self.left_out)
            self.run.filtered = len(self.selected) < len(self.collected) or names_scenarios(self.config)
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note that and when a scenario's set-up began: the estimate of a fresh launch needs it."""
        give_back()
        self.scenario_started = time.time()
        if is_scenario(item):
            self._demand(run_again(item, self.begun))
            self.begun.add(item.name)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
        """Keep a scenario once its own assertions have passed; note one that failed, is wrong or does not fit."""
        if call.excinfo and call.excinfo.errisinstance(UnknownArm):
            self.refuse(str(call.excinfo.value))
        report: pytest.TestReport = (yield).get_result()
        if self.run is None or not is_scenario(item):
            return
        if report.failed and call.excinfo and call.excinfo.errisinstance(WrongAnswer):
            self.run.condemn(item.name, str(call.excinfo.value) or UNEXPLAINED)
            setattr(report, OF_WRONG_ANSWER, True)
        elif report.failed:
            self.run.failed.append(item.name)
        elif report.skipped:
            why = {"reason": str(call.excinfo.value)} if call.excinfo else {}
            self.run.not_fitting.append({"scenario": item.name, **why, **dict(item.user_properties)})
        elif call.when == "call":
            paired: Paired = item.funcargs["paired"]  # type: ignore[attr-defined]  # pytest.Function has it
            if paired.measurement:
                test = ScenarioTest(item.nodeid, call.stop - self.scenario_started)
                params = item.callspec.params if hasattr(item, "callspec") else {}
                self.run.add(Measured(test, paired.benchmark, paired.measurement), params)

    def refuse(self, why: str) -> None:
        """End the run over an option that makes no sense, which every other scenario would say too."""
        pytest.exit(why, returncode=pytest.ExitCode.USAGE_ERROR)

    def _demand(self, problem: str) -> None:
        """End the run over what another plugin does; a worker's scenario fails of it."""
        if problem:
            self.refuse(problem)
            pytest.fail(problem, pytrace=False)

    def paired(self, benchmark: BenchmarkFixture) -> Paired:
        """Return what a scenario measures with."""
        self._demand(replaced(benchmark, self.config))
        assert self.run is not None, "a scenario is collected before it runs"
        return self.run.paired(benchmark)

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Add the other arms and our header to pytest-benchmark's document."""
        if self.run:
            self.run.complete_document(output_json)

    def finish(self) -> Finished | None:
        """Return what was measured; nothing where no scenario was selected."""
        return self.run.finish() if self.run else None


def setup_of(config: pytest.Config) -> MeasuredSetup:
    """Ask the project what is measured, and keep from now on what calls free.

    Raises:
        pytest.UsageError: if an option makes no sense, or the project does not say.
    """
    try:
        setup: MeasuredSetup | None = config.hook.pytest_measured_setup(config=config)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    if setup is None:
        raise pytest.UsageError(NO_SETUP)
    keep_freed()
    return setup


def known_scenarios(paths: Iterable[Path]) -> set[str]:
    """Return the ids of the scenarios that records hold, or have found too large for the device.

    Raises:
        pytest.UsageError: if a record cannot be read.
    """
    try:
        records = [load(path) for path in paths]
    except (FileNotFoundError, CorruptRecord) as error:
        raise pytest.UsageError(f"--measured must name a record: {error}") from error
    return {name for record in records for name in (*record.scenarios, *record.why_not_fitting())}


def is_scenario(item: pytest.Item) -> bool:
    """Tell whether a test measures: it asks for the fixture `paired`."""
    return "paired" in getattr(item, "fixturenames", ())


def scenario_of(node_id: str) -> str:
    """Return the scenario's id, the key of reports and baselines.

    >>> scenario_of("bench/bench_decode.py::bench_decode[tiny-b1]")
    'bench_decode[tiny-b1]'
    """
    return node_id.partition("::")[2]


def names_scenarios(config: pytest.Config) -> bool:
    """Tell whether the command line names single scenarios, not whole folders or files."""
    return any("::" in arg for arg in config.args)


def scenarios_folder(config: pytest.Config) -> Path:
    """Return the folder that the project keeps its scenarios in.

    Raises:
        pytest.UsageError: if the project's table breaks a rule.
    """
    try:
        return config.rootpath / read_project(config.rootpath).scenarios
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def holds_scenarios(config: pytest.Config) -> bool:
    """Tell whether a path on the command line is in, or holds, the folder of scenarios."""
    folder = scenarios_folder(config)
    paths = [(config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args]
    return any(path.is_relative_to(folder) or folder.is_relative_to(path) for path in paths)
