"""How machines are named on the page of answers, where several measured one scale."""

from collections.abc import Sequence

from bench.harness.wording import apart
from bench.pages.processors import said
from bench.pages.results.gains import Gain


def machine_names(gains: Sequence[Gain]) -> dict[tuple[str, str], str]:
    """Return by scale and machine what tells the machine apart from others that measured the scale."""
    scales = dict.fromkeys(gain.scale for gain in gains)
    return {
        (scale, machine): said(name)
        for scale in scales
        for machine, name in apart(dict.fromkeys(gain.machine for gain in gains if gain.scale == scale)).items()
    }
