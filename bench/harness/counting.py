"""A number of things in words: one scenario, two scenarios."""


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    Args:
        number: of things.
        noun: in the singular, whose plural adds s or es.

    >>> counted(1, "scenario"), counted(2048, "token"), counted(0, "fresh launch")
    ('1 scenario', '2,048 tokens', '0 fresh launches')
    """
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
