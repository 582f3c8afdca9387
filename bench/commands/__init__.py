"""The commands of `python -m bench`: each file adds its arguments to the parser and runs on them."""
