"""Fill Triton's compile cache for a GPU that is not there: `python -m bench.warm`."""
