"""How machines are named on the page of answers, where several measured one scale."""

import re
from collections.abc import Sequence

from bench.harness.wording import apart
from bench.pages.results.gains import Gain

# What makers write into a processor's name and nobody says: marks, makers, and behind it what it multiplies with.
MARKS = re.compile(r"\((R|TM)\)| Processor| CPU|\b(AMD|Intel)(\(R\))? | (avx|amx|neon|sve)\w*(?=,|$)")


def machine_names(gains: Sequence[Gain]) -> dict[tuple[str, str], str]:
    """Return by scale and machine what tells the machine apart from others that measured the scale."""
    scales = dict.fromkeys(gain.scale for gain in gains)
    return {
        (scale, machine): MARKS.sub("", name)
        for scale in scales
        for machine, name in apart(dict.fromkeys(gain.machine for gain in gains if gain.scale == scale)).items()
    }
