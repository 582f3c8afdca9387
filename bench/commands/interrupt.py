"""Ctrl-C and SIGTERM end a command alike, and once: nothing disturbs the cleaning up of workers and worktrees."""

import signal

ENDING = (signal.SIGINT, signal.SIGTERM)


def end_on_signals() -> None:
    """Raise KeyboardInterrupt on the first signal of ENDING, and ignore all later ones.

    A signal that whoever started this process has it ignore stays ignored.
    """
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(*_arguments: object) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
