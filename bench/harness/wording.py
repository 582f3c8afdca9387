"""Numbers and names in words, as tables and sentences write them."""

from collections.abc import Iterable, Sequence

COUNT_SCALES = ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, which is given in the singular.

    >>> counted(1, "scenario"), counted(2048, "token"), counted(0, "fresh launch")
    ('1 scenario', '2,048 tokens', '0 fresh launches')
    """
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def rounded(number: float) -> str:
    """Write a large number, as of parameters, to three digits.

    >>> rounded(31e9), rounded(665_000), rounded(1_520_000)
    ('31 B', '665 k', '1.52 M')
    """
    scale, unit = next((scale, unit) for scale, unit in COUNT_SCALES if number >= scale or scale == 1.0)
    return f"{number / scale:.3g} {unit}".rstrip()


def span(values: Sequence[float], form: str = ".2f") -> str:
    """Write the least and the greatest of one value or more, each as `format` does, once where they look alike.

    >>> span([1.21, 1.19, 2.0]), span([1.2, 1.201]), span([0.1, -0.1], "+.1f")
    ('1.19 to 2.00', '1.20', '-0.1 to +0.1')
    """
    return reach(format(min(values), form), format(max(values), form))


def reach(low: str, high: str) -> str:
    """Write from where to where something goes, once where both look alike.

    >>> reach("3 k", "4 k"), reach("3 k", "3 k")
    ('3 k to 4 k', '3 k')
    """
    return low if low == high else f"{low} to {high}"


def apart(names: Iterable[str]) -> dict[str, str]:
    """Return of each name the parts between commas that not all have; of a name alone nothing.

    >>> apart(["cpu, float32, 1 thread", "cpu, bfloat16, 1 thread"])
    {'cpu, float32, 1 thread': 'float32', 'cpu, bfloat16, 1 thread': 'bfloat16'}
    >>> apart(["cpu, float32"])
    {'cpu, float32': ''}
    """
    parts = {name: name.split(", ") for name in names}
    return {
        name: ", ".join(part for part in own if any(part not in other for other in parts.values()))
        for name, own in parts.items()
    }


def listed(names: Iterable[str]) -> str:
    """Join names as a sentence does.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
