"""Which way through the code each arm took, where there are several: a ratio tells of arms, never of paths."""

from collections.abc import Mapping

from bench.harness.arms import is_peer


def unlike_paths(paths: Mapping[str, str]) -> str:
    """Say which arms took different paths; empty where all took one.

    Args:
        paths: by arm, in the project's words; empty where nothing is known. Parts of arms, which explain, and other
            projects' arms take what path they take.

    >>> unlike_paths({"moe": "fused", "dense": "modules", "dense_active": "", "peer/generate": "theirs"})
    'moe: fused, dense: modules'
    >>> unlike_paths({"moe": "fused", "dense": "fused"})
    ''
    """
    known = {arm: path for arm, path in paths.items() if path and not is_peer(arm)}
    return ", ".join(f"{arm}: {path}" for arm, path in known.items()) if len(set(known.values())) > 1 else ""


def check_paths(paths: Mapping[str, str]) -> None:
    """Refuse to measure arms that would take different paths.

    Raises:
        ValueError: they would.
    """
    if unlike := unlike_paths(paths):
        raise ValueError(
            f"arms that are compared must take one path, got {unlike}; mend what keeps one from the path of the others "
            "(a warning may have said what), or leave it out"
        )
