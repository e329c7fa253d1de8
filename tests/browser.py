"""A headless Chromium, for tests of the pages that temclean makes: what stands on them, and what they ask for."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = "chromium", "chromium-browser", "google-chrome"


@contextmanager
def started() -> Iterator[Any]:
    """Yield a driver of Selenium, 1200x900; the test is skipped where there is no Chromium with its driver."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    for each in ("headless=new", "disable-gpu", "disable-dev-shm-usage", "window-size=1200,900"):
        options.add_argument(f"--{each}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # its sandbox refuses to run as root, as containers do
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        browser.set_page_load_timeout(30)
        yield browser
    finally:
        browser.quit()


def forget(browser: Any) -> None:
    """Leave the page, and forget what it has asked for and complained about."""
    browser.get("about:blank")
    requests(browser)
    complaints(browser)


def requests(browser: Any) -> list[str]:
    """Return the addresses that pages have asked for since this was last called, the page's own first."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]


def complaints(browser: Any) -> list[str]:
    """Return the errors in the browser's console since this was last called: of scripts, and what was refused."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
