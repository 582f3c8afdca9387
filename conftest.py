"""Wiring only: what is measured (fixtures) and how (bench.plugin)."""

pytest_plugins = ["fixtures.plugin", "bench.plugin"]
