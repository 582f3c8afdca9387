"""A benchmark's name in an expression of pytest's -k stands for that benchmark alone, and no parameter of another."""

import re
from pathlib import Path

FUNCTION = re.compile(r"^(?:async )?def bench_(\w+)\(", re.MULTILINE)
WORD = re.compile(r"(?<![\w:+.\[\]\\/-])\w+(?![\w:+.\[\]\\/-])")  # pytest's identifiers hold these characters too


def by_benchmark(expression: str, scenarios: Path) -> str:
    """Return an expression in which each word that is a benchmark's name selects its scenarios and no others.

    Without it "decode" selects bench_layers' decode too, and "memory" whatever stands in bench_memory.py.

    Args:
        expression: of pytest's -k.
        scenarios: the folder of scenarios, whose functions are bench_NAME.
    """
    names = {name for path in scenarios.rglob("*.py") for name in FUNCTION.findall(path.read_text(encoding="utf-8"))}
    return WORD.sub(lambda word: f"bench_{word[0]}[" if word[0] in names else word[0], expression)
