"""The file of chosen ways: the margin, who chooses and how often, and what is done to the file."""

import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest

from moevlm.kernels.cpu import way_file
from moevlm.kernels.cpu.way_file import Choice, better, find_or_choose, read

WAYS = ("kernels", "products")
FAMILY = "ways-0123456789ab"
NAME = "dense float32 16x256x512, 1 threads, 64 rows"
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def path(tmp_path):
    return tmp_path / f"{FAMILY}-aaaaaaaaaaaaaaaa.json"


class Chooser:
    """Chooses among given seconds, and notes from which ways."""

    def __init__(self, kernels, products):
        self.seconds, self.before = {"kernels": kernels, "products": products}, []

    def __call__(self, before):
        self.before.append(before)
        return Choice(better(before or "kernels", self.seconds), self.seconds)


@pytest.mark.parametrize(
    ("incumbent", "kernels", "products", "chosen"),
    [
        ("kernels", 1.0, 2.0, "kernels"),
        ("kernels", 1.09, 1.0, "kernels"),  # faster, but not clearly
        ("kernels", 1.11, 1.0, "products"),
        ("products", 1.0, 1.09, "products"),
        ("products", 1.0, 1.11, "kernels"),
    ],
)
def test_a_choice_changes_only_for_a_way_that_is_more_than_ten_percent_better(incumbent, kernels, products, chosen):
    assert better(incumbent, {"kernels": kernels, "products": products}) == chosen


def test_what_was_chosen_is_kept_and_not_chosen_again(path):
    choose = Chooser(2.0, 1.0)
    assert [find_or_choose(path, NAME, WAYS, choose) for _ in range(3)] == ["products"] * 3
    assert choose.before == [""]
    assert find_or_choose(path, f"{NAME} more", WAYS, Chooser(1.0, 2.0)) == "kernels"
    assert {name: kept.way for name, kept in read(path, NAME, WAYS).items()} == {
        NAME: "products",
        f"{NAME} more": "kernels",
    }
    assert read(path, NAME, WAYS)[NAME].seconds == {"kernels": 2.0, "products": 1.0}
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name, "ways.lock"]


def test_the_choice_of_the_newest_older_kernels_of_this_processor_stands_within_the_margin(path):
    oldest, newest, foreign = (path.with_name(f"{name}.json") for name in (f"{FAMILY}-b", f"{FAMILY}-c", "ways-ff-d"))
    find_or_choose(oldest, NAME, WAYS, Chooser(1.0, 2.0))
    os.utime(oldest, (1, 1))
    find_or_choose(newest, NAME, WAYS, Chooser(2.0, 1.0))
    find_or_choose(foreign, NAME, WAYS, Chooser(1.0, 2.0))
    close, clear = Chooser(1.0, 1.05), Chooser(1.0, 1.2)
    assert find_or_choose(path, NAME, WAYS, close) == "products"  # an unknown shape would have taken the kernels
    assert close.before == ["products"]
    path.unlink()
    assert find_or_choose(path, NAME, WAYS, clear) == "kernels"


def changed(**entry):
    def change(path):
        document = json.loads(path.read_text())
        document["ways"][NAME] |= entry
        path.write_text(json.dumps(document))

    return change


def of_another_machine(path):
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"of": "ways-ffffffffffff-0"}))


def linked(path):
    path.replace(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


DAMAGE = {
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:40]), "Unterminated|Expecting"),
    "empty": (lambda path: path.write_bytes(b""), "Expecting value"),
    "no text": (lambda path: path.write_bytes(b"\xff" * 99), "can't decode"),
    "a list": (lambda path: path.write_text("[]"), "must hold what it is of and ways"),
    "of another machine": (of_another_machine, f"must be of {FAMILY}-a+, got 'ways-f+-0'"),
    "an unknown way": (changed(way="magic"), "must hold a way .* that its seconds allow, got 'magic'"),
    "no way": (changed(way=None), "must hold a way .* that its seconds allow, got None"),
    "a way that its seconds refute": (changed(way="kernels"), "that its seconds allow, got 'kernels'"),
    "seconds of others": (
        changed(way="kernels", seconds={"kernels": 1.0}),
        "must hold the seconds of kernels, products",
    ),
    "no seconds": (changed(seconds=None), "must hold a way and seconds"),
    "time that is none": (changed(seconds={"kernels": float("nan"), "products": 1.0}), "must hold seconds above 0"),
    "time that is negative": (changed(seconds={"kernels": 2.0, "products": -1.0}), "must hold seconds above 0"),
    "time that is text": (changed(seconds={"kernels": "2", "products": 1.0}), "must hold seconds above 0"),
    "more of it": (changed(more=1), "must hold a way and seconds"),
    "endless": (lambda path: os.truncate(path, 1 << 42), "must hold at most 1048576 bytes"),
    "a link": (linked, "is not a plain file"),
    "writable by all": (lambda path: path.chmod(0o666), "others can write"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_file_that_cannot_be_trusted_is_measured_anew_and_said_to_be(path, name):
    damage, said = DAMAGE[name]
    find_or_choose(path, NAME, WAYS, Chooser(2.0, 1.0))
    damage(path)
    choose = Chooser(1.0, 2.0)
    with pytest.warns(UserWarning, match=f"measures its CPU kernels anew: .*({said})"):
        assert find_or_choose(path, NAME, WAYS, choose) == "kernels"
    assert choose.before == [""]
    assert read(path, NAME, WAYS)[NAME].way == "kernels"


def test_a_file_of_older_kernels_that_cannot_be_trusted_decides_nothing(path):
    older = path.with_name(f"{FAMILY}-b.json")
    find_or_choose(older, NAME, WAYS, Chooser(2.0, 1.0))
    older.chmod(0o666)
    choose = Chooser(1.05, 1.0)
    assert find_or_choose(path, NAME, WAYS, choose) == "kernels"
    assert choose.before == [""]


def test_what_cannot_be_kept_is_chosen_all_the_same_and_said_to_be_lost(path):
    gone = path.parent / "gone" / path.name
    with pytest.warns(UserWarning, match="choice of CPU kernels cannot be kept: .*; set TORCH_EXTENSIONS_DIR"):
        assert find_or_choose(gone, NAME, WAYS, Chooser(2.0, 1.0)) == "products"


def test_two_processes_choose_once(path):
    log = path.with_name("log")
    started = [FORK.Process(target=choose_slowly, args=(path, log)) for _ in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0]
    assert log.read_text() == "chosen\n"


def choose_slowly(path: Path, log: Path) -> None:
    def choose(_before):
        with log.open("a") as file:
            file.write("chosen\n")
        time.sleep(0.3)
        return Choice("products", {"kernels": 2.0, "products": 1.0})

    assert find_or_choose(path, NAME, WAYS, choose) == "products"


def test_a_disk_that_is_full_leaves_no_half_file(path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    find_or_choose(path, NAME, WAYS, Chooser(2.0, 1.0))
    monkeypatch.setattr(way_file, "put", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        assert find_or_choose(path, f"{NAME} more", WAYS, Chooser(2.0, 1.0)) == "products"
    assert list(read(path, NAME, WAYS)) == [NAME]
    shutil.rmtree(path.parent)
