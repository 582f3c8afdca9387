"""The commands of `python -m bench.harness`: each file adds its arguments to the parser and runs on them."""
