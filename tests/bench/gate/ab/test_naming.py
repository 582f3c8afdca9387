"""What --scenarios selects, as pytest itself understands it: a benchmark's name is that benchmark alone."""

from pathlib import Path

import pytest

from bench.gate.ab.naming import by_benchmark

FILES = {
    "bench_decode.py": "bench_decode",
    "bench_layers.py": "bench_layers",
    "bench_memory.py": "bench_memory bench_kept_memory",
    "bench_prefill.py": "bench_prefill",
}
TEST = """
@pytest.mark.parametrize("size", ["tiny-decode", "proxy-decode", "tiny-prefill"])
def {}(size):
    pass
"""
INI = "[pytest]\npython_files = bench_*.py\npython_functions = bench_*\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("naming")
    (folder / "bench").mkdir()
    (folder / "pytest.ini").write_text(INI)
    for file, functions in FILES.items():
        (folder / "bench" / file).write_text("import pytest\n" + "".join(map(TEST.format, functions.split())))
    return folder


class Collected:
    """Keeps what is left by -k."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.names = {item.name for item in session.items}


def selected(project: Path, expression: str) -> set[str]:
    kept = Collected()
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark", "-p", "no:hypothesispytest"]
    pytest.main(
        [*options, f"--rootdir={project}", "-c", str(project / "pytest.ini"), str(project), "-k", expression], [kept]
    )
    return kept.names


def names(*functions: str, sizes: str = "tiny-decode proxy-decode tiny-prefill") -> set[str]:
    return {f"{function}[{size}]" for function in functions for size in sizes.split()}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("decode", names("bench_decode")),
        ("memory", names("bench_memory")),
        ("kept_memory or prefill", names("bench_kept_memory", "bench_prefill")),
        ("decode and not proxy", names("bench_decode", sizes="tiny-decode tiny-prefill")),
        ("layers and tiny-decode", names("bench_layers", sizes="tiny-decode")),
        ("bench_layers", names("bench_layers")),
        ("proxy", names(*" ".join(FILES.values()).split(), sizes="proxy-decode")),
        ("bench_decode[", names("bench_decode")),
    ],
)
def test_a_benchmarks_name_selects_it_alone_and_other_words_as_ever(project: Path, said: str, meant: set[str]) -> None:
    expression = by_benchmark(said, project / "bench")
    assert selected(project, expression) == meant
    assert by_benchmark(expression, project / "bench") == expression  # a comment's command is typed again
