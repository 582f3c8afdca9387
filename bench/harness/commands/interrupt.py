"""SIGTERM ends a command as Ctrl-C does: workers and worktrees are then cleaned up."""

import signal


def end_on_sigterm() -> None:
    """Turn SIGTERM into what Ctrl-C raises, from now on."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(*_arguments: object) -> None:
    raise KeyboardInterrupt
