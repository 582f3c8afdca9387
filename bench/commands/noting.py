"""What a command says beside its output, to the person in front of the terminal."""

import sys

from bench.harness.visible import visible_lines


def note(text: str) -> None:
    """Say something on standard error at once; names in it, whoever gave them, steer no terminal."""
    print(visible_lines(text), file=sys.stderr, flush=True)
