"""The one hook by which the project tells the harness, which knows no model, what is measured."""

from collections.abc import Mapping, Sequence
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
