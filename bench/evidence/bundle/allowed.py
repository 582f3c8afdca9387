"""What a bundle may have this machine run: scenarios of the project, with the options that say what they measure.

A bundle's words become pytest's, and options of pytest's own write files and import modules: none but these pass. No
option takes a path from a bundle: which files here are read is for whoever reproduces to say.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.harness.documents import CorruptRecord
from fixtures.programs.visible import visible

WORD = r"[a-z0-9][\w@.-]*"  # a preset, a variant, a number, as "7b@4"
WORDS = rf"{WORD}(,{WORD})*"
STRENGTH = r"\d[\d.e+/-]*"  # of the profile that takes numbers: what follows another's name is a file's
PROFILE = rf"({WORD}|specialized:{STRENGTH})"
NAMES = ("scale", "depth", "distinct-layers", "dtype", "threads", "batch-size", "seq-len", "workload", "visual",
         "num-tokens", "backend", "arms", "peers", "seed")  # fmt: skip
OPTIONS: Mapping[str, str] = {  # -> what a value may be, so that it names no file
    **dict.fromkeys(NAMES, WORDS),
    "device": rf"{WORD}(:\d+)?",
    "routing": rf"{PROFILE}(,{PROFILE})*",
    "data": "",
}
OF_FILES = ("--data=", "--routing=")  # may have named a file where they were measured: one's own must replace them
OPTION = re.compile("|".join(f"--{name}=({value})" for name, value in OPTIONS.items()), re.ASCII)
PART = r"[^\W_][\w.-]*"  # of a path: neither hidden, nor private, nor the folder above
NODE_ID = re.compile(rf"(?P<file>({PART}/)*{PART}\.py)::([^\W\d]\w*::)*(?P<function>[^\W\d]\w*)(\[.*\])?")
REMEDY = "name a record of a project's scenarios"
ELSEWHERE = "reproduce it in a checkout of the project that it is of"
MOST_LETTERS = 2**12  # of a word: as long as a path may be
MOST_BYTES = 2**19  # of all words: half of the shortest command line that a system takes


def check_words(options: Sequence[object], node_ids: Mapping[str, str]) -> None:
    """Demand that what becomes pytest's words is the scenarios' names and options alone.

    Args:
        options: of a record.
        node_ids: scenario -> what pytest calls it.

    Raises:
        CorruptRecord: one is another word, or they are too many to start a process with.
    """
    foreign = [word for word in options if not (isinstance(word, str) and _is_option(word))]
    foreign += [word for name, word in node_ids.items() if not (_is_node_id(word) and word.endswith(f"::{name}"))]
    if foreign:
        rule = f"a bundle must name scenarios and their options alone, got {foreign[0]!r:.200}"
        raise CorruptRecord(rule, remedy=REMEDY)
    size = len("".join([*map(str, options), *node_ids.values()]).encode())
    if size > MOST_BYTES:
        rule = f"a bundle must name {MOST_BYTES} bytes of scenarios and options at most, got {size}"
        raise CorruptRecord(rule, remedy=REMEDY)


def _is_option(word: str) -> bool:
    return _is_seen(word) and (OPTION.fullmatch(word) is not None or word.startswith(OF_FILES))


def _is_node_id(word: str) -> bool:
    return _is_seen(word) and NODE_ID.fullmatch(word) is not None


def _is_seen(word: str) -> bool:
    return len(word) <= MOST_LETTERS and visible(word) == word


def options_here(theirs: Iterable[str], ours: Sequence[str]) -> list[str]:
    """Return a bundle's options that this machine takes, then one's own, which replace those of the same name.

    Raises:
        ValueError: one that is not replaced names a file.
    """
    given = {word.partition("=")[0] for word in ours}
    kept = [word for word in theirs if word.partition("=")[0] not in given]
    for word in kept:
        if not OPTION.fullmatch(word):
            name = word.partition("=")[0]
            raise ValueError(
                f"a bundle must name no files of this machine, got {word!r:.200}; name your own: -- {name}=PATH"
            )
    return [*kept, *ours]


def check_scenarios(node_ids: Iterable[str], root: Path, folder: str) -> None:
    """Demand that a bundle's scenarios are functions of files in the project's folder of them, links followed.

    A file is imported before pytest looks for a scenario in it: one that has none may be a program.

    Args:
        node_ids: what pytest calls the scenarios.
        root: of the project.
        folder: of its scenarios, from there.

    Raises:
        ValueError: one lies elsewhere, or is not there.
    """
    for node_id in node_ids:
        found = NODE_ID.fullmatch(node_id)
        assert found, node_id  # it was checked
        path = (root / found["file"]).resolve()
        if not path.is_relative_to((root / folder).resolve()):
            raise ValueError(f"a bundle's scenarios must lie in {folder}/ of {root}, got {node_id!r:.200}; {ELSEWHERE}")
        if not _defines(path, found["function"]):
            raise ValueError(f"a bundle's scenarios must be there, got no {node_id!r:.200} in {root}; {ELSEWHERE}")


def _defines(path: Path, function: str) -> bool:
    source = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return re.search(rf"^\s*def {function}\(", source, re.MULTILINE) is not None
