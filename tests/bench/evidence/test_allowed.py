"""What a bundle may have run: each option and each form of a scenario's name, what is refused, and how that ends."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.config import get_config

from bench import __main__ as commands
from bench.evidence.bundle.allowed import MOST_BYTES, OPTION, OPTIONS, options_here
from bench.harness.options import OPTIONS as HARNESS_OPTIONS
from fixtures.devices import DTYPES, known_devices
from fixtures.options import OPTIONS as SCENARIO_OPTIONS
from fixtures.workload import VISUAL_GRIDS, WORKLOADS
from moevlm.kernels.backends import EXPERT_BACKENDS
from moevlm.presets import PRESETS, VARIANTS
from moevlm.routing.profiles import PROFILES
from tests.bench.evidence.sample_bundles import (
    Started,
    forged,
    launches,
    measure_nothing,
    packed,
    with_names,
    write_checkout,
)
from tests.bench.sample_records import SCENARIOS

ROOT = Path(__file__).parents[3]
USUAL = [f"bench/bench_tiny.py::{scenario}" for scenario in SCENARIOS]
OF_LAUNCHES = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--compare=off"]  # then --record=... and -q

TAKEN = {  # option -> values that pass
    "--scale": ["tiny", "tiny,proxy,7b,34b", "qwen3-30b-a3b", "7b@4"],
    "--depth": ["1", "1,2,4"],
    "--distinct-layers": ["4", "2,4"],
    "--device": ["auto", "cpu", "cuda", "cuda:7"],
    "--dtype": ["auto", "bfloat16"],
    "--threads": ["1"],
    "--batch-size": ["1,8,32"],
    "--seq-len": ["natural", "1024,natural"],
    "--workload": ["mmmu", "mmmu-cot,docvqa"],
    "--visual": ["anyres"],
    "--routing": ["uniform", "uniform,paper-smoes,specialized:4", "specialized:6..1/2", "specialized:1e-3..2.5/1e+1"],
    "--num-tokens": ["1,1024"],
    "--backend": ["moevlm,grouped_mm"],
    "--arms": ["moe,dense_active"],
    "--peers": ["llama.cpp"],
    "--seed": ["0", "18446744073709551615"],
    "--data": [""],
}
NAMES = [  # of scenarios, that pass: this suite's, then what other projects may have
    "bench/bench_decode.py::bench_decode[7b@1-mmmu-uniform-b1-s640]",
    "bench/bench_decode.py::bench_decode[34b@of4-mmmu-uniform-b1-s640]",
    "bench/bench_generate.py::bench_generate[34b@4-docvqa-cot-anyres-uniform-b1-snatural]",
    "bench/bench_layers.py::bench_layers[34b@2-mmmu-specialized-t6..1-v2-b8-s1024-prefill]",
    "bench/bench_experts.py::bench_experts[qwen3-30b-a3b@2-moevlm-replay-my_file-t1]",
    "bench/decode_peers.py::bench_decode_peers[proxy-mmmu-uniform-b8-s256]",
    "bench/bench_accuracy.py::bench_trained_prefill[charts]",
    "bench/bench_forward.py::bench_forward",
    "bench/deep.er/a-b/bench_x.py::bench_x[1]",
    "bench/bench_x.py::TestGroup::bench_x[1-2]",
    "bench/bench_x.py::bench_x[-p @x =1 'a' \"b\" a::b ../c $(d) `e`]",
    "bench/bench_x.py::bench_x[\\u540d\\x1b]",  # as pytest writes what is not ASCII
    "bench/bench_gr\u00f6\u00dfe.py::bench_gr\u00f6\u00dfe[\u540d\u524d]",
]


class End(NamedTuple):
    """How a bundle that names something else ends."""

    code: int
    said: str


FOREIGN = End(14, "must be an archive that `bundle` wrote: a bundle must name scenarios and their options alone, got ")
TOO_MANY = End(14, f"a bundle must name {MOST_BYTES} bytes of scenarios and options at most, got ")
OF_A_FILE = End(4, "a bundle must name no files of this machine, got ")
ELSEWHERE = End(4, "a bundle's scenarios must lie in bench/ of ")
NOT_THERE = End(4, "a bundle's scenarios must be there, got no ")
REMEDIES = {
    FOREIGN: "; get the file again, or pack it again from its record",
    TOO_MANY: "; get the file again, or pack it again from its record",
    OF_A_FILE: "; name your own: -- --{option}=PATH",
    ELSEWHERE: "; reproduce it in a checkout of the project that it is of",
    NOT_THERE: "; reproduce it in a checkout of the project that it is of",
}
UNSEEN = {
    "NUL": "\0", "newline": "\n", "return": "\r", "tab": "\t", "escape": "\x1b[2J", "bell": "\a", "C1": "\x9b31m",
    "bidi": "\u202e", "isolate": "\u2066", "joiner": "\u200b", "line": "\u2028", "filler": "\u3164",
    "tag": "\U000e0041", "no-break space": "\u00a0",
}  # fmt: skip
WRITING = ["--junitxml=/tmp/x", "--junit-xml=x", "--basetemp=/", "--debug=x", "--log-file=x",
           "--pastebin=all", "--record=x", "--report=x", "--benchmark-json=x", "--benchmark-save=x",
           "--benchmark-storage=x", "--benchmark-autosave", "--benchmark-csv=x",
           "--benchmark-histogram=x", "--cov-report=html:x", "--report-log=x"]  # fmt: skip
LOADING = ["-p", "-pevil", "-p=evil", "--rootdir=/tmp", "-c/tmp/x.ini", "-c", "--config-file=x",
           "--confcutdir=/", "-o", "-oaddopts=-pevil", "--override-ini=python_files=*",
           "--import-mode=prepend", "--pyargs", "--pdbcls=a:b", "--pdb", "--trace", "--noconftest",
           "--pythonwarnings=error::evil.Evil", "-W", "-Werror::evil.Evil", "--cov-config=x",
           "--dist=each", "-n8", "--tx=ssh=e.xy", "--rsyncdir=/", "--codspeed"]  # fmt: skip
OURS = ["--measured=x", "--baseline=x", "--baselines=x", "--compare=auto", "--inject=moe=0.1",
        "--time-budget=9h", "--scenario-budget=9h", "--min-blocks=1", "--allow-inconclusive", "--parts", "--legend",
        "--longest-block=9h", "--measured-on=cuda:1", "--ab-worker=3", "--ab-package=os", "--upload-pack=touch x",
        "--package=os", "--base=main"]  # fmt: skip
SHAPES = ["--", "-", "", " ", "x", "@/tmp/x", "@x", "bench", "bench/conftest.py", "--rec=x",
          "--sca=tiny", "--scal=tiny", "--scale", "--scale tiny", "--scale= tiny", "--scale:tiny",
          "-scale=tiny", "---scale=tiny", " --scale=tiny", "--SCALE=tiny", "--scale=tiny -p evil",
          "--scale=tiny --record=x", "scale=tiny", "data=/x", "--data", "/data=x", "--batch_size=1",
          "--seed=0;touch x", "--seed=$(x)", "--seed=`x`", "--seed=~", "--seed=*", "--seed=%00"]  # fmt: skip
VALUES = ["--scale=", "--scale=-p", "--scale=--record=x", "--scale=@x", "--scale=../x",
          "--scale=/etc/passwd", "--scale=tiny,-p", "--scale=tiny,,proxy", "--scale=tiny,",
          "--scale=a/b", "--scale=a\\b", "--scale=a:b", "--workload=file:x", "--device=/dev/sda",
          "--device=cuda:", "--device=cuda:1/..", "--device=cuda:\u0661", "--seed=\u0661",
          "--scale=t\u0131ny", "--threads=" + "1" * 5000, "--scale=tiny=", "--arms=moe dense"]  # fmt: skip
PATHS = ["--data=/etc", "--data=..", "--data=../..", "--data=x", "--data=-p", "--data=@x", "--data=~",
         "--data=//e.xy/x", "--data=http://e.xy", "--routing=replay:/etc/passwd",
         "--routing=trained:x.json", "--routing=replay:1", "--routing=trained:1/2",
         "--routing=uniform,replay:../x", "--routing=replay:", "--routing=",
         "--routing=specialized:4/../../x", "--routing=specialized:/etc/passwd", "--routing=-p"]  # fmt: skip
OPTION_ENDS: dict[str, tuple[object, End]] = {
    **{word[:60]: (word, FOREIGN) for word in [*WRITING, *LOADING, *OURS, *SHAPES, *VALUES]},
    **{f"{kind} in a name": (f"--scale=tiny{one}", FOREIGN) for kind, one in UNSEEN.items()},
    **{f"{kind} in a path": (f"--data=/x{one}", FOREIGN) for kind, one in UNSEEN.items()},
    "a newline before it": ("\n--scale=tiny", FOREIGN),
    **{word: (word, OF_A_FILE) for word in PATHS},
    "a path of 5,000 letters": (f"--data=/{'x' * 5000}", FOREIGN),
}  # fmt: skip
FILES = ["/tmp/x.py", "../x.py", "bench/../x.py", "bench/../../x.py", "./bench/x.py", "bench/./x.py",
         "bench//x.py", "-p/x.py", "-x.py", "--x.py", "@x.py", "bench/@x.py", "bench/-x.py", "~/x.py",
         "bench/*.py", "bench\\x.py", "bench/.x.py", ".git/x.py", "bench/__main__.py", "bench/_x.py",
         "bench/__pycache__/x.py", "x.txt", "bench/x.pyc", "bench", "bench/", "", " bench/x.py",
         "file:///x.py", "http://e.xy/x.py", "C:/x.py", "bench/x[1].py", "bench/x.py bench/y.py"]  # fmt: skip
AFTER = ["", "1", "[1]", "bench x", "bench-x", "-p", "--record=x", "@x", "bench_x[1", "bench_x]",
         "bench_x[1]x", "bench_x()", "bench_x;y", ":bench_x", "::bench_x", "bench_x::", "A::",
         "A:bench_x", "a.b", "../x", "/etc/passwd"]  # fmt: skip
NAME_ENDS: dict[str, tuple[str, End]] = {
    **{f"file {file!r}": (f"{file}::bench_x[1]", FOREIGN) for file in FILES},
    **{f"name {name!r}": (f"bench/bench_x.py::{name}", FOREIGN) for name in AFTER},
    **{f"{kind} in its brackets": (f"bench/bench_x.py::bench_x[1{one}]", FOREIGN) for kind, one in UNSEEN.items()},
    "a newline in its file": ("bench/bench\n_x.py::bench_x[1]", FOREIGN),
    "a newline in its function": ("bench/bench_x.py::bench\n_x[1]", FOREIGN),
    "no ::": ("bench/bench_x.py", FOREIGN),
    "one :": ("bench/bench_x.py:bench_x", FOREIGN),
    "of 5,000 letters": (f"bench/bench_x.py::bench_x[{'x' * 5000}]", FOREIGN),
    "of another folder": ("tests/test_x.py::bench_x[1]", ELSEWHERE),
    "of the root": ("conftest.py::bench_x[1]", ELSEWHERE),
    "of a link out of the folder": ("bench/link.py::bench_x[1]", ELSEWHERE),
    "of a linked folder": ("bench/out/test_x.py::bench_x[1]", ELSEWHERE),
    "of a file that is not there": ("bench/bench_y.py::bench_x[1]", NOT_THERE),
    "of a folder that is called like a file": ("bench/folder.py::bench_x[1]", NOT_THERE),
    "of a program without it": ("bench/tool.py::bench_x[1]", NOT_THERE),
    "of a function that is called": ("bench/tool.py::clean", NOT_THERE),
}  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with the scenarios that pass, and with what a bundle must not reach."""
    folder = write_checkout(tmp_path_factory.mktemp("checkout"), *USUAL, *NAMES)
    (folder / "tests").mkdir()
    for other in ("conftest.py", "tests/test_x.py"):
        (folder / other).write_text("def bench_x(paired): ...\n")
    (folder / "bench" / "link.py").symlink_to(folder / "conftest.py")
    (folder / "bench" / "out").symlink_to(folder / "tests")
    (folder / "bench" / "folder.py").mkdir()
    (folder / "bench" / "tool.py").write_text("from evil import clean, bench_x\nclean()\n")
    return folder


@pytest.fixture
def started(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """Be in the checkout, and list the processes that would measure; none is started."""
    monkeypatch.chdir(checkout)
    return measure_nothing(monkeypatch)


def reproduce(path: Path, *more: str) -> int:
    return commands.main(["reproduce", str(path), "--launches=1", *more])


def words_of(started: Sequence[Started]) -> list[str]:
    (one,) = started
    assert one.words[-1] == "-q"
    assert one.words[-2].startswith("--record=")
    assert list(one.words[-7:-2]) == OF_LAUNCHES
    return list(one.words[:-7])


def test_the_table_has_every_option_of_scenarios_and_none_is_pytests_or_the_harnesss() -> None:
    assert set(SCENARIO_OPTIONS) == set(TAKEN) == {f"--{name}" for name in OPTIONS}
    theirs = {name for option in get_config()._parser._anonymous.options for name in option.names()}
    theirs |= {name for group in get_config()._parser._groups for one in group.options for name in one.names()}
    assert {"-p", "--rootdir", "-c", "--confcutdir"} <= theirs  # the parser knows what it must
    assert not set(TAKEN) & {*theirs, *HARNESS_OPTIONS}
    assert set(HARNESS_OPTIONS) <= {word.partition("=")[0] for word in [*OURS, *WRITING]}


def test_every_name_that_the_suite_knows_passes() -> None:
    known = {"scale": PRESETS, "workload": WORKLOADS, "visual": VISUAL_GRIDS, "backend": EXPERT_BACKENDS,
             "arms": VARIANTS, "dtype": DTYPES, "device": known_devices()}  # fmt: skip
    for option, names in known.items():
        assert all(OPTION.fullmatch(f"--{option}={name}") for name in names)
        assert option == "device" or OPTION.fullmatch(f"--{option}={','.join(names)}")
    for name, follows in PROFILES.items():
        assert OPTION.fullmatch(f"--routing={name}")
        assert bool(OPTION.fullmatch(f"--routing={name}:4")) == (follows == "STRENGTH")
    written = [
        f"{name}={about['default']}" for name, about in SCENARIO_OPTIONS.items() if about.get("default") is not None
    ]
    assert all(OPTION.fullmatch(word) for word in written)


def test_options_of_scenarios_reach_pytest_as_they_are(started: list[Started], tmp_path: Path) -> None:
    options = [f"{name}={value}" for name, values in TAKEN.items() for value in values]
    assert reproduce(packed(tmp_path, options={"arguments": options})) == 0
    assert words_of(started) == [*USUAL, *options]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_scenarios_reach_pytest_as_they_are(name: str, started: list[Started], tmp_path: Path) -> None:
    assert reproduce(forged(tmp_path, with_names(launches(), name))) == 13  # nothing is measured of that name
    assert words_of(started) == [name, USUAL[1], "--scale=tiny"]


def test_the_shipped_bundle_is_of_this_checkout(started: list[Started], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert reproduce(ROOT / "docs" / "records" / "claims-cpu.tar.gz") == 13
    words = words_of(started)
    assert (len(words), words[-1]) == (45, "--seed=0")  # 38 scenarios and seven options


def refused(path: Path, end: End, option: str, capsys: pytest.CaptureFixture[str], started: Sequence[Started]) -> None:
    """Reproduce what must be refused: in one line, before anything is started."""
    assert reproduce(path) == end.code
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert end.said in said.err
    assert said.err.endswith(f"{REMEDIES[end].format(option=option)}\n")
    assert started == []


@pytest.mark.parametrize("case", OPTION_ENDS)
def test_other_options_are_refused(
    case: str, started: list[Started], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    word, end = OPTION_ENDS[case]
    found = launches(options={"arguments": ["--seed=0", word]})
    refused(forged(tmp_path, found), end, "routing" if "routing" in case else "data", capsys, started)


@pytest.mark.parametrize("case", NAME_ENDS)
def test_other_names_are_refused(
    case: str, started: list[Started], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, end = NAME_ENDS[case]
    refused(forged(tmp_path, with_names(launches(), USUAL[0], name)), end, "", capsys, started)


@pytest.mark.parametrize("word", [3, None, True, ["--scale=tiny"], {"--scale": "tiny"}])
def test_an_option_that_is_no_text_is_refused(word: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scenarios and their options alone"):
        packed(tmp_path, options={"arguments": ["--scale=tiny", word]})


def test_a_name_of_another_scenario_is_refused(
    started: list[Started], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = launches()
    for entry in found["benchmarks"]:
        entry["fullname"] = USUAL[0]
    refused(forged(tmp_path, found), FOREIGN, "", capsys, started)


def test_more_words_than_a_command_line_takes_are_refused(
    started: list[Started], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    each = 4000
    found = launches(options={"arguments": [f"--scale={'x' * each}"] * (MOST_BYTES // each + 1)})
    refused(forged(tmp_path, found), TOO_MANY, "", capsys, started)


def test_bundle_packs_no_such_words_either(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"options alone, got '-p'; name a record of a project's scenarios"):
        packed(tmp_path, options={"arguments": ["-p"]})


def test_ones_own_option_replaces_a_bundles() -> None:
    theirs = ["--scale=tiny,proxy@2", "--routing=specialized:6..1/2,uniform", "--data=/theirs", "--seed=0"]
    assert options_here(theirs, ["--data", "/mine"]) == [*theirs[:2], "--seed=0", "--data", "/mine"]
    assert options_here(theirs, ["--data=/mine"])[-1] == "--data=/mine"


def test_what_a_bundle_says_of_commit_environment_and_package_reaches_no_process(
    started: list[Started], tmp_path: Path
) -> None:
    evil = "--upload-pack=touch x"
    found = launches(options={"arguments": ["--seed=0"], "package": "evil", "environment": {"EVIL": "1"}})
    found["commit_info"] = {"id": evil, "branch": evil, "project": "../evil"}
    found["machine_info"] = found["moevlm"]["fingerprint"] = {"PYTHONPATH": evil, "LD_PRELOAD": "/tmp/evil.so"}
    before = dict(os.environ)
    assert reproduce(forged(tmp_path, found)) == 0
    assert words_of(started) == [*USUAL, "--seed=0"]
    given = {"PYTHONIOENCODING": "utf-8:backslashreplace"}
    assert {name: value for name, value in started[0].environment.items() if before.get(name) != value} == given
    assert dict(os.environ) == before
