"""With what a measurement of several calls was begun: it must go on with the same, or its parts would be of two."""

import json
from collections.abc import Mapping
from pathlib import Path

from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.environment import differences
from bench.harness.forms import checked
from bench.harness.writing import replace_text

REMEDY = "choose another --out, or remove the folder to begin anew"


def check_begun(path: Path, found: Mapping[str, object]) -> None:
    """Demand that a later call finds what the first one noted in this file.

    Args:
        path: of the note, which the first call writes.
        found: what must stay as it is, by name, as JSON knows it.

    Raises:
        CorruptRecord: What is noted there cannot be read.
        ValueError: An earlier call found something else; names it.
    """
    if not path.exists():
        replace_text(path, json.dumps(found, indent=1))
        return
    with document_of(path, remedy=REMEDY):
        known = checked(parse_json(content_of(path)), dict[str, object])
    if other := differences(known, json.loads(json.dumps(found))):
        raise ValueError(
            f"{path.parent} must go on with what it was begun with, got another {'; another '.join(other)}; {REMEDY}"
        )
