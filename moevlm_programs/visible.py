"""Text from outside in characters that are seen: what hides, turns or moves other text is written out."""

import re

UNSEEN = re.compile(  # letters, marks and symbols that look like nothing; Unicode calls all of them printable
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str) -> str:
    r"""Write characters that nobody sees, and those that steer a terminal or the reading direction, as Python does.

    >>> print(visible("a\x1b[31m\u202eb\u200b, \u00e4\n"))
    a\x1b[31m\u202eb\u200b, ä\n
    """
    if text.isprintable() and not UNSEEN.search(text):
        return text
    return "".join(one if one.isprintable() and not UNSEEN.match(one) else _written_out(one) for one in text)


def visible_lines(text: str) -> str:
    r"""Write what is not seen out, and keep lines and tabs.

    >>> print(visible_lines("a\n\x1b[31m"))
    a
    \x1b[31m
    """
    return "".join(part if part in ("\n", "\t") else visible(part) for part in re.split("([\n\t])", text))


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
