"""What parent and worker say to each other: one JSON line a message, over a socket that only the two of them hold.

The two may come from different revisions: base's worker is of base's own tree where head's scenarios fail there. So a
field that has its default is not sent, and a receiver ignores fields that it does not know: a new field with a default
keeps PROTOCOL; another message, or another meaning of one, makes it one more.
"""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

PROTOCOL = 1  # of this file
FIRST_PROTOCOL = 1  # of an end that states none
RECEIVED_BYTES = 65536  # at a time; a message is far smaller


@dataclass(frozen=True, kw_only=True)
class Collected:
    """Worker: what it found to run, on what, and from where it has imported the measured package."""

    package_file: str
    node_ids: Sequence[str]
    protocol: int = FIRST_PROTOCOL
    num_threads: int = 0  # of an operation on a CPU, where that is what is measured


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Parent: which of them to run, in this order."""

    node_ids: Sequence[str]
    protocol: int = FIRST_PROTOCOL


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
    is_brief: bool = False  # then each timed call can follow an untimed one


@dataclass(frozen=True, kw_only=True)
class RunBlock:
    """Parent: run these arms once each, in this order."""

    order: Sequence[str]
    anchor_calls: int
    is_brief: bool = False  # each arm right after an untimed call of it


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
        self._socket.sendall(json.dumps([type(message).__name__, _told(message)]).encode() + b"\n")

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
        name, values = json.loads(line)
        known = {one.name for one in fields(KINDS[name])}
        message: Message = KINDS[name](**{key: value for key, value in values.items() if key in known})
        return message

    def close(self) -> None:
        """Close this end; the other sees it."""
        self._socket.close()


def _told(message: Message) -> dict[str, Any]:
    """Return the fields that differ from their defaults: a receiver from before a field need not know it."""
    return {one.name: value for one in fields(message) if (value := getattr(message, one.name)) != _default(one)}


def _default(one: Field[Any]) -> object:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def other_protocol(theirs: int) -> str:
    """Say that the other end speaks another protocol; nothing where it speaks this one.

    >>> other_protocol(PROTOCOL), other_protocol(7)
    ('', 'its bench/ speaks protocol 7 of `ab`, this one 1; take revisions that speak the same')
    """
    said = f"its bench/ speaks protocol {theirs} of `ab`, this one {PROTOCOL}; take revisions that speak the same"
    return "" if theirs == PROTOCOL else said
