"""Pictures of report pages for these documents, taken by headless Chromium.

Run: python docs/pictures.py REPORT.html PICTURE.png [--section HEADING] [--height N] [--dark]

From the top of the page, or of one of its sections, 1,180 pixels wide. Needs Debian's chromium and chromium-driver,
and `pip install selenium`.
"""

import argparse
import base64
import shutil
import sys
import tempfile
from pathlib import Path

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
WIDTH = 1180
TOP_OF = """
const heading = [...document.querySelectorAll("h2")].find(one => one.textContent === arguments[0]);
return heading ? heading.getBoundingClientRect().top + window.scrollY - 16 : null;
"""


def take(page: Path, section: str | None, height: int, dark: bool) -> bytes:
    """The picture as PNG."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or sys.exit("chromium is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            screen = {"width": WIDTH, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            browser.get(page.resolve().as_uri())
            top = browser.execute_script(TOP_OF, section) if section else 0
            if top is None:
                sys.exit(f"{page} has no section {section!r}")
            whole = browser.execute_script("return document.documentElement.scrollHeight")
            clip = {"x": 0, "y": top, "width": WIDTH, "height": min(height, whole - top), "scale": 1}
            taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
            return base64.b64decode(taken["data"])
        finally:
            browser.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--section", help="start at this heading instead of at the top")
    parser.add_argument("--height", type=int, default=1000)
    parser.add_argument("--dark", action="store_true")
    asked = parser.parse_args()
    asked.picture.parent.mkdir(parents=True, exist_ok=True)
    asked.picture.write_bytes(take(asked.page, asked.section, asked.height, asked.dark))


if __name__ == "__main__":
    main()
