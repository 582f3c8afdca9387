"""Tests of reading JSON and TOML of any hand: what breaks a limit is refused, and told."""

import json
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.harness.documents import (
    MAX_DEPTH,
    CorruptRecord,
    DocumentError,
    content_of,
    document_of,
    parse_json,
    parse_toml,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8"))
    | st.integers(-(2**64) + 1, 2**64 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip

JSON = {
    "nothing": (b"", "must be JSON, got Expecting value"),
    "half of it": (b'{"a": [1, 2', "must be JSON, got Expecting"),
    "a second one behind it": (b"{} {}", "must be JSON, got Extra data"),
    "no UTF-8": (b'{"a": "\xff"}', "must be UTF-8, got 'utf-8' codec can't decode byte 0xff in position 7"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "must be UTF-8"),
    "not a number": (b'{"a": NaN}', "must hold finite numbers, got NaN"),
    "infinity": (b"[-Infinity]", "must hold finite numbers, got -Infinity"),
    "1e400": (b'{"a": [{"b": 1e400}]}', r"a\[0\].b must be a finite number of at most 64 bits, got inf"),
    "-1e400": (b"[1, -1e400]", r"\[1\] must be a finite number of at most 64 bits, got -inf"),
    "400 digits": (b'{"a": 1' + b"0" * 400 + b"}", "a must be a finite number of at most 64 bits, got 10000"),
    "2 ** 64": (b"18446744073709551616", "^must be a finite number of at most 64 bits, got 18446744073709551616"),
    "5,000 digits": (b"1" * 5000, "must hold numbers of a size, got Exceeds the limit"),
    "a key twice": (b'{"a": {"complete": 1, "complete": 1}}', "must hold each key once, got 'complete' twice"),
    "a key twice, escaped": (b'{"a": 1, "\\u0061": 2}', "must hold each key once, got 'a' twice"),
    "half a character": (b'{"a": "\\ud800"}', r"must be Unicode, got half a character, '\\ud800'"),
    "half a character as key": (b'{"\\udfff": 1}', r"must be Unicode, got half a character"),
    "too deep": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), f"nested {MAX_DEPTH} deep at most"),
    "100,000 deep": (b"[" * 100_000 + b"]" * 100_000, f"nested {MAX_DEPTH} deep at most"),
    "100,000 objects deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, f"nested {MAX_DEPTH} deep at most"),
    "deep, with half a character": (b'["\\ud800",' + b"[" * 800 + b"]" * 801, "half a character|deep at most"),
}
TOML = {
    "half of it": (b"a = [1, 2", "must be TOML, got Unclosed array"),
    "no UTF-8": (b'a = "\xff"', "must be UTF-8"),
    "infinity": (b"[a]\nb = [inf]", r"a.b\[0\] must be a finite number of at most 64 bits, got inf"),
    "not a number": (b"a = nan", "a must be a finite number of at most 64 bits, got nan"),
    "400 digits": (b"a = 1" + b"0" * 400, "a must be a finite number of at most 64 bits, got 1000"),
    "5,000 digits": (b"a = " + b"1" * 5000, "must hold numbers and dates of a size, got Exceeds the limit"),
    "a day that is none": (b"a = 2026-02-30", "must be TOML|numbers and dates of a size"),
    "a key twice": (b"a = 1\na = 2", "must be TOML, got Cannot overwrite a value"),
    "5,000 deep": (b"a = " + b"[" * 5000 + b"]" * 5000, f"nested {MAX_DEPTH} deep at most"),
    "deep by its names": (b".".join([b"a"] * (MAX_DEPTH + 1)) + b" = 1", f"nested {MAX_DEPTH} deep at most"),
}


@pytest.mark.parametrize("name", JSON)
def test_json_that_breaks_a_limit_is_refused(name: str) -> None:
    content, said = JSON[name]
    with pytest.raises(DocumentError, match=said):
        parse_json(content)


@pytest.mark.parametrize("name", TOML)
def test_toml_that_breaks_a_limit_is_refused(name: str) -> None:
    content, said = TOML[name]
    with pytest.raises(DocumentError, match=said):
        parse_toml(content)


@given(PLAIN, st.booleans())
def test_json_within_the_limits_is_read_as_pythons_own_parser_reads_it(document: object, escaped: bool) -> None:
    content = json.dumps(document, ensure_ascii=escaped).encode()
    assert parse_json(content) == json.loads(content) == document


def test_the_deepest_the_largest_and_whole_pairs_of_surrogates_are_read() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_json(deepest) == json.loads(deepest)
    assert parse_json(b'[18446744073709551615, 1.79e308, "\\ud83d\\ude00"]') == [2**64 - 1, 1.79e308, "\U0001f600"]
    assert parse_toml(b"a = [1979-05-27, 1e308]") == tomllib.loads("a = [1979-05-27, 1e308]")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    for path, what in (tmp_path, "a folder"), (tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device"):
        with pytest.raises(DocumentError, match=f"must be a file, got .*{what.split()[1]}"):
            content_of(path)
    with pytest.raises(FileNotFoundError):
        content_of(tmp_path / "absent")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DocumentError, match="must be a readable file, got Not a directory"):
        content_of(tmp_path / "file" / "record.json")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(DocumentError, match="must be a readable file, got Too many levels of symbolic links"):
        content_of(tmp_path / "circle")


def test_the_largest_file_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert content_of(path, max_bytes=5) == b"12345"
    with pytest.raises(DocumentError, match="must hold 4 bytes at most, got more"):
        content_of(path, max_bytes=4)


def test_an_error_names_file_place_rule_and_remedy() -> None:
    with pytest.raises(CorruptRecord) as told, document_of(Path("a.json"), remedy="measure it again"):
        parse_json(b'{"a": [1e400]}')
    error = told.value
    rule = "must be a finite number of at most 64 bits, got inf"
    assert (error.file, error.place, error.rule, error.remedy) == (Path("a.json"), "a[0]", rule, "measure it again")
    assert str(error) == f"a.json: a[0] {rule}; measure it again"
