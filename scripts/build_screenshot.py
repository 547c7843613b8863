"""Open a report in a headless Chromium and keep its first screen as a PNG picture.

python scripts/build_screenshot.py reports/report.html docs/report.png
"""

import shutil
import sys
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

WIDTH, HEIGHT = 1100, 1240


def main() -> None:
    """Write the picture of the page given."""
    page, target = map(Path, sys.argv[1:])
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        f"--window-size={WIDTH},{HEIGHT}",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(page.resolve().as_uri())
        drawn = "return document.documentElement.dataset.drawn"
        WebDriverWait(driver, 60).until(lambda found: found.execute_script(drawn))
        driver.save_screenshot(str(target))
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
