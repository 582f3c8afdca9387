"""How a page calls a processor, of which a record has the whole name."""

import re
from collections.abc import Iterable

# What makers write into a processor's name and nobody says: marks, makers, and behind it what it multiplies with.
MARKS = re.compile(r"\((R|TM)\)| Processor| CPU|\b(AMD|Intel)(\(R\))? | (avx|amx|neon|sve)\w*(?=,|$)")


def said(name: str) -> str:
    """Return what one says of a name, which may go on behind a comma.

    >>> said("Intel(R) Xeon(R) Processor 6-167-1 amx_tile"), said("AMD EPYC 25-17-1 avx512_bf16, 2 cores")
    ('Xeon 6-167-1', 'EPYC 25-17-1, 2 cores')
    """
    return MARKS.sub("", name)


def said_apart(names: Iterable[str]) -> dict[str, str]:
    """Return what one says of each name; all are whole where two would be said alike.

    >>> said_apart(["AMD EPYC 25-17-1 avx2", "AMD EPYC 25-17-1 avx512_bf16"])["AMD EPYC 25-17-1 avx2"]
    'AMD EPYC 25-17-1 avx2'
    """
    short = {name: said(name) for name in names}
    return short if len(set(short.values())) == len(short) else {name: name for name in short}
