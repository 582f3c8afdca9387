"""What is printed reaches a terminal of any encoding: what it lacks comes as an escape, and nothing is lost."""

import io
import sys


def print_in_any_encoding() -> None:
    """Have this process's output escape what its encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
