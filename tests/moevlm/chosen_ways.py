"""Which way feed-forwards go, forgotten as by a fresh process."""

from moevlm.kernels.cpu import way


def forget() -> None:
    for kept in (way.asked, way.chosen, way.kept_in):
        kept.cache_clear()  # type: ignore[attr-defined]  # `once` keeps it
