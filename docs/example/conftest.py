"""Wiring: how scenarios are measured (plugin), and on what (defaults: --device, --dtype, --threads)."""

pytest_plugins = ["moevlm_bench.plugin", "moevlm_bench.defaults"]
