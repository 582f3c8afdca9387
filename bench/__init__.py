"""What is measured (bench_*.py) and how it is measured and judged (harness)."""
