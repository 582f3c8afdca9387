"""pytest hooks: options, fixture `paired`, a record after each scenario, then comparison, table and exit code."""

import time
from collections.abc import Generator
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rich.console import Console

from bench.harness import hooks
from bench.harness.ab.worker import RemotePaired, WorkerSession
from bench.harness.comparison import Selection
from bench.harness.options import add_options, read_options
from bench.harness.outcome import Outcome, conclude, scenarios_judged
from bench.harness.paired import Paired
from bench.harness.progress import RunProgress
from bench.harness.report import explain, write_reports
from bench.harness.run import Measured, Run
from bench.harness.verdict import ScenarioVerdict, Verdict

BENCH_FOLDER = "bench"
OWN_EXIT_CODES = (0, pytest.ExitCode.TESTS_FAILED)  # pytest's codes that a verdict may replace


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the harness's options."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hook by which the project says what is measured."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to measure in parallel, and start the session's part of the plugin."""
    if config.getoption("numprocesses", None) and any(_holds_scenarios(config, arg) for arg in config.args):
        raise pytest.UsageError(
            "scenarios must not share a device: `pytest bench` runs in one process, got -n; drop -n "
            "(unit tests may use it: pytest tests -n auto)"
        )
    is_worker = config.getoption("ab_worker") is not None
    config.pluginmanager.register((WorkerSession if is_worker else HarnessSession)(config), "moevlm-harness")


def _holds_scenarios(config: pytest.Config, arg: str) -> bool:
    """Tell whether a path on the command line is in, or holds, the folder of scenarios."""
    path = (config.invocation_params.dir / arg.split("::")[0]).resolve()
    folder = config.rootpath / BENCH_FOLDER
    return path.is_relative_to(folder) or folder.is_relative_to(path)


class HarnessSession:
    """The part of the plugin that lives as long as one pytest session; idle where no scenario is collected."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.options = read_options(config)
        self.console = Console(width=None if Console().is_terminal else 200, soft_wrap=False)
        self.started = time.monotonic()
        self.run: Run | None = None
        self.outcome = Outcome()
        self.progress: RunProgress | None = None
        self.collected: list[pytest.Item] = []
        self.selected: list[pytest.Item] = []
        self.verdict_reports = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Remember what was collected before -k and -m take from it."""
        self.collected = [item for item in items if is_scenario(item)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Refuse options under which nothing would be measured."""
        self.selected = [item for item in session.items if is_scenario(item)]
        if self.selected and self.config.getoption("benchmark_disable") and self.options.compare == "require":
            raise pytest.UsageError("--compare=require must measure, got --benchmark-disable; drop one of the two")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, None]:
        """Measure, then compare while pytest can still report failures."""
        measuring = bool(self.selected) and not self.config.option.collectonly
        if measuring:
            self._start()
        ended = yield
        if self.progress:
            self.progress.end()
        if self.run and ended.exception is None and not self.config.getoption("benchmark_disable"):
            self._conclude(self.run, session)  # not after Ctrl-C or -x: whoever stopped a run wants no fresh processes

    def _start(self) -> None:
        try:
            setup = self.config.hook.pytest_measured_setup(config=self.config)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
        self.run = Run(self.config, self.options, setup, len(self.selected))
        self.run.filtered = len(self.selected) < len(self.collected) or not self._is_whole()
        self.progress = RunProgress(self.console, len(self.selected))
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if reporter:
            reporter.showfspath = False  # file names between the scenarios would tear the progress bar apart

    def _is_whole(self) -> bool:
        """Tell whether folders or files were named, not single scenarios."""
        return not any("::" in arg for arg in self.config.args)

    def _names_folders(self) -> bool:
        """Tell whether whole folders were named: a function that only the baseline has was then renamed or removed."""
        ignored = self.config.option.ignore or self.config.option.ignore_glob
        folder = self.config.invocation_params.dir
        return not ignored and all((folder / arg).is_dir() for arg in self.config.args)

    def _conclude(self, run: Run, session: pytest.Session) -> None:
        selection = Selection(
            collected={item.name for item in self.collected},
            functions=None if self._names_folders() else {item.name.split("[")[0] for item in self.collected},
            axes={axis: [str(value) for value in values] for axis, values in run.setup["axes"].items()},
            whole=self._is_whole(),
        )
        run.save()
        unknown = set(run.options.slowdowns) - {arm for m in run.measured.values() for arm in m.measurement.samples}
        if run.measured and unknown:
            raise pytest.UsageError(f"--inject must name an arm of a scenario, got {', '.join(sorted(unknown))}")
        self.outcome = conclude(run, selection, self.progress.note if self.progress else print)
        for verdict in self.outcome.verdicts:
            if verdict.verdict is Verdict.REGRESSED:
                self._fail(verdict, session)

    def _fail(self, verdict: ScenarioVerdict, session: pytest.Session) -> None:
        """Turn the terminal and JUnit red with a report of its own: the scenario itself had passed."""
        assert self.run is not None, "verdicts come from a run"
        path = self.run.measured[verdict.scenario].node_id.partition("::")[0]
        name = f"verdict of {verdict.scenario}"
        report = pytest.TestReport(
            nodeid=f"{path}::{name}",
            location=(path, None, name),
            keywords={},
            outcome="failed",
            longrepr=explain(verdict),
            when="call",
        )
        self.verdict_reports += 1
        session.config.hook.pytest_runtest_logreport(report=report)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Draw the progress before a scenario starts, never while its clock runs."""
        if self.progress:
            self.progress.begin(nodeid.partition("::")[2])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
        """Keep a scenario once its own assertions have passed; note one that failed or does not fit."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()
        if self.run is None or not is_scenario(item):
            return
        if report.failed:
            self.run.failed.append(item.name)
        elif report.skipped:
            self.run.not_fitting.append({"scenario": item.name, **dict(item.user_properties)})
        elif call.when == "call":
            self._keep(self.run, item, call.stop - self.scenario_started)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Note when a scenario's set-up began: the estimate of a fresh launch needs it."""
        self.scenario_started = time.time()

    def _keep(self, run: Run, item: pytest.Item, seconds: float) -> None:
        paired: Paired = item.funcargs["paired"]  # type: ignore[attr-defined]  # pytest.Function has it
        if paired.measurement:
            params = dict(item.callspec.params) if hasattr(item, "callspec") else {}
            run.add(
                Measured(
                    node_id=item.nodeid,
                    params=params,
                    benchmark=paired.benchmark,
                    measurement=paired.measurement,
                    seconds=seconds,
                )
            )

    def paired(self, benchmark: BenchmarkFixture) -> Paired:
        """Return what a scenario measures with."""
        assert self.run is not None, "a scenario is collected before it runs"
        return self.run.paired(benchmark)

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Add the other arms and our header to pytest-benchmark's document."""
        if self.run:
            self.run.complete_document(output_json)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Leave out the dots of scenarios: the progress says more."""
        return ("passed", "", "") if self.progress and report.passed and report.when == "call" else None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Set the exit code: pytest's own failures first, then the most severe verdict."""
        own_failures = session.testsfailed - self.verdict_reports
        if self.run and session.exitstatus in OWN_EXIT_CODES and not own_failures:
            session.exitstatus = self.outcome.exit_code(self.options.compare, strict=self.options.strict)

    def pytest_terminal_summary(self) -> None:
        """Print the table, the reasons and the one line that sums the run up; write the same as markdown."""
        if (self.run and (self.run.measured or self.run.not_fitting)) or self.outcome.run_verdict:
            assert self.run is not None, "an outcome comes from a run"
            seconds = time.monotonic() - self.started
            write_reports(self.console, self.run, self.outcome, scenarios_judged(self.outcome), seconds)


def is_scenario(item: pytest.Item) -> bool:
    """Tell whether a test measures: it asks for the fixture `paired`."""
    return "paired" in getattr(item, "fixturenames", ())


@pytest.fixture
def paired(benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> Paired | RemotePaired:
    """Measure the arms of a scenario, interleaved; see `Paired.measure` and `Paired.observe`."""
    session: HarnessSession | WorkerSession = pytestconfig.pluginmanager.getplugin("moevlm-harness")
    return session.paired(benchmark)
