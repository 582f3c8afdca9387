"""Wiring only: what is measured (fixtures) and how (bench.harness)."""

pytest_plugins = ["fixtures.plugin", "bench.harness.plugin"]
