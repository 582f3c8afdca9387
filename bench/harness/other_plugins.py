"""What other plugins of pytest must not do to a scenario: replace what times it, multiply it, or run it again."""

from collections.abc import Container

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

TIMER = "benchmark"  # by which pytest-benchmark is registered
ADDED = "__"  # begins the parameters by which pytest-repeat and pytest-flakefinder run a test several times


def check_timer(config: pytest.Config) -> None:
    """Demand that pytest-benchmark takes part.

    Raises:
        pytest.UsageError: it was left out.
    """
    if not config.pluginmanager.hasplugin(TIMER):
        raise pytest.UsageError("scenarios need pytest-benchmark, got a run without it; drop -p no:benchmark")


def replaced(benchmark: object, config: pytest.Config) -> str:
    """Say which plugin has replaced the fixture that keeps a scenario's samples; empty if none has."""
    if type(benchmark) is BenchmarkFixture:  # pytest-codspeed's is a subclass that keeps no samples
        return ""
    package = type(benchmark).__module__.partition(".")[0]
    plugins = config.pluginmanager.list_name_plugin()
    names = [name for name, plugin in plugins if getattr(plugin, "__name__", "").partition(".")[0] == package]
    remedy = f"leave out its option, or the plugin itself: -p no:{names[0]}" if names else "do not replace it"
    return f"the fixture benchmark must be pytest-benchmark's, got {package}'s; {remedy}"


def run_again(item: pytest.Item, begun: Container[str]) -> str:
    """Say that a scenario would be measured several times in one run; empty if it would not.

    Args:
        item: its test.
        begun: ids of the scenarios that have begun.
    """
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if added := next((name for name in params if name.startswith(ADDED)), None):
        return (
            f"a scenario must be there once, for its id is the baseline's key, got {item.name} by {added.strip('_')}; "
            "leave out --count or --flake-finder, and measure longer by --scenario-budget"
        )
    if item.name in begun:
        return (
            f"a scenario must run once, got {item.name} again: a wrong or missing answer gets no second chance; "
            "leave out --reruns, or give -p no:rerunfailures"
        )
    return ""
