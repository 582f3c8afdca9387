"""Entry of a process that collects: be pytest, and leave in a file what it would run.

    python -P bench/gate/ab/collector.py FILE [our arguments] -- [the user's]

It imports nothing of this tree: base's scenarios are collected with base's own.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

# Of what pytest and its plugins take, by name of the attribute: what selects or sets up; all else would do nothing.
TAKEN = (
    *("file_or_dir", "keyword", "markexpr", "deselect", "ignore", "ignore_glob"),
    *("plugins", "override_ini", "pythonwarnings"),
)


class Collector:
    """A plugin that refuses what would do nothing, and writes down what is left to run, whatever pytest prints."""

    def __init__(self, path: Path, ours: Sequence[str], theirs: Sequence[str]) -> None:
        self.path, self.ours, self.theirs = path, ours, theirs

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, parser: pytest.Parser) -> None:
        """Look at the user's arguments before the project adds its options: what is known by now is not the project's.

        Raises:
            pytest.UsageError: if one would do nothing.
        """
        given, default = vars(parser.parse_known_args(list(self.theirs))), vars(parser.parse_known_args([]))
        idle = [name for name, value in given.items() if name not in TAKEN and value != default.get(name)]
        if idle:
            said = ", ".join(name.replace("_", "-") for name in idle)
            raise pytest.UsageError(
                f"arguments after -- must select scenarios or say what they measure, got one that does neither "
                f"({said}); leave it out"
            )

    def pytest_configure(self, config: pytest.Config) -> None:
        """Take no path but ours.

        Raises:
            pytest.UsageError: if the user's arguments hold another.
        """
        strange = [path for path in config.args if path not in self.ours]
        if strange:
            raise pytest.UsageError(
                f"paths after -- must hold scenarios, got {' '.join(strange)}; name one of their folder"
            )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the node ids."""
        self.path.write_text(json.dumps([item.nodeid for item in session.items]), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Collect; return pytest's exit code."""
    split = arguments.index("--")
    path, *ours = arguments[:split]
    theirs = arguments[split + 1 :]
    return int(pytest.main([*ours, *theirs, "--collect-only", "-q"], plugins=[Collector(Path(path), ours, theirs)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
