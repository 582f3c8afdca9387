"""Tests of what a command line's words may be."""

import argparse
import os

import pytest

from bench.commands.parsing import text


def test_words_are_utf_8() -> None:
    assert text("wärmer") == "wärmer"
    with pytest.raises(argparse.ArgumentTypeError, match=r"must be UTF-8, got 'w\\udce4rmer'; write it so"):
        text(os.fsdecode(b"w\xe4rmer"))
