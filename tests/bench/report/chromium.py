"""A headless Chromium for tests of the page: light or dark, of any width, and what its console says.

Where there is none, tests are skipped with the reason; with REQUIRED in the environment they fail, as in CI.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

REQUIRED = "MOEVLM_REQUIRE_BROWSER"  # in the environment: a missing browser fails
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
DRIVERS = ("chromedriver", "chromium-driver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
READY_S = 20  # for a page to be drawn on a machine that does other work


class Page:
    """One page that is open."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver, self.folder = driver, folder

    def look(self, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Choose size and colour scheme, as the user's system would."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def open(self, state: str = "") -> None:
        """Open the page from disk in a state, and wait until it is drawn."""
        from selenium.webdriver.support.ui import WebDriverWait

        self.driver.get("about:blank")  # an address that differs in its hash alone loads nothing
        self.driver.get(f"file://{quote(str(self.folder / 'index.html'))}#{state}")
        WebDriverWait(self.driver, READY_S).until(lambda _: self.run("document.documentElement.dataset.ready"))

    def run(self, expression: str, *arguments: object) -> Any:
        """Return what a JavaScript expression is."""
        return self.driver.execute_script(f"return {expression}", *arguments)

    def all(self, css: str) -> list[Any]:
        """Return the elements that a selector finds."""
        found: list[Any] = self.driver.find_elements("css selector", css)
        return found

    def one(self, css: str) -> Any:
        """Return the only element that a selector finds."""
        (found,) = self.all(css)
        return found

    def texts(self, css: str) -> list[str]:
        """Return the texts of elements, all at once."""
        each = "(one) => (one.innerText ?? one.textContent).trim()"  # a figure's have no innerText
        found: list[str] = self.run(f"[...document.querySelectorAll(arguments[0])].map({each})", css)
        return found

    def click(self, css: str, index: int = 0) -> None:
        """Click an element, and wait until the page has drawn what follows.

        The driver's own click waits a second, for it takes a changed address for a page to come.
        """
        drawn = "requestAnimationFrame(() => setTimeout(arguments[2]))"
        self.driver.execute_async_script(
            f"document.querySelectorAll(arguments[0])[arguments[1]].click(); {drawn}", css, index
        )

    def column(self, name: str) -> list[str]:
        """Return the cells of a column of the table."""
        return self.texts(f"#rows td[data-name='{name}']")

    def press(self, *keys: str) -> None:
        """Press keys of selenium's `Keys`, or letters, where the focus is."""
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.driver).send_keys(*(getattr(Keys, key, key) for key in keys)).perform()

    def console(self) -> list[str]:
        """Return what the console has said since it was last asked."""
        return [json.dumps(entry) for entry in self.driver.get_log("browser")]


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser with its driver; skip or fail where one of the three is missing."""
    try:
        from selenium import webdriver
    except ImportError:
        missing('selenium is not installed; pip install -e ".[browser]"')
    browser, driver = (next(filter(None, map(shutil.which, names)), None) for names in (BROWSERS, DRIVERS))
    if not browser or not driver:
        missing("no Chromium with its driver on PATH; Debian's packages are chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield started
    finally:
        started.quit()


def missing(why: str) -> None:
    """Skip for want of a browser, or fail where one is required."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} asks for a browser: {why}")
    pytest.skip(f"the page is tested in a browser: {why}")
