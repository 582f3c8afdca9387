"""Pages of records and documents whose names are more than text to somebody: in the page, its tables and figures."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec import structs

from bench.harness.environment import kind_key
from bench.harness.record import Record, Scenario
from bench.pages.layers.page import layers_page
from bench.pages.pareto.documents import read_tiers
from bench.pages.pareto.page import pareto_page
from bench.pages.performance.page import performance_page
from bench.pages.results.page import results_page
from bench.pages.tables import csv_text
from bench.pages.twins.documents import read_settings
from bench.pages.twins.page import twins_page
from bench.pages.write import Content, page_text
from fixtures.programs.visible import visible
from tests.bench.github import page_of, seen
from tests.bench.pages import sample_backends, sample_gains, sample_twins
from tests.bench.pages.sample_layers import devices_scenario, layers_scenario
from tests.bench.sample_records import FINGERPRINT, record_of

NAMES = [  # what each name becomes is tested with the renderer: here, that each place where one stands goes through it
    "a|b <img src=x> &#64;x **b** `c` _d_",
    "=#1 GH-1 $a$ [t](e) www.e.xy :tada:",
    "\x1b[31m\u202e\u200b",
]
SVG = "{http://www.w3.org/2000/svg}"
FASTER = {"moe": 0.002, "transformers/eager": 0.004}
BLIND = {"all": {"estimate": 0.9, "low": 0.8, "high": 1.0}}
BESIDE = {"layers": 0.080, "experts": 0.025}


def called(scenario: Scenario, **params: object) -> Scenario:
    """Return a scenario with other values of its axes."""
    arms = {arm: structs.replace(one, params={**one.params, **params}) for arm, one in scenario.arms.items()}
    return Scenario(id=scenario.id, arms=arms)


def held(name: str, *scenarios: Scenario) -> dict[Path, Record]:
    """Return a record of a machine, and in a file, that are called so; names of files need not be text."""
    machine = kind_key({**FINGERPRINT, "device_model": name, "dtype": name})
    return {Path(f"a-{name}-\udcff.json"): record_of(*scenarios, kind=machine, peaks=sample_gains.PEAKS)}


def layers(name: str, _folder: Path) -> Content:
    steered = layers_scenario(uniform=BESIDE, batch_size=1), layers_scenario(uniform=BESIDE, seq_len=1024)
    prompts = layers_scenario(uniform=BESIDE), layers_scenario(routing="uniform", batch_size=4)
    known = [called(one, scale=name, phase=name) for one in steered]
    known += [called(one, scale=name, phase="prefill") for one in prompts]
    return layers_page(held(name, *known, devices_scenario()))


def performance(name: str, _folder: Path) -> Content:
    experts = called(sample_backends.experts(FASTER), scale=name, routing=name, backend=name)
    decode = called(sample_backends.decode(FASTER), scale=name, routing=name, workload=name, seq_len=name)
    again = {Path("b.json"): next(iter(held(name, experts).values()))}
    return performance_page({**held(name, experts, decode), **again})


def results(name: str, folder: Path) -> Content:
    found = [sample_gains.scenario(1.0, 2.0), sample_gains.scenario(1.0, 2.0, benchmark="bench_generate")]
    known = [called(one, routing=name, workload=name, seq_len=name) for one in found]
    other = called(sample_gains.scenario(1.0, 3.0, scale="proxy"), scale=name)
    rival = sample_gains.scenario(
        1.0, 4.0, rival=name.replace("/", "")
    )  # a slash stands in the names of other projects' arms
    return results_page(held(name, *known, other, rival), read_tiers([documented(name, folder)]))


def documented(name: str, folder: Path) -> Path:
    """Write a document of scored twins whose task and one of whose variants are called so."""
    twins = [
        sample_twins.entry(variant, seed, accuracy, task=name, size=name, blind=BLIND)
        for variant, accuracy in (("dense", 0.5), ("plain", 0.6), (f"smoes-{name}", 0.9))
        for seed in (0, 1)
    ]
    machine = {**sample_twins.MACHINE, "device_model": name}
    return sample_twins.document(folder, twins, machine=machine)


def pareto(name: str, folder: Path) -> Content:
    return pareto_page(read_tiers([documented(name, folder)]))


def twins(name: str, folder: Path) -> Content:
    known = [{**one, "task": name, "size": name} for one in sample_twins.TRAINED]
    known += [sample_twins.trained(name, seed, [0.5 + 0.1 * seed, 0.3], task=name, size=name) for seed in (0, 1)]
    known += [sample_twins.trained(f"{name} at 0", 0, [0.5, 0.3], task=name, size=name)]
    path = sample_twins.write(folder, known)
    return twins_page([path], read_settings(path))


PAGES: dict[str, Callable[[str, Path], Content]] = {
    made.__name__: made for made in (layers, performance, results, pareto, twins)
}


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_and_no_more_in_a_page_and_its_tables(name: str, kind: str, tmp_path: Path) -> None:
    hostile, usual = (PAGES[kind](one, tmp_path) for one in (name, "NAME"))
    page, plain = (page_of(page_text(Path("p.md"), content, "a command")) for content in (hostile, usual))
    assert page.found == plain.found
    assert [one for one in page.elements if one != "code"] == [one for one in plain.elements if one != "code"]
    assert seen(page.text).count(seen(visible(name))) >= plain.text.count("NAME") - 1 > 0  # an id may lose its end
    for rows, known in zip(hostile.tables.values(), usual.tables.values(), strict=True):
        table, other = (list(csv.reader(io.StringIO(csv_text(one)))) for one in (rows, known))
        assert [len(row) for row in table] == [len(row) for row in other]
        cells = [cell for row in table for cell in row]
        assert "".join(cells).isprintable()
        assert not any(cell.startswith("=") for cell in cells)


@pytest.mark.parametrize("kind", ["layers", "results", "pareto", "twins"])
def test_a_name_in_a_figure_is_no_formula_and_breaks_no_svg(kind: str, tmp_path: Path) -> None:
    shown, name = [], "$\\frac$ <text>\x1b"
    for drawing in PAGES[kind](name, tmp_path).figures.values():
        drawing.save(tmp_path / "figure.svg")
        shown += ["".join(one.itertext()) for one in ElementTree.parse(tmp_path / "figure.svg").iter(f"{SVG}text")]
    assert any(visible(name) in text for text in shown)
