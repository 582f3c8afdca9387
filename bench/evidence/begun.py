"""With what a measurement of several calls was begun: it must go on with the same, or its parts would be of two."""

import json
from collections.abc import Mapping
from pathlib import Path

from bench.harness.environment import differences
from bench.harness.writing import replace_text


def check_begun(path: Path, found: Mapping[str, object]) -> None:
    """Demand that a later call finds what the first one noted in this file.

    Args:
        path: of the note, which the first call writes.
        found: what must stay as it is, by name, as JSON knows it.

    Raises:
        ValueError: An earlier call found something else; names it.
    """
    if not path.exists():
        replace_text(path, json.dumps(found, indent=1))
    elif other := differences(json.loads(path.read_text()), json.loads(json.dumps(found))):
        raise ValueError(
            f"{path.parent} must go on with what it was begun with, got another {'; another '.join(other)}; "
            "choose another --out, or remove the folder to begin anew"
        )
