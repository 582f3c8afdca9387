"""What a document must look like, said by types: checked by msgspec, told with place, rule and value."""

import copy
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from bench.harness.documents import DocumentError

T = TypeVar("T")
LARGEST, SMALLEST = 1e100, 1e-100  # of any quantity: sums, products and squares of such are numbers too

Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Finite = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Positive = Annotated[float, Meta(ge=SMALLEST, le=LARGEST)]
NotNegative = Annotated[float, Meta(ge=0, le=LARGEST)]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = int | Finite  # what is told as it was written
Axis = str | int | Finite | bool | None  # a value of a scenario's parameter: rows are grouped by such

WORDS = {"array": "list", "str": "string", "int": "integer", "float": "number", "bool": "boolean", "|": "or"}
PLACE = re.compile(r" - at `\$(?P<steps>.*)`$", re.DOTALL)
STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
EXPECTED = re.compile(r"Expected `(?P<kinds>[^`]+)`(?P<more>.*?)(, got [^,]+)?", re.DOTALL)
FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
COMPARED = (  # msgspec's comparisons, in words
    (rf" >= {SMALLEST}", " above 0"),
    (r"length <= (\S+)", r"length \1 at most"),
    (r"length >= (\S+)", r"length \1 or more"),
    (r" >= (\S+)", r" of \1 or more"),
    (r" <= (\S+)", r" of \1 at most"),
)
ANY = "[...]"  # in place of a key that msgspec does not tell

Steps = Sequence[str | int]


def checked(value: object, form: type[T], place: str = "") -> T:
    """Return plain JSON values as a form holds them.

    Args:
        value: of dicts, lists, strings, numbers, booleans and None.
        form: a type that msgspec knows; what its __post_init__ raises as ValueError is a rule too.
        place: of the value in its document.

    Raises:
        DocumentError: if it breaks the form; names the place, the rule and the value.
    """
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        steps, culprit = _culprit(value, form, str(error))
        field, rule = _rule(PLACE.sub("", str(error)), culprit)
        raise DocumentError(rule, place=_written(place, [*steps, *field])) from error


def _culprit(value: Any, form: object, said: str) -> tuple[Steps, object]:
    """Return where the value is that an error is about, and the value."""
    found = PLACE.search(said)
    steps: list[str | int] = []
    for step in STEP.finditer(found["steps"] if found else ""):
        if step["any"]:
            key = _key(value, form, said, steps)
            value = _with(value, steps, {key: _at(value, steps)[key]})  # others may break the same rule
            steps.append(key)
        else:
            steps.append(step["name"] or int(step["index"]))
    return steps, _at(value, steps)


def _key(value: Any, form: object, said: str, steps: Steps) -> str:
    """Find the first key of an object there without which its form says something else, by halving."""
    table: dict[str, Any] = _at(value, steps)
    names = list(table)
    while len(names) > 1:
        half = names[: len(names) // 2]
        kept = _with(value, steps, {name: table[name] for name in half})
        names = half if _said(kept, form) == said else names[len(half) :]
    return names[0]


def _said(value: object, form: object) -> str:
    try:
        msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        value = value[step]
    return value


def _with(value: Any, steps: Steps, new: object) -> Any:
    """Return a copy in which another value lies at a place; what is beside the way there is shared."""
    if not steps:
        return new
    copied = copy.copy(value)
    copied[steps[0]] = _with(value[steps[0]], steps[1:], new)
    return copied


def _written(place: str, steps: Steps) -> str:
    for step in steps:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
    return place


def _rule(message: str, value: object) -> tuple[Steps, str]:
    """Say in our words what msgspec says, with the value it leaves out; of a form's own rule also which field it is."""
    if field := FIELD.fullmatch(message):
        name, is_missing = f"{field['name']:.60}", field["what"].startswith("missing")
        return (), f"must have {name}, got no {name}" if is_missing else f"must have known fields alone, got {name}"
    if expected := EXPECTED.fullmatch(message):
        more = expected["more"]
        for pattern, words in COMPARED:
            more = re.sub(pattern, words, more)
        kinds = " ".join(WORDS.get(word, word) for word in expected["kinds"].split())
        return (), f"must be {kinds}{more}, got {value!r:.60}"
    if message == "Number out of range":
        return (), f"must be a number of 64 bits, got {value!r:.60}"
    name, _, rule = message.partition(" must ")
    return [name] if name else (), f"must {rule}"
