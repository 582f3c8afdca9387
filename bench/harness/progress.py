"""Tell the person in front of the terminal what is being measured and how long is left."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from fixtures.programs.visible import visible, visible_lines


class RunProgress:
    """A bar on a terminal, one line a scenario in a log.

    It is drawn between scenarios only: a refresh while the clock runs would be measured.
    """

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total, self.done = console, total, 0
        self.started = time.monotonic()
        columns = (
            TextColumn("measuring"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
        )
        self.bar = Progress(*columns, console=console, auto_refresh=False, transient=True)
        self.task = self.bar.add_task("", total=total)

    def begin(self, scenario: str) -> None:
        """Announce the scenario that starts now."""
        scenario = visible(scenario)
        if self.console.is_terminal:
            self.bar.update(self.task, completed=self.done, description=f"{scenario}  {self.left()}")
            self.bar.start()
            self.bar.refresh()
        else:
            self.console.print(
                f"[{self.done + 1}/{self.total}] {scenario}  {self.left()}", highlight=False, markup=False
            )
        self.done += 1

    def note(self, text: str) -> None:
        """Say something that is not a scenario, for instance that suspects are measured again."""
        self.bar.stop()
        self.console.print(visible_lines(text), highlight=False, markup=False)

    def end(self) -> None:
        """Remove the bar."""
        self.bar.stop()

    def left(self) -> str:
        """Estimate the time left from what the scenarios so far took."""
        if not self.done:
            return ""
        return time_left((time.monotonic() - self.started) / self.done * (self.total - self.done))


def time_left(seconds: float) -> str:
    """Write an estimate.

    >>> time_left(89.0), time_left(90.0)
    ('about 89 s left', 'about 2 min left')
    """
    return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"
