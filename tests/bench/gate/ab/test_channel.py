"""Tests of the conversation between parent and worker."""

import json
import socket
from collections.abc import Iterator

import pytest

from bench.gate.ab.channel import (
    FIRST_PROTOCOL,
    PROTOCOL,
    Block,
    Channel,
    Chosen,
    Collected,
    Ended,
    Go,
    Message,
    Ready,
    RunBlock,
    Warm,
)

MESSAGES = [
    Collected(package_file="/a/pack/__init__.py", node_ids=["f.py::a[é]"]),
    Chosen(node_ids=[]),
    Go(),
    Ready(arms=["moe", "anchor"], metric="tpot_s", hashes={"workload": "w"}),
    Warm(block_s=1e-3, anchor_calls=3),
    RunBlock(order=["anchor", "moe"], anchor_calls=3),
    Block(seconds={"moe": 0.1234567890123456}, throttled=False),
    Ended(outcome="failed", error="ValueError", why="two\nlines"),
]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, second = socket.socketpair()
    yield first, second
    first.close()
    second.close()


def test_messages_arrive_as_they_were_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = map(Channel, ends)
    for message in MESSAGES:
        sender.send(message)
    assert [receiver.receive(1.0) for _ in MESSAGES] == MESSAGES


def test_a_message_in_pieces_is_put_together(ends: tuple[socket.socket, socket.socket]) -> None:
    raw, receiver = ends[0], Channel(ends[1])
    raw.sendall(b'["Warm", {"block_s"')
    with pytest.raises(TimeoutError):
        receiver.receive(0.01)
    raw.sendall(b': 0.5, "anchor_calls": 2}]\n["Go", {}]\n')
    assert [receiver.receive(1.0), receiver.receive(1.0)] == [Warm(block_s=0.5, anchor_calls=2), Go()]


def test_silence_ends_in_a_timeout_and_a_closed_end_at_once(ends: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = map(Channel, ends)
    with pytest.raises(TimeoutError):
        receiver.receive(0.01)
    sender.close()
    with pytest.raises(EOFError, match="closed"):
        receiver.receive(60.0)
    with pytest.raises(OSError, match="Broken pipe"):
        receiver.send(Go())


# What main at the commit before PROTOCOL could take: messages of a parent, with the fields that they had.
BEFORE_PROTOCOL: list[tuple[Message, str]] = [
    (Chosen(node_ids=["f.py::a"], protocol=FIRST_PROTOCOL), '["Chosen", {"node_ids": ["f.py::a"]}]'),
    (RunBlock(order=["moe"], anchor_calls=3), '["RunBlock", {"order": ["moe"], "anchor_calls": 3}]'),
    (Go(), '["Go", {}]'),
]


@pytest.mark.parametrize(("message", "line"), BEFORE_PROTOCOL)
def test_a_field_at_its_default_is_not_sent_so_that_an_older_end_understands(
    ends: tuple[socket.socket, socket.socket], message: Message, line: str
) -> None:
    Channel(ends[0]).send(message)
    assert ends[1].recv(1000).decode() == f"{line}\n"


def test_a_field_of_a_newer_end_is_ignored_and_one_of_an_older_end_has_its_default(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    raw, receiver = ends[0], Channel(ends[1])
    older = {"package_file": "/a/pack/__init__.py", "node_ids": []}
    raw.sendall(json.dumps(["Collected", {**older, "spin": "left", "protocol": 9}]).encode() + b"\n")
    raw.sendall(json.dumps(["Collected", older]).encode() + b"\n")
    assert receiver.receive(1.0) == Collected(package_file="/a/pack/__init__.py", node_ids=[], protocol=9)
    assert receiver.receive(1.0) == Collected(package_file="/a/pack/__init__.py", node_ids=[], protocol=1)


def test_both_ends_state_their_protocol(ends: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = map(Channel, ends)
    for message in (Collected(package_file="", node_ids=[], protocol=PROTOCOL + 1), Chosen(node_ids=[], protocol=7)):
        sender.send(message)
        assert receiver.receive(1.0) == message
