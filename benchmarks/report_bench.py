"""How large the report of many tickers is, how long it takes to write, and how soon a browser shows it.

python benchmarks/report_bench.py INDEX [--tickers 20,400]

INDEX is a file of prices in long form. A small network is trained on it for one epoch. Chromium and its
driver must be there. The first paint is the browser's own figure (first-contentful-paint), from disk.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from forecaster.home import Home
from forecaster.settings import Recipe


def main() -> None:
    """Print a line for each number of tickers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index", help="prices in long form")
    parser.add_argument("--tickers", default="20,400", help="how many, with commas")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        home.fetch(source=arguments.index)
        home.train(home.tickers[:20], Recipe(units=8, epochs=1))
        print(f"{'tickers':>8} {'MB':>6} {'written, s':>11} {'first paint, s':>15} {'all drawn, s':>13}")
        for count in map(int, arguments.tickers.split(",")):
            begun = time.perf_counter()
            path = home.report(home.tickers[:count])
            took = time.perf_counter() - begun
            paint, drawn = shown(path)
            size = path.stat().st_size / 1e6
            print(f"{count:>8} {size:>6.1f} {took:>11.1f} {paint:>15.2f} {drawn:>13.2f}")


def shown(path: Path) -> tuple[float, float]:
    """Seconds until a browser paints text for the first time, and until all pictures are drawn."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.get(path.resolve().as_uri())
        WebDriverWait(driver, 120).until(
            lambda found: found.execute_script("return document.documentElement.dataset.drawn")
        )
        drawn = driver.execute_script("return performance.now()")
        paint = driver.execute_script(
            "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
    finally:
        driver.quit()
    return paint / 1000, drawn / 1000


if __name__ == "__main__":
    main()
