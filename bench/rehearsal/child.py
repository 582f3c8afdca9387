"""A program as it would run on a GPU: `python -m bench.rehearsal.child MODULE ARGUMENTS`, in a campaign's rehearsal."""

import os
import runpy
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> None:
    """Be the program."""
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported
    from bench.rehearsal import driver, sizes
    from bench.rehearsal.tensors import DEVICE

    sys.modules["pynvml"] = driver.nvml()
    driver.install()
    driver.interpret()
    sizes.cut()
    sys.argv = list(arguments)
    with DEVICE:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
