"""pytest hooks of a project that has none of its own: it measures on what --device, --dtype and --threads say.

Its conftest names this plugin beside `plugin`. The hooks are asked last: a project that implements
`pytest_measured_setup` itself, with axes and options of its own, is heard first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bench.harness.hooks import MeasuredSetup
from bench.harness.measuring import setup_of
from fixtures.devices import DTYPES, devices_for, pin_device, pin_threads, resolve_device, resolve_dtype

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--device": {
        "default": "auto",
        "metavar": "NAME",
        "help": "auto (a GPU where there is one), cpu, cuda or cuda:N (default: %(default)s)",
    },
    "--dtype": {
        "default": "auto",
        "choices": ("auto", *DTYPES),
        "help": "auto: float32 on a CPU, bfloat16 on a GPU (default: %(default)s)",
    },
    "--threads": {
        "type": int,
        "default": 1,
        "metavar": "N",
        "help": "torch threads on a CPU, pinned (default: %(default)s)",
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup("moevlm defaults", "on what is measured")
    for name, about in OPTIONS.items():
        group.addoption(name, **about)


@pytest.hookimpl(trylast=True)
def pytest_measured_setup(config: pytest.Config) -> MeasuredSetup:
    """Return what the options say; pin the threads. No axis is known: nothing that was measured once may be missing."""
    option = config.option
    device = resolve_device(option.device)
    return {
        "device": device,
        "dtype": resolve_dtype(option.dtype, device),
        "num_threads": pin_threads(option.threads),
        "axes": {},
        "launch_options": [f"--device={option.device}", f"--dtype={option.dtype}", f"--threads={option.threads}"],
    }


@pytest.hookimpl(trylast=True)
def pytest_measured_devices(config: pytest.Config) -> Sequence[str]:
    """Return every GPU, or else the CPU, that the options leave."""
    return devices_for(config.option.device)


def pytest_measured_on(config: pytest.Config, device: str) -> None:
    """Give this process its device, before anything has looked at the GPUs."""
    config.option.device = pin_device(device)


@pytest.fixture(scope="session")
def measured_setup(pytestconfig: pytest.Config) -> MeasuredSetup:
    """On what is measured: the device and the dtype that a model and its inputs must have."""
    return setup_of(pytestconfig)
