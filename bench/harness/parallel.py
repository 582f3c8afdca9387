"""`pytest bench -n N`: each xdist worker measures on a device of its own, the controller joins what they leave.

A worker is an ordinary run that writes its record, scenario by scenario, to a folder of the controller's. The records
hold different scenarios of one run; joined they are the record that one process would have left. They are joined after
each scenario: however the run ends, what was finished is in its record.
"""

import datetime
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.harness.arms import PRIMARY
from bench.harness.measuring import NOTHING_SELECTED, XDIST, Measuring, scenario_of, scenarios_folder
from bench.harness.options import Options
from bench.harness.record import KEY, Record, entries_of, join, read, seal, write
from bench.harness.run import Finished, Launched, ScenarioTest, launched_now
from bench.harness.scratch import scratch
from bench.harness.tied import die_with
from fixtures.programs.errors import RecordWriteError

REFUSED = ("benchmark_json", "benchmark_save", "benchmark_autosave", "benchmark_compare", "benchmark_histogram")
GRACE_S = 0.5  # for a worker between two scenarios
DEVICE, FOLDER, LAUNCH, STARTED = "device", "folder", "launch", "started"  # what the controller tells a worker
COLLECTED, SELECTED, WRITE_ERROR = "collected", "selected", "write_error"  # what a worker tells the controller


def is_controller(config: pytest.Config) -> bool:
    """Tell whether xdist starts workers for this session."""
    option = config.option
    return getattr(option, "dist", "no") != "no" and bool(option.tx) and not option.collectonly


class Parallel:
    """The controller's part: gives devices out, and joins the workers' records when they have ended."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        refuse_options(config)
        self.config, self.options, self.launched = config, options, launched_now()
        self.deadline = time.monotonic() + options.time_budget_s
        self.free = devices_of(config)
        hold = ExitStack()
        self.scratch = hold.enter_context(scratch("workers"))
        config.add_cleanup(hold.close)  # the joined record has all of the workers'
        self.selected: list[str] = []  # node ids
        self.told: dict[str, Any] = {}  # by one worker that ended; all collect the same
        self.seconds: dict[str, float] = {}  # of a test's set-up and call, by node id
        self.devices: dict[str, str] = {}  # that a test ran on, by node id
        self.lost: dict[str, str] = {}
        self.left: dict[Path, tuple[int, dict[str, Any]]] = {}  # workers' records, with the time they were written

    @property
    def collected(self) -> list[str]:
        """Return the scenario ids before -k and -m took from them."""
        return list(self.told.get(COLLECTED, ()))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[object]) -> None:
        """Refuse workers that would share a device."""
        if len(specs) > len(self.free):
            raise pytest.UsageError(
                f"scenarios must not share a device: -n must be at most {len(self.free)} ({', '.join(self.free)}), got "
                f"{len(specs)} workers; give -n {len(self.free)} or -n auto (unit tests may share: "
                "pytest tests -n auto)"
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where to measure and where to leave its record."""
        started = self.launched.started.isoformat()
        values = {DEVICE: self.free.pop(0), FOLDER: str(self.scratch), LAUNCH: self.launched.id, STARTED: started}
        node.workerinput[KEY] = values

    def pytest_keyboard_interrupt(self) -> None:
        """End workers in the middle of a scenario: xdist would wait for them for longer than an interrupt may last."""
        if manager := self.config.pluginmanager.getplugin("dsession").nodemanager:
            manager.group.terminate(timeout=GRACE_S)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the device back: a worker in place of one that died gets it."""
        self.free.append(node.workerinput[KEY][DEVICE])
        told = getattr(node, "workeroutput", {}).get(KEY, {})
        self.told = {**told, WRITE_ERROR: self.told.get(WRITE_ERROR) or told[WRITE_ERROR]} if told else self.told

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Remember what is to be measured."""
        if not ids:
            raise pytest.UsageError(NOTHING_SELECTED)
        folder = scenarios_folder(self.config)
        self.selected = [node_id for node_id in ids if (self.config.rootpath / node_id).is_relative_to(folder)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what a test took, note where it ran, and keep a scenario that has finished."""
        if report.when != "teardown":
            self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if worker := getattr(report, "node", None):  # our own reports, of verdicts, come from none
            self.devices[report.nodeid] = worker.workerinput[KEY][DEVICE]
            if report.when == "call":
                self._keep()

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """Note a scenario whose worker died; xdist goes on with another worker."""
        device = report.node.workerinput[KEY][DEVICE]
        self.lost[scenario_of(crashitem)] = f"its worker on {device} died; run the scenario alone to see how"

    def finish(self) -> Finished | None:
        """Join the workers' records and write the whole; nothing where no worker began to measure."""
        documents = self._documents()
        if not documents:
            return None
        document = self._joined(documents)
        path, error = self.launched.record_path(self.config, self.options), self.told.get(WRITE_ERROR)
        write_error = RecordWriteError(error) if error else None
        try:
            write(path, document)
        except RecordWriteError as refused:
            write_error = refused
        return Finished(
            root=self.config.rootpath,
            options=self.options,
            setup=self.config.hook.pytest_measured_setup(config=self.config),
            deadline=self.deadline,
            record=Record.from_document(document),
            record_path=path,
            tests=self._tests(entries_of(document)),
            write_error=write_error,
            lost=self.lost,
        )

    def _keep(self) -> None:
        """Write the record as far as it is; what cannot be written is told at the end."""
        if documents := self._documents():
            with suppress(RecordWriteError):
                write(self.launched.record_path(self.config, self.options), self._joined(documents))

    def _documents(self) -> list[dict[str, Any]]:
        """Return the workers' records; only what a worker has written since is read again."""
        for path in self.scratch.glob("*.json"):
            written = path.stat().st_mtime_ns
            if self.left.get(path, (0,))[0] != written:
                self.left[path] = (written, read(path))
        return [self.left[path][1] for path in sorted(self.left)]

    def _joined(self, documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        try:
            document = join(documents, [scenario_of(node_id) for node_id in self.selected])
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
        header = document[KEY]
        header["failed"] += self.lost
        done = len(Record.from_document(document).scenarios) + len(header["not_fitting"])
        header["complete"] = (
            not header["failed"] and not header["wrong"] and done == len(self.told.get(SELECTED, ())) > 0
        )
        return seal(document)

    def _tests(self, entries: Sequence[Mapping[str, Any]]) -> dict[str, ScenarioTest]:
        node_ids = {e["name"]: e["fullname"] for e in entries if e["extra_info"][KEY]["arm"] == PRIMARY}
        return {
            name: ScenarioTest(node_id, self.seconds.get(node_id, 0.0), self.devices.get(node_id, ""))
            for name, node_id in node_ids.items()
        }


class Worker(Measuring):
    """A worker's part: a run whose record goes to the controller's folder."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        die_with(os.getppid())
        given = told_to(config)
        for name in [name for name in os.environ if name.startswith(XDIST)]:
            del os.environ[name]
        config.hook.pytest_measured_on(config=config, device=given[DEVICE])
        path = Path(given[FOLDER]) / f"{uuid.uuid4().hex}.json"
        launched = Launched(given[LAUNCH], datetime.datetime.fromisoformat(given[STARTED]))
        super().__init__(config, replace(options, record=path), launched)

    def refuse(self, why: str) -> None:
        """Let the scenario fail with the reason: xdist takes a worker that ends itself for one that died."""

    def pytest_sessionfinish(self) -> None:
        """Tell the controller what was collected, and whether the record could be written."""
        error = self.run.write_error if self.run else None
        self.config.workeroutput[KEY] = {  # type: ignore[attr-defined]  # xdist adds it
            COLLECTED: self.collected,
            SELECTED: self.selected,
            WRITE_ERROR: str(error or ""),
        }


def told_to(config: pytest.Config) -> dict[str, str]:
    """Return what the controller has told this worker; nothing in any other process."""
    told: dict[str, str] = getattr(config, "workerinput", {}).get(KEY, {})
    return told


def devices_of(config: pytest.Config) -> list[str]:
    """Return the devices that workers can have.

    Raises:
        pytest.UsageError: if the option that names them makes no sense.
    """
    try:
        return list(config.hook.pytest_measured_devices(config=config))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def refuse_options(config: pytest.Config) -> None:
    """Refuse what would measure twice, or what pytest-benchmark would leave out without a word.

    Raises:
        pytest.UsageError: if such an option is given.
    """
    if config.option.dist == "each":
        raise pytest.UsageError("--dist must give each scenario to one worker, got each; leave it out")
    for name in REFUSED:
        if getattr(config.option, name, None):
            option = f"--{name.replace('_', '-')}"
            raise pytest.UsageError(
                f"{option} needs pytest-benchmark in this process, got it with xdist's workers; leave it out: the "
                "record (--record FILE) is a pytest-benchmark file"
            )
