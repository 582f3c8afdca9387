"""pytest hooks: options, fixture `paired`, then comparison, table and exit code of what was measured."""

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.gate.ab.worker_plugin import WorkerSession
from bench.gate.comparison import Selection
from bench.gate.conclude import Outcome, conclude, unanswered
from bench.gate.sentences import explain
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness import hooks
from bench.harness.apart import Apart
from bench.harness.imports import import_aside, look_again
from bench.harness.measuring import (
    NOTHING_SELECTED,
    OF_WRONG_ANSWER,
    Measuring,
    holds_scenarios,
    names_scenarios,
    scenarios_folder,
)
from bench.harness.options import Options, add_options, read_options
from bench.harness.other_plugins import check_timer
from bench.harness.paired import Paired
from bench.harness.parallel import Parallel, Worker, devices_of, is_controller, told_to
from bench.harness.progress import RunProgress, console_of
from bench.harness.run import Finished, hold_record
from bench.harness.wording import counted
from bench.pages.report import write_reports
from fixtures.programs.errors import RecordWriteError
from fixtures.programs.interrupt import end_on_signals
from fixtures.programs.terminal import print_in_any_encoding
from fixtures.programs.visible import visible_lines

MEASURES = "moevlm-measures"  # names under which the parts of the plugin are registered
CONCLUDES = "moevlm-concludes"
NOTHING_MEASURED = "--compare=require must measure, got no scenario; name some, or drop it"
RUNS_APART = "moevlm-runs-apart"
LEGEND_SHOWN = "moevlm/legend"  # key of pytest's cache
OWN_EXIT_CODES = (0, pytest.ExitCode.TESTS_FAILED)  # pytest's codes that a verdict may replace


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the harness's options."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hooks by which the project says what is measured."""
    pluginmanager.add_hookspecs(hooks)


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Leave out calls that were interrupted where Python knows no line: pytest's report would end in a trace there."""
    excinfo.traceback = excinfo.traceback.filter(lambda entry: entry._rawentry.tb_lineno is not None)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Answer -n auto with the number of devices where scenarios are measured; unit tests get a worker a core."""
    return len(devices_of(config)) if holds_scenarios(config) else None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start this process's part: a worker of `ab`, a worker of xdist, its controller, or all in one."""
    print_in_any_encoding()
    if holds_scenarios(config):
        check_timer(config)
    _register_part(config)
    if holds_scenarios(config) and not is_controller(config) and not config.option.collectonly:
        imports = [name for names in config.hook.pytest_measured_imports(config=config) for name in names]
        config.pluginmanager.register(ApartSession(imports), RUNS_APART)
    if holds_scenarios(config) and config.getoption("ab_worker") is None and not told_to(config):
        config.add_cleanup(end_on_signals())


def _register_part(config: pytest.Config) -> None:
    if config.getoption("ab_worker") is not None:
        config.pluginmanager.register(WorkerSession(config), MEASURES)
        return
    options = read_options(config)
    if told_to(config):
        config.pluginmanager.register(Worker(config, options), MEASURES)
        return
    if options.on_device:
        config.hook.pytest_measured_on(config=config, device=options.on_device)
    if options.compare == "require" and is_disabled(config):
        raise pytest.UsageError("--compare=require must measure, got --benchmark-disable; drop one of the two")
    hold_record(config, options)
    in_parallel = is_controller(config) and holds_scenarios(config)
    source = Parallel(config, options) if in_parallel else Measuring(config, options)
    config.pluginmanager.register(source, MEASURES)
    config.pluginmanager.register(HarnessSession(config, options, source), CONCLUDES)


def is_disabled(config: pytest.Config) -> bool:
    """Tell whether pytest-benchmark was told to time nothing."""
    return bool(config.option.benchmark_disable) and not config.option.benchmark_enable


class HarnessSession:
    """The part of the plugin that compares and reports; idle where no scenario is selected."""

    def __init__(self, config: pytest.Config, options: Options, source: Measuring | Parallel) -> None:
        self.config, self.options, self.source = config, options, source
        self.console = console_of(colour=config.option.color != "no")
        self.started = time.monotonic()
        self.finished: Finished | None = None
        self.outcome = Outcome()
        self.progress: RunProgress | None = None
        self.verdict_reports = 0
        self.wrong_reports = 0
        self.is_interrupted = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Refuse a selection under which nothing would be measured."""
        if self.source.collected and not session.items:
            raise pytest.UsageError(NOTHING_SELECTED)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, None]:
        """Compare when everything is measured, while pytest can still report failures."""
        ended = yield
        if self.progress:
            self.progress.end()
        self.finished = self.source.finish()
        if self.finished:
            self.outcome = Outcome(verdicts=unanswered(self.finished))
            # not after Ctrl-C or -x: whoever stopped it wants no fresh processes
            if ended.exception is None and not is_disabled(self.config):
                self._conclude(self.finished, session)
        elif self.options.compare == "require" and ended.exception is None and not self.config.option.collectonly:
            self.outcome = Outcome(run_verdict=Verdict.MISSING, why=NOTHING_MEASURED)

    def _wants_legend(self) -> bool:
        """Tell whether to say what the columns are: where it was asked for, and once in a clone."""
        cache = getattr(self.config, "cache", None)
        is_known = bool(cache and cache.get(LEGEND_SHOWN, False))
        if cache and not is_known:
            cache.set(LEGEND_SHOWN, True)
        return self.options.legend or not is_known

    def _names_folders(self) -> bool:
        """Tell whether whole folders were named: a function that only the baseline has was then renamed or removed."""
        ignored = self.config.option.ignore or self.config.option.ignore_glob
        folder = self.config.invocation_params.dir
        return not ignored and all((folder / arg).is_dir() for arg in self.config.args)

    def _conclude(self, finished: Finished, session: pytest.Session) -> None:
        collected = set(self.source.collected)
        selection = Selection(
            collected=collected,
            functions=None if self._names_folders() else {name.split("[")[0] for name in collected},
            axes={axis: [str(value) for value in values] for axis, values in finished.setup["axes"].items()},
            whole=not names_scenarios(self.config),
        )
        known = list(dict.fromkeys(arm for scenario in finished.record.scenarios.values() for arm in scenario.arms))
        unknown = set(self.options.slowdowns) - set(known)
        if known and unknown:
            raise pytest.UsageError(
                f"--inject must name arms of the scenarios, {', '.join(known)}, got {', '.join(sorted(unknown))}; "
                "correct the name"
            )
        try:
            self.outcome = conclude(finished, selection, self.progress.note if self.progress else print)
        finally:
            if self.progress:
                self.progress.end()
        told = {verdict.scenario for verdict in unanswered(finished)}  # by reports of pytest's own
        allow = self.options.allow_inconclusive
        for verdict in self.outcome.failing(self.options.compare, allow_inconclusive=allow):
            if verdict.scenario not in told:
                test = finished.tests.get(verdict.scenario)
                self._fail(
                    verdict, test.node_id.partition("::")[0] if test else scenarios_folder(self.config).name, session
                )

    def _fail(self, verdict: ScenarioVerdict, path: str, session: pytest.Session) -> None:
        """Turn the terminal and JUnit red with a report of its own: the scenario itself had passed, or was not run."""
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

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the reports of scenarios that answered wrongly, of this process or of xdist's workers."""
        self.wrong_reports += getattr(report, OF_WRONG_ANSWER, False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Draw the progress before a scenario starts, never while its clock runs."""
        if nodeid in self.source.selected:
            self.progress = self.progress or self._begin()
            self.progress.begin(nodeid.partition("::")[2])

    def _begin(self) -> RunProgress:
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if reporter:
            reporter.showfspath = False  # file names between the scenarios would tear the progress bar apart
        return RunProgress(self.console, len(self.source.selected))

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Leave out the dots of scenarios: the progress says more."""
        return ("passed", "", "") if self.progress and report.passed and report.when == "call" else None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Set the exit code: pytest's own failures first, then the most severe verdict."""
        if (self.finished or self.outcome.run_verdict) and session.exitstatus in OWN_EXIT_CODES:
            lost = self.finished.lost if self.finished else ()
            if session.testsfailed == self.verdict_reports + self.wrong_reports + len(lost):
                allow = self.options.allow_inconclusive
                session.exitstatus = self.outcome.exit_code(self.options.compare, allow_inconclusive=allow)

    def pytest_keyboard_interrupt(self) -> None:
        """Remember to say how to go on."""
        self.is_interrupted = True

    def pytest_terminal_summary(self) -> None:
        """Print the table, the reasons and the one line that sums the run up; write the same as markdown."""
        if self.source.selected and is_disabled(self.config):
            self.console.print("nothing was timed: --benchmark-disable runs each scenario once; drop it to measure")
        finished, outcome = self.finished, self.outcome
        if not finished and outcome.run_verdict:
            said = visible_lines(f"{outcome.run_verdict.value}: {outcome.why}")
            self.console.print(said, highlight=False, markup=False)
        if finished and any(
            (finished.record.scenarios, finished.record.not_fitting, outcome.run_verdict, outcome.verdicts)
        ):
            seconds = time.monotonic() - self.started
            by_scenario = {verdict.scenario: verdict for verdict in outcome.verdicts}
            typed = [str(argument) for argument in self.config.invocation_params.args]
            write_reports(
                self.console, finished, outcome, by_scenario, seconds, legend=self._wants_legend(), typed=typed
            )
            self._write_page(finished, {**by_scenario, **{group.scenario: group for group in outcome.groups}})
        if finished and self.is_interrupted:
            done, path = len(finished.record.scenarios), finished.record_path
            self.console.print(
                f"interrupted: {done} of {counted(len(self.source.selected), 'scenario')} measured; "
                f"the same command with --measured={path} and another --record goes on with the rest"
            )

    def _write_page(self, finished: Finished, verdicts: Mapping[str, ScenarioVerdict]) -> None:
        """Write the page that was asked for; a disk that takes none costs the run nothing."""
        if self.options.report is None:
            return
        from bench.report.write import write_run  # what makes the page is imported by those who ask for one

        name = finished.record_path.name
        try:
            said = str(write_run(self.options.report, name, finished.record, verdicts, self.options.baselines))
        except RecordWriteError as error:
            said = f"no report: {error}"
        self.console.print(visible_lines(said), highlight=False, markup=False, soft_wrap=True)


class ApartSession:
    """Keep the process that others are forked from, as long as a scenario may ask for it."""

    def __init__(self, imports: Sequence[str]) -> None:
        self.imports = imports
        self.apart = Apart()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Import what scenarios do, then fork: no process does it again."""
        import_aside(self.imports)
        self.apart.begin()  # now: whoever asks next which GPUs there are starts CUDA, which no fork can use

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """End it where nobody will ask."""
        if not any("apart" in getattr(item, "fixturenames", ()) for item in session.items):
            self.apart.end()

    def pytest_unconfigure(self) -> None:
        """End it."""
        self.apart.end()
        look_again()


@pytest.fixture(scope="session")
def apart(pytestconfig: pytest.Config) -> Apart:
    """Run functions each in a process of its own, which nothing measured so far has touched; see `Apart.run`."""
    session: ApartSession | None = pytestconfig.pluginmanager.getplugin(RUNS_APART)
    assert session, "scenarios lie in the folder that pytest was given"
    return session.apart


@pytest.fixture
def paired(benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> Paired:
    """Measure the arms of a scenario, interleaved; see `Paired.measure` and `Paired.observe`."""
    measures: Measuring | WorkerSession = pytestconfig.pluginmanager.getplugin(MEASURES)
    return measures.paired(benchmark)
