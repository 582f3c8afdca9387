"""One measured run: machine, clock, peaks and the scenarios so far; after each scenario the record is on disk."""

import contextlib
import datetime
import math
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.harness.arms import PRIMARY
from bench.harness.backends import ran_on
from bench.harness.blocks import TIMING, Terms
from bench.harness.clock import make_clock
from bench.harness.environment import fingerprint, kind_key, load_average
from bench.harness.held import InUse, held
from bench.harness.hooks import MeasuredSetup
from bench.harness.options import Options
from bench.harness.paired import Measurement, Paired
from bench.harness.peaks import Peaks, measure_peaks
from bench.harness.record import (
    KEY,
    SCHEMA_VERSION,
    Record,
    arm_entry,
    call_seconds,
    is_timed,
    parted,
    seal,
    sealed,
    write,
)
from fixtures.programs.errors import RecordWriteError


class ScenarioTest(NamedTuple):
    """The test behind a scenario."""

    node_id: str
    seconds: float  # of the whole test, set-up included
    device: str = ""  # that the worker was given; empty where this process measured on its own


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What was measured, by this process or by several at once, as comparison and report read it."""

    root: Path
    options: Options
    setup: MeasuredSetup
    deadline: float  # on the monotonic clock
    record: Record
    record_path: Path
    tests: Mapping[str, ScenarioTest]  # by scenario id
    write_error: RecordWriteError | None
    lost: Mapping[str, str]  # scenario id -> why its worker was lost


class Measured(NamedTuple):
    """A finished scenario."""

    test: ScenarioTest
    benchmark: BenchmarkFixture
    measurement: Measurement


class Launched(NamedTuple):
    """Which launch measures, and since when."""

    id: str
    started: datetime.datetime

    def record_path(self, config: pytest.Config, options: Options) -> Path:
        """Return where the record goes: the user's choice, else records/, by date."""
        return options.record or config.rootpath / "records" / f"{self.started:%Y%m%dT%H%M%S}-{self.id}.json"


def launched_now() -> Launched:
    """Name a launch that starts now."""
    return Launched(uuid.uuid4().hex[:12], datetime.datetime.now(datetime.UTC))


def hold_record(config: pytest.Config, options: Options) -> None:
    """Hold the record that the user has named against every other run, until pytest ends.

    Raises:
        pytest.UsageError: if another run holds it.
    """
    if options.record is None or config.option.collectonly:
        return
    hold = contextlib.ExitStack()
    try:
        hold.enter_context(held("--record", options.record, is_file=True))
    except InUse as error:
        raise pytest.UsageError(str(error)) from error
    except RecordWriteError:
        return  # the run says so at its end: what it measures is worth its table
    config.add_cleanup(hold.close)


class Run:
    """What one `pytest bench` knows: made when the first scenario is collected."""

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        setup: MeasuredSetup,
        selected: Sequence[str],
        launched: Launched | None = None,
        *,
        left_out: Sequence[str] = (),
    ) -> None:
        self.config, self.options, self.setup = config, options, setup
        self.selected, self.left_out = selected, left_out  # scenario ids
        self.launched = launched or launched_now()
        self.deadline = time.monotonic() + options.time_budget_s
        self.clock = make_clock(setup["device"])
        device, dtype = str(setup["device"]), str(setup["dtype"]).removeprefix("torch.")
        self.fingerprint: dict[str, Any] = fingerprint(device, dtype, setup["num_threads"])
        self.kind = kind_key(self.fingerprint)
        self.load_before = load_average()
        own = config.hook.pytest_measured_kernels(config=config)
        self.peaks: Peaks = measure_peaks(self.clock, setup["device"], setup["dtype"], own)
        self.measured: dict[str, Measured] = {}  # by scenario id, in the order of measurement
        self.not_fitting: list[dict[str, object]] = []
        self.failed: list[str] = []
        self.wrong: dict[str, str] = {}  # scenario id -> in what its answer did not agree with the oracle's
        self.filtered = False
        self.write_error: RecordWriteError | None = None
        self.record_path = self.launched.record_path(config, options)
        self._measured_on: dict[str, object] = {}  # machine and commit, asked for once: git takes a tenth of a second

    def paired(self, benchmark: BenchmarkFixture) -> Paired:
        """Return what the scenario of this fixture measures with."""
        return Paired(
            benchmark,
            self.clock,
            Terms(
                device=self.setup["device"],
                dtype=self.setup["dtype"],
                budget_s=self.options.scenario_budget_s,
                seed=random.Random(self.launched.id + benchmark.name).getrandbits(32),
                slowdowns=self.options.slowdowns,
                min_blocks=self.options.min_blocks,
                peaks=vars(self.peaks),
                longest_block_s=self.options.longest_block_s,
            ),
        )

    def add(self, measured: Measured, params: Mapping[str, object]) -> None:
        """Keep a finished scenario, and write the record so that an interrupted run has it."""
        (_, benchmark, ours), name = measured, measured.benchmark.name
        self.measured[name] = measured
        benchmark.extra_info[KEY] = {
            "scenario": name,
            "arm": PRIMARY,
            "metric": ours.metric.name,
            "num_units": ours.num_units,
            "anchor": ours.anchor or None,
            "rates": dict(ours.rates),
            "params": {key: _plain(value) for key, value in params.items()},
            "hashes": dict(ours.hashes),
            "cost": _cost(ours, PRIMARY),
            "path": ours.paths.get(PRIMARY, ""),
            "kernel": ours.kernels.get(PRIMARY, ""),
            "facts": dict(ours.facts),
            "launches": [self._launch(ours, PRIMARY)],
        }
        stats = call_seconds(benchmark.extra_info[KEY])
        if benchmark.stats and stats and is_timed(benchmark.extra_info[KEY]):
            benchmark.stats.stats = stats  # pytest-benchmark's own table and comparisons are of our clock too
        self.save()

    def condemn(self, scenario: str, why: str) -> None:
        """Note a scenario whose answer is wrong; what may have been timed of it is not kept."""
        self.measured.pop(scenario, None)
        self.wrong[scenario] = why
        self.save()

    def save(self) -> None:
        """Write the record; a failure is kept and reported once, the measurement goes on."""
        try:
            write(self.record_path, self.document())
            self.write_error = None
        except RecordWriteError as error:
            self.write_error = error

    def document(self) -> dict[str, Any]:
        """Build the record through pytest-benchmark's hooks, so that its own --benchmark-json holds the same."""
        hook = self.config.hook
        self._measured_on = self._measured_on or _measured_on(self.config)
        stats = [measured.benchmark.stats for measured in self.measured.values()]
        document: dict[str, Any] = hook.pytest_benchmark_generate_json(
            config=self.config, benchmarks=stats, include_data=True, **self._measured_on
        )
        hook.pytest_benchmark_update_json(config=self.config, benchmarks=stats, output_json=document)
        return document

    def finish(self) -> Finished:
        """Write the record a last time; return what comparison and report read."""
        self.save()
        return Finished(
            root=self.config.rootpath,
            options=self.options,
            setup=self.setup,
            deadline=self.deadline,
            record=Record.from_document(sealed(self.document())),
            record_path=self.record_path,
            tests={name: found.test for name, found in self.measured.items()},
            write_error=self.write_error,
            lost={},
        )

    def complete_document(self, document: dict[str, Any]) -> None:
        """Add the other arms' entries and our header to a pytest-benchmark document, in place."""
        entries, with_data = [], any("data" in entry["stats"] for entry in document["benchmarks"])
        for entry in document["benchmarks"]:
            entries.append(entry)
            if measured := self.measured.get(entry["name"]):
                ours = measured.measurement
                for arm in (arm for arm in ours.samples if arm != PRIMARY):
                    told = {"path": ours.paths.get(arm, ""), "kernel": ours.kernels.get(arm, "")}
                    launches = [self._launch(ours, arm)]
                    entries.append(arm_entry(entry, arm=arm, launches=launches, cost=_cost(ours, arm), **told))
        document.update(parted(entries, with_data=with_data))
        document[KEY] = self._header()
        document.update(seal(document))

    def _header(self) -> dict[str, Any]:
        done = len(self.measured) + len(self.not_fitting)
        return {
            "schema_version": SCHEMA_VERSION,
            "fingerprint": self.fingerprint,
            "kind": self.kind,
            "timing": TIMING,
            "launch": {
                "id": self.launched.id,
                "started": self.launched.started.isoformat(),
                "num_threads": self.setup["num_threads"],
                "sees_throttling": self.clock.sees_throttling(),
                "load_average": [self.load_before, load_average()],
                "check_s": sum(measured.measurement.check_s for measured in self.measured.values()),
                "timed_s": sum(measured.measurement.timed_s for measured in self.measured.values()),
            },
            "backends": ran_on(self.config).backends,
            "peaks": vars(self.peaks),
            "options": {
                "axes": dict(self.setup["axes"]),
                "arguments": list(self.setup["launch_options"]),
                "scenario_budget_s": self.options.scenario_budget_s,
            },
            "injected": self.options.slowdowns,
            "selected": [*self.selected, *self.left_out],
            "complete": not self.failed and not self.wrong and done == len(self.selected),
            "filtered": self.filtered,
            "failed": self.failed,
            "wrong": [{"scenario": name, "why": why} for name, why in self.wrong.items()],
            "not_fitting": self.not_fitting,
        }

    def _launch(self, ours: Measurement, arm: str) -> dict[str, Any]:
        return {"id": self.launched.id, "samples": list(ours.samples[arm]), "voided": ours.voided}


def _measured_on(config: pytest.Config) -> dict[str, object]:
    hook = config.hook
    machine_info = hook.pytest_benchmark_generate_machine_info(config=config)
    hook.pytest_benchmark_update_machine_info(config=config, machine_info=machine_info)
    return {
        "machine_info": machine_info,
        "commit_info": hook.pytest_benchmark_generate_commit_info(config=config),
    }


def _cost(ours: Measurement, arm: str) -> dict[str, float] | None:
    return dict(ours.costs[arm]) if arm in ours.costs else None


def _plain(value: object) -> object:
    """Keep what a record may hold of an axis, name the rest."""
    is_finite = isinstance(value, float) and math.isfinite(value)
    return value if is_finite or isinstance(value, (str, int, type(None))) else str(value)
