"""What a bundle may have this machine run: scenarios of the project, with the options that say what they measure.

A bundle's words become pytest's, and options of pytest's own write files and import modules: none but these pass. No
option takes a path from a bundle: which files here are read is for whoever reproduces to say.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PLAIN = r"[\w@:.,+-]*"  # names, numbers and lists of them
PROFILE = r"[\w-]+(:-?\d[\d./-]*)?"  # of routing, with its strength; one that is read from a file is no such
OPTIONS: Mapping[str, str] = {  # -> what a value may be, so that it names no file
    **dict.fromkeys(("scale", "depth", "device", "dtype", "threads", "batch-size", "seq-len", "workload"), PLAIN),
    **dict.fromkeys(("visual", "num-tokens", "backend", "arms", "seed"), PLAIN),
    "routing": rf"{PROFILE}(,{PROFILE})*",
    "data": "",
}
OPTION = re.compile(rf"--(?P<name>{'|'.join(OPTIONS)})=(?P<value>.*)")
NODE_ID = re.compile(r"(?!.*\.\./)(?P<file>\w[\w./-]*\.py)::.+")


def foreign_word(options: Iterable[object], node_ids: Iterable[str]) -> str | None:
    """Return the first word that is neither a scenario's option nor a scenario's name; None if all are."""
    foreign = (word for word in options if not (isinstance(word, str) and OPTION.fullmatch(word)))
    return next((str(word) for word in (*foreign, *(n for n in node_ids if not NODE_ID.fullmatch(n)))), None)


def options_here(theirs: Iterable[str], ours: Sequence[str]) -> list[str]:
    """Return a bundle's options that this machine takes, then one's own, which replace those of the same name.

    Raises:
        ValueError: one that is not replaced names a file.
    """
    given = {word.partition("=")[0] for word in ours}
    kept = [word for word in theirs if word.partition("=")[0] not in given]
    for word in kept:
        found = OPTION.fullmatch(word)
        if not found or not re.fullmatch(OPTIONS[found["name"]], found["value"]):
            name = word.partition("=")[0]
            raise ValueError(
                f"a bundle must name no files of this machine, got {word!r:.200}; name your own: -- {name}=PATH"
            )
    return [*kept, *ours]


def check_scenarios(node_ids: Iterable[str], root: Path, folder: str) -> None:
    """Demand that a bundle's scenarios lie in the project's folder of them, links followed.

    Args:
        node_ids: what pytest calls the scenarios.
        root: of the project.
        folder: of its scenarios, from there.

    Raises:
        ValueError: one lies elsewhere.
    """
    for node_id in node_ids:
        file = node_id.partition("::")[0]
        if not (root / file).resolve().is_relative_to((root / folder).resolve()):
            raise ValueError(
                f"a bundle's scenarios must lie in {folder}/ of {root}, got {file!r:.200}; "
                "reproduce it in a checkout of the project that it is of"
            )
