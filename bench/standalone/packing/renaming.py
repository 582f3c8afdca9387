"""Modules of the clone under the names that they are installed by: imports are rewritten where they stand."""

import ast

PACKAGE = "moevlm_bench"
RENAMED = {  # longest first where one begins another
    "bench": PACKAGE,
    "fixtures.devices": f"{PACKAGE}.devices",
    "fixtures.programs": f"{PACKAGE}.programs",
}


def renamed(module: str) -> str:
    """Return the installed name of a module; another distribution's stays.

    >>> renamed("bench.gate.git"), renamed("fixtures.devices"), renamed("benchmarks"), renamed("fixtures.options")
    ('moevlm_bench.gate.git', 'moevlm_bench.devices', 'benchmarks', 'fixtures.options')
    """
    for ours, installed in RENAMED.items():
        if module == ours or module.startswith(f"{ours}."):
            return installed + module.removeprefix(ours)
    return module


def rewrite(source: str, where: str) -> str:
    """Rename what a module imports; everything else stays as it is, byte by byte.

    Args:
        source: the module's text.
        where: its path, for messages.

    Raises:
        ValueError: an import of ours is in a form that this does not rewrite.
    """
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source, where)):
        if isinstance(node, ast.Import) and any(renamed(alias.name) != alias.name for alias in node.names):
            raise ValueError(f"{where}, line {node.lineno} must be `from MODULE import NAME`, got import; write so")
        if isinstance(node, ast.ImportFrom) and node.module and renamed(node.module) != node.module:
            before, after = (f"from {module} import" for module in (node.module, renamed(node.module)))
            line, start = lines[node.lineno - 1], node.col_offset
            if not line.startswith(before, start):
                raise ValueError(f"{where}, line {node.lineno} must be `{before} NAME`, got {line.strip()!r}; write so")
            lines[node.lineno - 1] = line[:start] + after + line[start + len(before) :]
    return "".join(lines)


def imported(source: str) -> set[str]:
    """Return the modules that a module may import: what stands after `from` and `import`, alone and joined by a dot."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    return found
