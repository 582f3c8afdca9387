"""Tell the person in front of the terminal what is being measured and how long is left."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fixtures.programs.terminal import note
from fixtures.programs.visible import visible, visible_lines

LOG_WIDTH = 200  # of lines that no terminal wraps


def console_of(*, colour: bool = True) -> Console:
    """Return standard output's console: with colours and live lines where it is a terminal, plain where it is a log."""
    is_terminal = sys.stdout.isatty()
    return Console(width=None if is_terminal else LOG_WIDTH, force_terminal=is_terminal, no_color=not colour)


class LiveLine:
    """One line of a terminal, of which each text takes the place of the one before.

    It is drawn when it is told to, never by a clock of its own: a refresh while the clock runs would be measured.
    """

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def show(self, text: str) -> None:
        """Show a text, cut where the line ends."""
        self._live.start()
        self._live.update(Text(visible(text), no_wrap=True, overflow="ellipsis"), refresh=True)

    def end(self) -> None:
        """Remove the line."""
        self._live.stop()


class RunProgress:
    """A live line on a terminal, one line a scenario in a log."""

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total, self.done = console, total, 0
        self.started = time.monotonic()
        self.line = LiveLine(console)

    def begin(self, scenario: str) -> None:
        """Announce the scenario that starts now."""
        place, scenario = f"[{self.done + 1}/{self.total}]", visible(scenario)
        if self.console.is_terminal:
            self.line.show(" ".join(filter(None, (place, self.left(), scenario))))
        else:
            self._print(f"{place} {scenario}  {self.left()}")
        self.done += 1

    def note(self, text: str) -> None:
        """Say something that is not a scenario, for instance that suspects are measured again."""
        if self.console.is_terminal:
            self.line.show(text)
        else:
            self._print(visible_lines(text))

    def end(self) -> None:
        """Remove the live line."""
        self.line.end()

    def left(self) -> str:
        """Estimate the time left from what the scenarios so far took."""
        if not self.done:
            return ""
        return time_left((time.monotonic() - self.started) / self.done * (self.total - self.done))

    def _print(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def notes() -> Iterator[Callable[[str], None]]:
    """Return what tells of a command's progress: a live line of standard error's terminal, or a line each in a log."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield note
        return
    line = LiveLine(Console(stderr=True))
    try:
        yield line.show
    finally:
        line.end()


def time_left(seconds: float) -> str:
    """Write an estimate.

    >>> time_left(89.0), time_left(90.0)
    ('about 89 s left', 'about 2 min left')
    """
    return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"
