"""The page in a headless Chromium: drawn, filtered, sorted, linked, by keyboard, light and dark, wide and narrow."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness import record
from bench.harness.metrics import metric
from bench.pages.pareto.documents import Origin, Tier, read_tiers
from bench.report.data import report_data
from bench.report.inputs import Inputs, read_inputs
from bench.report.tracked import TrackedRun
from bench.report.write import write_page
from tests.bench.large_records import large_document
from tests.bench.pages.sample_points import around, point
from tests.bench.report.chromium import Page, chromium
from tests.bench.report.test_history import runs
from tests.bench.report.test_scenarios import compared
from tests.bench.sample_records import record_of, scenario

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "docs" / "records"
VIEWS = ("table", "speedup", "memory", "layers", "front", "history")
CONTRAST = 4.5  # of text, by WCAG 2.2, 1.4.3
HOSTILE = "</script><img src=x onerror=window.hit=1>"
PANELS = "figure.panel svg[role='img']"


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as started:
        yield started


def stepping() -> list[TrackedRun]:
    return runs([1.0 + 0.001 * (i % 3) for i in range(12)] + [1.3 + 0.001 * (i % 3) for i in range(12)])


def unfinished() -> Tier:
    """Return a front of a model of which one seed of two never began to look, and of one whose seeds all did."""
    points = [
        point(name, around(0.5, 0.01), around(rate, 1.0), transitions={0: first, 1: 900})
        for name, rate, first in (("some", 20.0, None), ("all", 40.0, 800))
    ]
    origin = Origin(machine="m", workload="w", paths=(), tasks=("charts",))
    return Tier(name="measured", origins=(origin,), points=tuple(points))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page of a real run of 56 scenarios with verdicts, slices, fronts, tracked runs, and what `ab` left."""
    names = ("proxy-cpu.json", "peers-native-decode-float32.json", "grid-decode-cpu.json")
    inputs = read_inputs([RECORDS / name for name in names])
    inputs.tracked["runs.jsonl"] = stepping()
    inputs.compared["ab.json"] = compared()
    for name in ("pareto-published.json", "twins-cpu.json", "twins-charts-cpu.json"):
        (inputs.tiers[name],) = read_tiers([RECORDS / name]).values()
    inputs.tiers["unfinished.json"] = unfinished()
    folder = tmp_path_factory.mktemp("page") / "a folder #1"
    name, run = next(iter(inputs.records.items()))
    said = {one: ScenarioVerdict(scenario=one, verdict=Verdict.NOT_COMPARABLE) for one in run.scenarios}
    write_page(folder, report_data(inputs, baselines=None, repository="https://example.org/a/b", said={name: said}))
    return folder


@pytest.fixture
def page(driver: Any, folder: Path) -> Page:
    found = Page(driver, folder)
    found.look()
    return found


@pytest.fixture
def data(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "data.json").read_text())
    return loaded


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_drawn_without_a_word_on_the_console(page: Page, view: str) -> None:
    page.open(f"view={view}")
    if view == "table":
        assert len(page.all("#rows tbody tr")) == 50
    else:
        drawn = page.run(
            "[...document.querySelectorAll(arguments[0])].map((one) => one.querySelectorAll(arguments[1]).length)",
            PANELS,
            "circle, path, rect, line",
        )
        assert drawn
        assert min(drawn) > 3
    assert page.console() == []


def test_the_figures_are_the_numbers_that_harness_and_record_say(page: Page, data: dict[str, Any]) -> None:
    page.open("arm=moe&arm=dense&source=" + "docs/records/proxy-cpu.json".replace("/", "%2F"))
    page.open("arm=moe&arm=dense")
    shown = list(zip(page.column("value"), page.column("rate"), strict=True))
    expected = []
    for one in data["scenarios"]:
        for arm in one.get("arms", []):
            if arm["arm"] in ("moe", "dense") and one["metric"]:
                rates = [metric(name).display(rate) for name, rate in arm.get("rates", {}).items()]
                expected.append((metric(one["metric"]).display(arm["value"]), rates[0] if rates else ""))
    assert shown == expected[:50]


def test_a_filter_leaves_the_rows_that_have_its_value_and_its_link_brings_it_back(page: Page) -> None:
    page.open()
    page.click("details[data-axis='benchmark'] summary")
    page.click("details[data-axis='benchmark'] input[value='bench_prefill']")
    assert set(page.column("benchmark")) == {"prefill"}
    count = page.one("#count").text
    link = page.driver.current_url
    assert link.endswith("#benchmark=bench_prefill")
    page.open("benchmark=bench_prefill&scale=proxy")
    assert set(page.column("scale")) == {"proxy"}
    page.driver.get("about:blank")
    page.driver.get(link)
    assert page.one("#count").text == count
    assert page.one("details[data-axis='benchmark'] input[value='bench_prefill']").is_selected()


def test_filters_of_two_axes_and_words_narrow_together(page: Page, data: dict[str, Any]) -> None:
    page.open("batch=1&q=generate+tiny")
    expected = [
        arm["arm"]
        for one in data["scenarios"]
        for arm in one.get("arms", [])
        if one["axes"].get("batch_size") == "1" and "generate" in one["id"] and "tiny" in one["id"]
        if arm["kind"] not in ("part", "anchor")
    ]
    assert page.column("arm") == expected
    assert expected


@pytest.mark.long
def test_what_no_row_passes_says_so_and_can_be_cleared(page: Page) -> None:
    page.open("q=nothing+like+it&scale=unheard")
    assert page.all("#rows") == []
    assert page.one("details[data-axis='scale'] input[value='unheard']").is_selected()
    page.click(".empty a")
    assert len(page.column("arm")) == 50


@pytest.mark.parametrize(("column", "sort"), [("value", "value"), ("batch", "batch")])
def test_a_heading_sorts_up_then_down_then_as_measured(page: Page, column: str, sort: str) -> None:
    page.open("benchmark=bench_decode&benchmark=bench_prefill&arm=dense")
    as_measured = page.column(column)
    rows = "Report.model.sorted(Report.model.passing(Report.state.read()).shown, Report.state.read().sort)"
    for turn in (1, -1):
        page.run("document.querySelector(arguments[0]).focus()", f"[data-focus='sort-{sort}']")
        page.press("ENTER")
        found = [float(value) for value in page.run(f"{rows}.map((row) => row[arguments[0]])", sort)]
        assert found == sorted(found, reverse=turn < 0)
        assert len(set(found)) > 1
        assert page.one("th[aria-sort]").get_attribute("aria-sort") == ("ascending" if turn > 0 else "descending")
        assert page.run("document.activeElement.dataset.focus") == f"sort-{sort}"
    page.click(f"[data-focus='sort-{sort}']")
    assert page.column(column) == as_measured


def test_a_row_opens_its_blocks_and_launches_and_its_link_opens_it_again(page: Page, data: dict[str, Any]) -> None:
    page.open("benchmark=bench_decode&arm=moe")
    (first, *_) = [one for one in data["scenarios"] if one["benchmark"] == "bench_decode"]
    page.click("#rows td.opens button")
    blocks = len(first["arms"][0]["launches"][0]["samples"])
    assert page.run("document.querySelectorAll('.opened svg circle').length") == blocks
    assert page.texts(".opened caption") == ["Launches"]
    assert page.texts(".opened table.small td")[2] == str(blocks)
    page.open(page.driver.current_url.partition("#")[2])
    assert len(page.all(".opened svg")) == 1
    assert page.console() == []


def test_back_takes_a_step_back(page: Page) -> None:
    page.open("view=table")
    page.click("[data-focus='view-speedup']")
    assert page.all("section[aria-label='Speed-up over batch']")
    page.driver.back()
    assert page.all("#rows")


@pytest.mark.long
def test_pages_of_rows_hold_all_of_them_once(page: Page) -> None:
    page.open("all=1&source=" + page.run("encodeURIComponent(arguments[0])", str(RECORDS / "proxy-cpu.json")))
    keys: list[str] = []
    total = int(page.one("#count").text.split()[0].replace(",", ""))
    while True:
        keys += page.run("[...document.querySelectorAll('#rows tr[data-key]')].map((one) => one.dataset.key)")
        if not page.all("[data-focus='next']"):
            break
        page.click("[data-focus='next']")
    assert len(keys) == len(set(keys)) == total > 50


def test_the_speed_ups_are_those_of_the_data_with_floors_and_peers(page: Page, data: dict[str, Any]) -> None:
    page.open("view=speedup&scale=proxy&q=bench_decode+weights")
    rows = [
        one for one in data["speedups"] if one["axes"].get("routing") == "weights" and one["axes"]["scale"] == "proxy"
    ]
    assert {one["against"] for one in rows} >= {"dense", "llama.cpp/moe"}
    shown = page.run(
        "[...document.querySelectorAll('figure.panel tbody tr')].map((row) => "
        "[...row.cells].slice(0, 3).map((cell) => cell.textContent))"
    )
    expected = [[one["against"], str(one["batch"]), "{:.2f}x [{:.2f}, {:.2f}]".format(*one["ratio"])] for one in rows]
    assert sorted(shown) == sorted(expected)
    assert page.all(".swatch.hollow")
    assert page.all(".swatch.dashed")


@pytest.mark.long
def test_extrapolated_wholes_are_there_and_say_from_what(page: Page, data: dict[str, Any]) -> None:
    page.open("view=speedup&q=34b")
    assert any(one["axes"]["scale"] == "34b" and one["depths"] for one in data["speedups"] if "depths" in one)
    assert any("extrapolated from" in text for text in page.texts("figure.panel .aside"))


def test_history_marks_the_step_with_its_commit_linked(page: Page) -> None:
    page.open("view=history")
    page.click("figure.panel details summary")
    (mark,) = page.texts(".steps li")
    assert re.fullmatch(r"0{10} step: \+30\.0 %, p = 0\.\d+", mark)
    assert page.one(".steps a").get_attribute("href") == f"https://example.org/a/b/commit/{12:040x}"


@pytest.mark.long
def test_a_point_of_the_front_tells_its_model_under_the_pointer(page: Page) -> None:
    from selenium.webdriver import ActionChains

    page.open("view=front&q=published")
    page.run("document.querySelector('figure.panel').scrollIntoView()")
    dot = page.all("figure.panel g[aria-label='dot'] path")[0]
    ActionChains(page.driver).move_to_element(dot).perform()
    tip = " ".join(page.texts("figure.panel g[aria-label='tip'] text"))
    assert re.search(r"accuracy \d+\.\d %", tip)
    assert "parameters" in tip


def test_a_model_with_unfinished_seeds_is_ringed_and_told(page: Page) -> None:
    page.open("view=front&source=unfinished.json")
    ring = "figure.panel g[stroke-dasharray='2 2'] path, figure.panel g[stroke-dasharray='2 2'] circle"
    assert len(page.all(ring)) == 1
    page.click("figure.panel details summary")
    cells = page.texts("figure.panel details tbody td")
    assert "2, 1 unfinished" in cells
    assert "2" in cells


def test_everything_is_reached_and_done_by_keyboard(page: Page) -> None:
    page.open()
    page.press("TAB")
    assert page.run("document.activeElement.className") == "skip"
    page.run("document.querySelector(\"details[data-axis='scale'] summary\").focus()")
    page.press("ENTER")
    page.press("TAB")
    page.press("SPACE")
    assert "scale=" in page.driver.current_url
    page.press("ESCAPE")
    assert not page.all("details.filter[open]")
    page.run("document.querySelector('#rows td.opens button').focus()")
    page.press("ENTER")
    assert len(page.all("tr.opened")) == 1
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.press("ENTER")
    assert not page.all("tr.opened")


# Of every text that is seen: its colour over the nearest background that is no glass.
CONTRASTS = """(() => {
  const light = (byte) => (byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return parse(getComputedStyle(document.body).backgroundColor);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    const box = one.getBoundingClientRect();
    if (!walker.currentNode.data.trim() || box.width < 2 || !one.checkVisibility()) continue;
    if (one.closest('script, style, noscript')) continue;
    const style = getComputedStyle(one);
    const ink = one.closest('svg') ? (style.fill === 'none' ? style.color : style.fill) : style.color;
    const [a, b] = [luminance(parse(ink)), luminance(behind(one))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), walker.currentNode.data.trim().slice(0, 30)]);
  }
  return found;
})()"""


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_paper(page: Page, scheme: str) -> None:
    page.look(scheme=scheme)
    papers = set()
    for view in VIEWS:
        page.open(f"view={view}")
        papers.add(page.run("getComputedStyle(document.body).backgroundColor"))
        texts = page.run(CONTRASTS)
        assert len(texts) > 20
        assert [(view, said, round(ratio, 2)) for ratio, said in texts if ratio < CONTRAST] == []
    assert papers == {{"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]}


@pytest.mark.long
@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_scrolls_the_page_down_alone(page: Page, view: str) -> None:
    for width in (390, 360):
        page.look(width=width, height=844)
        page.open(f"view={view}&sort=-rank")  # what has the longest verdict first
        if view == "table":
            page.click("#rows td.opens button", 1)
        seen = "[...document.body.querySelectorAll('*:not(.scroll *)')].filter((one) => one.checkVisibility())"
        right = page.run(f"{seen}.map((one) => one.getBoundingClientRect().right)")
        assert page.run("document.documentElement.scrollWidth") == width
        assert max(right) <= width
    assert page.console() == []


@pytest.mark.long
def test_a_wide_table_of_a_run_shows_its_verdict_without_scrolling(page: Page) -> None:
    page.open("source=" + page.run("encodeURIComponent(arguments[0])", str(RECORDS / "proxy-cpu.json")))
    assert (
        page.run(
            "(() => { const box = document.querySelector('.main-table'); return box.scrollWidth - box.clientWidth; })()"
        )
        == 0
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page of 10,002 rows."""
    folder = tmp_path_factory.mktemp("large")
    record.write(folder / "r.json", large_document(scenarios=3334))
    write_page(folder / "page", report_data(read_inputs([folder / "r.json"]), baselines=None))
    return folder / "page"


@pytest.mark.long
def test_ten_thousand_rows_are_paged_filtered_and_sorted(driver: Any, large: Path) -> None:
    page = Page(driver, large)
    page.look()
    page.open("all=1")
    assert page.one("#count").text == "10,002 rows of 10,002"
    assert len(page.all("#rows tbody tr")) == 50
    page.click("[data-focus='last']")
    assert len(page.all("#rows tbody tr")) == 2
    page.one("#q").send_keys("s3333")
    assert page.one("#count").text == "3 rows of 10,002"
    assert page.run("document.activeElement.id") == "q"
    page.open("sort=-value&arm=dense")
    found = page.run(
        "[...Report.model.sorted(Report.model.passing(Report.state.read()).shown, '-value')].map((row) => row.value)"
    )
    assert found == sorted(found, reverse=True)
    assert len(found) == 3334
    assert page.console() == []


@pytest.mark.long
def test_hostile_names_are_shown_as_they_are_and_do_nothing(driver: Any, tmp_path: Path) -> None:
    one = scenario(
        {"moe": [1.0, 2.0], HOSTILE: [2.0, 3.0], "anchor": [1.0, 1.0]},
        name=HOSTILE,
        params={"scale": HOSTILE, "batch_size": 1},
    )
    inputs = Inputs(records={HOSTILE: record_of(one)})
    write_page(tmp_path, report_data(inputs, baselines=None))
    page = Page(driver, tmp_path)
    page.look()
    for view in VIEWS:
        page.open(f"view={view}")
        assert (view, page.all("img")) == (view, [])  # there at once, where its script runs later
        assert page.run("window.hit") is None
    page.open()
    page.click("#rows td.opens button", 1)
    assert HOSTILE in page.one(".opened h3").text
    assert page.run("window.hit") is None
    assert page.all("img") == []
    assert page.console() == []


@pytest.mark.long
@pytest.mark.parametrize("content", [None, "window.REPORT_DATA = JSON.parse('{"])
def test_a_page_without_its_data_says_what_is_missing(
    driver: Any, folder: Path, tmp_path: Path, content: str | None
) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "data.js":
            (tmp_path / path.relative_to(folder)).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / path.relative_to(folder)).write_bytes(path.read_bytes())
    if content is not None:
        (tmp_path / "data.js").write_text(content)
    page = Page(driver, tmp_path)
    driver.get(f"file://{tmp_path}/index.html")
    assert page.one("#broken").text == "data.js is missing beside this page, or broken: copy the whole folder."
    page.console()


@pytest.mark.long
def test_problems_and_notes_are_on_the_page(driver: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    record.write(tmp_path / "r.json", large_document(scenarios=1, injected={"moe": 1.3}))
    write_page(tmp_path / "page", report_data(read_inputs([tmp_path]), baselines=None))
    page = Page(driver, tmp_path / "page")
    page.look()
    page.open()
    assert page.one("#problems").text == "Not shown: 1 file"
    assert "must be JSON" in page.one("section.problem li").text
    assert "slowed on purpose: moe 1.3 times" in page.one(".sources").text
