"""The report in a real browser: no error, no request, and everything works, wide, narrow, dark and printed.

Chromium and its driver are Debian's; `.ci/run` installs them.
"""

import base64
import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from forecaster.home import Home
from forecaster.report.page import Choice, Figure, Section, Table, Text, render_page
from forecaster.report.pictures.fan import fan_picture

pytestmark = [
    pytest.mark.trial,
    pytest.mark.skipif(
        shutil.which("chromedriver") is None and "FORECAST_TEST_BROWSER" not in os.environ,
        reason="needs Debian's chromium and chromium-driver",
    ),
]
NAME = "<script>alert(1)</script>[red]"


class Page:
    """A page in Chromium, which counts what it logs and requests."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, *, width: int = 1100, dark: bool = False) -> None:
        """Load it, and wait until all pictures are drawn."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        wanted = [{"name": name, "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": wanted})
        self.logs()
        self.driver.get(path.resolve().as_uri())
        WebDriverWait(self.driver, 60).until(
            lambda _: self.run("return document.documentElement.dataset.drawn")
        )

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def logs(self) -> list[str]:
        """What the console has shown since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that were requested since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [entry for entry in entries if entry["method"] == "Network.requestWillBeSent"]
        return [entry["params"]["request"]["url"] for entry in sent]

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield Page(driver)
    finally:
        with contextlib.suppress(OSError):
            driver.quit()


@pytest.fixture(scope="module")
def report(home_with_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Home(home_with_results).report(output=tmp_path_factory.mktemp("browser"))


def test_it_opens_without_an_error_or_a_request(page: Page, report: Path) -> None:
    page.requests()
    page.open(report)
    assert page.logs() == []
    assert [url for url in page.requests() if not url.startswith(("file:", "data:"))] == []
    drawn = page.all(".picture svg")
    assert len(drawn) == len(page.all(".picture")) > 10
    assert all(svg.size["width"] > 300 for svg in drawn)


def test_the_first_paint_does_not_wait_for_the_pictures(page: Page, report: Path) -> None:
    page.open(report)
    order = page.run(
        "return [performance.getEntriesByName('first-contentful-paint').length, "
        "document.querySelector('main').compareDocumentPosition(document.getElementById('data')) & 4]"
    )
    assert order == [1, 4]  # the text comes before the data and the scripts


def test_a_ticker_is_chosen(page: Page, report: Path) -> None:
    page.open(report)
    (choice,) = page.all(".choice")
    caption = choice.find_element(By.TAG_NAME, "figcaption")
    before = choice.find_element(By.TAG_NAME, "svg").get_attribute("innerHTML")
    assert caption.text.startswith("AAA")
    Select(choice.find_element(By.TAG_NAME, "select")).select_by_visible_text("BBB")
    WebDriverWait(page.driver, 10).until(
        lambda _: choice.find_element(By.TAG_NAME, "svg").get_attribute("innerHTML") != before
    )
    assert caption.text.startswith("BBB")
    assert page.logs() == []


def test_a_table_is_sorted_by_a_click_and_by_the_keyboard(page: Page, report: Path) -> None:
    page.open(report)
    table = next(each for each in page.all("table") if "CRPS" in each.text)
    heading = table.find_elements(By.CSS_SELECTOR, "thead th")[1]

    def values() -> list[float]:
        cells = table.find_elements(By.CSS_SELECTOR, "tbody td:nth-child(2)")
        return [float(cell.get_attribute("data-value")) for cell in cells]

    heading.find_element(By.TAG_NAME, "button").click()
    assert values() == sorted(values(), reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    heading.find_element(By.TAG_NAME, "button").send_keys("\n")
    assert values() == sorted(values())
    assert heading.get_attribute("aria-sort") == "ascending"


def test_what_is_not_known_is_sorted_last(page: Page, tmp_path: Path) -> None:
    rows = [("a", ("–", None)), ("b", ("9", 9.0)), ("c", ("10", 10.0))]
    path = tmp_path / "page.html"
    path.write_text(render_page("x", "", [Section("s", "x", [Table("t", ("name", "value"), rows)])]))
    page.open(path)
    for wanted in ("cba", "bca"):
        page.all("thead button")[1].click()
        assert "".join(cell.text for cell in page.all("tbody th")) == wanted


def test_dark_and_light(page: Page, report: Path) -> None:
    def paper() -> str:
        return str(page.run("return getComputedStyle(document.documentElement).backgroundColor"))

    def line() -> str:
        return str(
            page.run("return getComputedStyle(document.querySelector('.picture svg path[stroke]')).stroke")
        )

    page.open(report)
    light = paper(), line()
    assert light[0] == "rgb(255, 255, 255)"
    page.open(report, dark=True)
    dark = paper(), line()
    assert dark[0] == "rgb(20, 24, 29)"
    assert dark[1] != light[1]
    page.all("#theme")[0].click()
    assert paper() == light[0]
    page.all("#theme")[0].click()
    assert paper() == dark[0]
    assert page.logs() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_axe_finds_nothing_serious(page: Page, report: Path, width: int, *, dark: bool) -> None:
    page.open(report, width=width, dark=dark)
    # It stands in for a reader's extension, which the page's policy does not bind.
    page.driver.execute_script(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.driver.execute_async_script(
        "const done = arguments[0]; "
        "axe.run().then(done, (fault) => done({violations: [{impact: String(fault)}]}))"
    )
    assert len(found["passes"]) > 15
    serious = [
        (each["id"], [node["target"] for node in each["nodes"]][:3])
        for each in found["violations"]
        if each["impact"] not in {"minor", "moderate"}
    ]
    assert serious == []


@pytest.mark.parametrize("width", [360, 768, 1100])
def test_nothing_scrolls_sideways(page: Page, report: Path, width: int) -> None:
    page.open(report, width=width)
    assert page.run("return document.documentElement.scrollWidth") <= width
    wide = page.run(
        "return [...document.querySelectorAll('svg')].filter((each) => "
        "each.getBoundingClientRect().right > innerWidth).length"
    )
    assert wide == 0


def test_it_prints_light_and_whole(page: Page, report: Path) -> None:
    page.open(report, dark=True)
    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert (
        page.run("return getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert page.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    assert page.run("return getComputedStyle(document.querySelector('.scroll')).overflowY") == "visible"
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_a_hostile_name_is_text(page: Page, tmp_path: Path) -> None:
    columns = {
        "closes": {"day": [1, 2], "close": [1.0, 2.0]},
        "fans": {name: [] for name in ("origin", "day", "median", "low_50", "high_50", "low_90", "high_90")},
        "reports": {"day": [1], "text": [NAME]},
    }
    blocks = [
        Text(NAME),
        Choice(NAME, fan_picture(), [NAME], [columns], [NAME]),
        Figure(fan_picture(columns, NAME), NAME),
        Table(NAME, (NAME,), [(NAME,)]),
    ]
    path = tmp_path / "page.html"
    path.write_text(render_page(NAME, NAME, [Section("one", NAME, blocks)]))
    page.open(path)
    assert page.logs() == []
    assert page.all("h1")[0].text == NAME
    assert page.all("option")[0].text == NAME
    assert page.all("figcaption")[0].text == NAME
    assert NAME in "".join(
        page.run("return [...document.querySelectorAll('svg text')].map((t) => t.textContent)")
    )


def test_the_policy_stops_what_is_not_in_the_file(page: Page, report: Path) -> None:
    page.open(report)
    page.run(
        """
        const script = document.createElement("script");
        script.textContent = "window.broken = 1";
        const image = document.createElement("img");
        image.src = "http://127.0.0.1:9/x.png";
        document.body.append(script, image);
        document.body.insertAdjacentHTML("beforeend", "<p onclick='window.broken = 1' id=trap>x</p>");
        document.getElementById("trap").click();
        """
    )
    time.sleep(0.5)
    assert page.run("return window.broken") is None
    assert len([line for line in page.logs() if "Content Security Policy" in line]) >= 3


def test_a_tooltip_tells_the_day_and_its_figures(page: Page, report: Path) -> None:
    page.open(report)
    page.run("document.querySelector('.choice').scrollIntoView()")
    dots = page.all(".choice svg .mark-symbol path")
    webdriver.ActionChains(page.driver).move_to_element(dots[len(dots) // 2]).perform()
    WebDriverWait(page.driver, 10).until(lambda _: "day" in page.all("#vg-tooltip-element")[0].text)
    assert page.logs() == []
