"""What parent and worker say to each other: one JSON line a message, over a socket that only the two of them hold."""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RECEIVED_BYTES = 65536  # at a time; a message is far smaller


@dataclass(frozen=True, kw_only=True)
class Collected:
    """Worker: what it found to run, and from where it has imported the measured package."""

    package_file: str
    node_ids: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Parent: which of them to run, in this order."""

    node_ids: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Go:
    """Parent: set the next scenario up."""

    seed: int = 0  # of what is drawn at random of it, alike on both sides


@dataclass(frozen=True, kw_only=True)
class Ready:
    """Worker: the scenario is set up. What is counted, not timed, is already there."""

    arms: Sequence[str]
    metric: str
    hashes: Mapping[str, str]
    counts: Mapping[str, float] | None = None  # by arm
    params: Mapping[str, str] = field(default_factory=dict)  # axis -> value, as text
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by arm: fields of a Sample
    libraries: Mapping[str, str] = field(default_factory=dict)  # package -> version
    backends: Mapping[str, Any] = field(default_factory=dict)  # what operations run on, once they have run


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """Parent: pay for allocation now."""


@dataclass(frozen=True, kw_only=True)
class Warm:
    """Worker: what a block takes here."""

    block_s: float
    anchor_calls: int  # that last as long as the shortest arm


@dataclass(frozen=True, kw_only=True)
class RunBlock:
    """Parent: run these arms once each, in this order."""

    order: Sequence[str]
    anchor_calls: int


@dataclass(frozen=True, kw_only=True)
class Block:
    """Worker: what each arm took, per unit."""

    seconds: Mapping[str, float]
    throttled: bool


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Parent: run this arm once, and say which operations its time went to."""

    arm: str


@dataclass(frozen=True, kw_only=True)
class Profiled:
    """Worker: seconds of each operation itself, without those that it calls."""

    host_s: Mapping[str, float]
    device_s: Mapping[str, float]  # kernels of the GPU; empty on a CPU


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Parent: enough; go on to the scenario's own assertions."""


@dataclass(frozen=True, kw_only=True)
class Abandon:
    """Parent: the other side cannot do it, or does something else; skip the rest."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Worker: how the scenario ended."""

    outcome: str  # passed, failed or skipped
    error: str = ""  # name of the exception's class
    why: str = ""


Message = (
    Collected | Chosen | Go | Ready | WarmUp | Warm | RunBlock | Block | Profile | Profiled | Finish | Abandon | Ended
)
KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in Message.__args__}


class Channel:
    """One end of the conversation."""

    def __init__(self, end: socket.socket) -> None:
        self._socket, self._unread = end, b""

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: if the other end is closed.
        """
        self._socket.sendall(json.dumps([type(message).__name__, vars(message)]).encode() + b"\n")

    def receive(self, timeout_s: float | None = None) -> Message:
        """Wait for the next message; with no time-out as long as the other end is open.

        Raises:
            EOFError: if the other end is closed.
            TimeoutError: if nothing whole came in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            self._socket.settimeout(None if deadline is None else max(1e-3, deadline - time.monotonic()))
            received = self._socket.recv(RECEIVED_BYTES)
            if not received:
                raise EOFError("the other end of the channel is closed")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        name, fields = json.loads(line)
        message: Message = KINDS[name](**fields)
        return message

    def close(self) -> None:
        """Close this end; the other sees it."""
        self._socket.close()
