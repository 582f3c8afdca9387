"""Measure the expert kernels on a GPU and write the table that chooses among them: `python -m bench.tune_experts`."""
