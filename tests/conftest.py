"""Rules for every test: what transformers or torch will take away must not be used, and signals are heeded."""

import os
import signal

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # machines are shared: a pause is no fault of what is tested
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Turn warnings of coming removals into errors; `pytest bench` of a user only shows them. Measure no kernels."""
    os.environ.setdefault("MOEVLM_FEED_FORWARD", "rule")
    config.addinivalue_line("filterwarnings", "error::FutureWarning")
    config.addinivalue_line("filterwarnings", "error:.*deprecated.*:DeprecationWarning:moevlm")
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:  # as in a shell's background, or under nohup
            signal.signal(number, usual)
