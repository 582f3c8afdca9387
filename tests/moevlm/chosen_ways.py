"""Which way feed-forwards and products go, forgotten as by a fresh process."""

from moevlm.kernels.cpu import choosing, matmul, way


def forget() -> None:
    for kept in (choosing.asked, choosing.kept_in, way.chosen, matmul.chosen):
        kept.cache_clear()  # type: ignore[attr-defined]  # `once` keeps it
