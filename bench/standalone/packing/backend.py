"""The build's entry points (PEP 517): setuptools', run on the staged source."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from setuptools import build_meta

from .staging import stage

Settings = Mapping[str, Any] | None


def build_wheel(wheel_directory: str, config_settings: Settings = None, _metadata_directory: str | None = None) -> str:
    """Build the wheel; return its name."""
    out = Path(wheel_directory).resolve()
    with _staged():
        name: str = build_meta.build_wheel(str(out), config_settings)
    return name


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Build the source distribution, an ordinary project; return its name."""
    out = Path(sdist_directory).resolve()
    with _staged():
        name: str = build_meta.build_sdist(str(out), config_settings)
    return name


@contextlib.contextmanager
def _staged() -> Iterator[None]:
    """Stand in the staged source, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="moevlm-bench-") as folder:
        stage(Path(folder))
        with contextlib.chdir(folder):
            yield
