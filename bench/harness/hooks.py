"""The hooks by which the project tells the harness, which knows no model, what is measured."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import pytest
import torch


class MeasuredSetup(TypedDict):
    """What the options of a run mean."""

    device: torch.device
    dtype: torch.dtype
    num_threads: int
    axes: Mapping[str, Sequence[str]]  # parameter -> the values asked for: what they exclude is not missing
    launch_options: Sequence[str]  # pytest options that give a fresh process the same setup


@pytest.hookspec(firstresult=True)
def pytest_measured_setup(config: pytest.Config) -> MeasuredSetup:  # type: ignore[empty-body]
    """Return device, dtype, threads and axes of this run; a bad option raises ValueError."""


@pytest.hookspec(firstresult=True)
def pytest_measured_backends(config: pytest.Config) -> Mapping[str, tuple[Sequence[str], str]]:  # type: ignore[empty-body]
    """Return by name what the project's operations run on here, and why there is no more where something is lost.

    Asked once something has run. A project without kernels of its own need not answer.
    """


@pytest.hookspec(firstresult=True)
def pytest_measured_kernels(  # type: ignore[empty-body]
    config: pytest.Config,
) -> Mapping[str, Sequence[tuple[float, Callable[[], object]]]]:
    """Return by the name of a peak (`bench.harness.peaks.Peaks`) calls of the project's own kernels at their best here.

    Each with its work, FLOPs or bytes: the peak is the best of these and of torch's. A project without kernels of its
    own need not answer.
    """


@pytest.hookspec
def pytest_measured_imports(config: pytest.Config) -> Sequence[str]:  # type: ignore[empty-body]
    """Return modules that scenarios import as they run: a session does so as it starts, for processes apart too."""


@pytest.hookspec(firstresult=True)
def pytest_measured_devices(config: pytest.Config) -> Sequence[str]:  # type: ignore[empty-body]
    """Return names of the devices that this run may use, one for each xdist worker; a bad option raises ValueError."""


@pytest.hookspec
def pytest_measured_on(config: pytest.Config, device: str) -> None:
    """Have this process measure on one of those devices; called before any other plugin is configured."""
