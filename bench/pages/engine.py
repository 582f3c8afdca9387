"""A page from its template: Jinja2, and the few filters by which plain rows become text."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.gate.markdown import code, escape, github_table
from bench.gate.stats import Interval
from bench.harness.metrics import DISPLAYS
from bench.harness.wording import counted, listed, rounded, span


def interval(value: Interval | None, form: str = ".2f", unit: str = "") -> str:
    """Write an interval, or nothing where there is none.

    >>> interval(Interval(-1.5, -2.0, 0.25), "+.1f", " points"), interval(None)
    ('-1.5 points [-2.0, +0.2]', '')
    """
    return value.text(form, unit) if value else ""


def ratio(value: Interval | float | None) -> str:
    """Write how many times something is something else.

    >>> ratio(1.234), ratio(Interval(1.2, 1.1, 1.3)), ratio(None)
    ('1.23x', '1.20x [1.10, 1.30]', '')
    """
    return interval(value, unit="x") if isinstance(value, Interval | None) else f"{value:.2f}x"


def percent(share: Interval | float | None, form: str = ".1f", unit: str = " %") -> str:
    """Write a share, or a difference of two, in hundredths.

    >>> percent(0.135), percent(Interval(-0.018, -0.075, 0.039), "+.1f", " points"), percent(None)
    ('13.5 %', '-1.8 points [-7.5, +3.9]', '')
    """
    if isinstance(share, Interval):
        return Interval(*(100 * limit for limit in share)).text(form, unit)
    return "" if share is None else f"{100 * share:{form}}{unit}"


def points(shares: Sequence[float], form: str = ".1f") -> str:
    """Write from where to where shares, or differences of such, go, in points.

    >>> points([0.021, 0.4]), points([-0.037, -0.017], "+.1f")
    ('2.1 to 40.0', '-3.7 to -1.7')
    """
    return span([100 * share for share in shares], form)


def time(seconds: Interval | float | None) -> str:
    """Write a time in the unit that people use.

    >>> time(0.01234), time(Interval(1.0, 0.5, 2.0)), time(None)
    ('12.3 ms', '1.00 s [500 ms, 2.00 s]', '')
    """
    if isinstance(seconds, Interval):
        return "{} [{}, {}]".format(*map(time, seconds))
    return DISPLAYS["s"](seconds) if seconds is not None else ""


def display(number: float, unit: str) -> str:
    """Write a number in a unit of the harness, scaled as people use it.

    >>> display(2048, "byte"), display(0.5, "req/s"), display(82364.2, "tok/s")
    ('2.00 KiB', '0.500 req/s', '82,364 tok/s')
    """
    return DISPLAYS[unit](number)


def both(values: Mapping[str, float], unit: str) -> str:
    """Write what both sides have, the MoE first.

    >>> both({"moe": 0.01234, "rival": 2.5}, "req/s")
    '0.0123 req/s / 2.50 req/s'
    """
    return " / ".join(display(value, unit) for value in values.values())


def table(rows: Iterable[Iterable[object]], *headers: str) -> str:
    """Lay rows of markdown out as a GitHub table, under their headers."""
    return github_table(headers, [[str(cell) for cell in row] for row in rows])


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    autoescape=False,  # markdown: names are escaped where a template writes them
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.filters.update(
    {
        named.__name__: named
        for named in (both, counted, display, interval, listed, percent, points, ratio, rounded, span, table, time)
    }
)
TEMPLATES.filters.update(
    code=lambda named: code(str(named)),  # an axis of a scenario may be a number
    escape=lambda named: escape(str(named)),
)


def render(template: str, facts: Mapping[str, object]) -> str:
    """Return a page.

    Args:
        template: its file, relative to this folder.
        facts: what the template names; a name that is not there is an error.
    """
    return TEMPLATES.get_template(template).render(facts)
