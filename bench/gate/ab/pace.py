"""What launches cost, so that a budget is filled and not overrun: the workers' start, then so much a scenario."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds that a launch takes, as the launches so far tell."""

    start_s: float = 30.0  # of two workers, with their end; a guess until a launch has been timed
    scenario_s: float = 0.0  # of one scenario, both sides together

    def launch_s(self, num_scenarios: int) -> float:
        """Return what a launch of so many scenarios would take."""
        return self.start_s + num_scenarios * self.scenario_s

    def after(self, marks: Sequence[float], total_s: float) -> "Pace":
        """Learn from a launch.

        Args:
            marks: seconds from the launch's start to each scenario's end, in order.
            total_s: of the whole launch.

        Returns:
            The pace of that launch; one of a single scenario cannot tell start from scenario and keeps the start.

        >>> Pace().after([7.0, 8.5, 10.0], 12.0)
        Pace(start_s=7.5, scenario_s=1.5)
        """
        if len(marks) < 2:
            return Pace(start_s=self.start_s, scenario_s=max(0.0, total_s - self.start_s))
        scenario_s = (marks[-1] - marks[0]) / (len(marks) - 1)
        return Pace(start_s=total_s - len(marks) * scenario_s, scenario_s=scenario_s)
