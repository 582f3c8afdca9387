"""All that a campaign has, as one archive: what leaves a machine that is given back."""

import io
import tarfile
from pathlib import Path

from bench.harness.writing import replace_bytes

KEPT = ("*.json", "*.log", "*.took", "*.md", "*.begun")


def pack(folder: Path, path: Path) -> None:
    """Write a gzipped tar of a campaign's folder, in one step: what was packed before stays until then.

    Raises:
        RecordWriteError: The file system refuses.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for file in sorted(file for pattern in KEPT for file in folder.glob(pattern)):
            archive.add(file, arcname=f"{folder.resolve().name}/{file.name}")
    replace_bytes(path, packed.getvalue())
