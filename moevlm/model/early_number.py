"""A number that a device computes, read without waiting for the work that was given to it afterwards."""

import torch


class EarlyNumber:
    """Copy a number to the host behind what stands in the device's queue now.

    Reading a tensor of a GPU waits for all that was launched before the reading; this waits for what was launched
    before the copy, which a tower's launches give it the time for.

    Args:
        number: One value, int64.
    """

    def __init__(self, number: torch.Tensor) -> None:
        self._copied: torch.cuda.Event | None = None
        self._number = number
        if number.is_cuda and not torch.compiler.is_compiling():
            self._number = torch.empty((), dtype=number.dtype, pin_memory=True)
            self._number.copy_(number, non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record(torch.cuda.current_stream(number.device))

    def read(self) -> torch.Tensor:
        """Return the number, on the host where it came from a GPU."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._number
