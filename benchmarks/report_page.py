"""How fast a report page with thousands of samples is written and opened.

Run: python benchmarks/report_page.py [--samples N] [--characters N]

Makes one page of N samples, each with a question, a response and an excerpt of its context, writes it, and opens it
three times in a fresh headless Chromium (Debian: chromium, chromium-driver; `pip install selenium`). Opened means
that the list stands there and answers: the time from the request to the end of the load event, by which the script
has filled the list. Prints one table; the numbers stand in docs/reports.md.
"""

import argparse
import hashlib
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from golongrl.core.report import Header, Page, Sample, Viewer, score_band

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
WORDS = ("keeper", "of", "the", "old", "bridge", "brought", "seven", "buckets", "to", "heron", "before", "noon")


def samples(count: int, characters: int) -> list[Sample]:
    """`count` samples whose response and excerpt have `characters` each; the context is named by its hash."""
    draw = random.Random(0)
    found = []
    for number in range(count):
        text = " ".join(draw.choices(WORDS, k=characters // 4))[:characters]
        half = characters // 2
        parts = (
            ("question", f"Which keeper of bridge {number} went away before noon?"),
            ("response", text),
            ("context around the needle", ((text[:half], False), (f"needle {number}", True), (text[half:], False))),
            ("context", f"1,048,576 tokens, sha256 {hashlib.sha256(text.encode()).hexdigest()}"),
        )
        facets = (f"T{1 + number % 9}", ("128k", "512k", "1m")[number % 3], score_band(number % 11 / 10), "ok")
        found.append(Sample(facets, f"sample {number}", parts))
    return found


def opened(page: Path) -> dict[str, float]:
    """Seconds to open the page in a fresh browser, and to answer a search over all texts; elements it then holds."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            browser.get(page.as_uri())
            script = "const [n] = performance.getEntriesByType('navigation'); return n.loadEventEnd / 1000"
            seconds = browser.execute_script(script)
            search = (
                "const start = performance.now(), input = document.querySelector('.filters input');"
                "input.value = 'needle 4321'; input.dispatchEvent(new Event('input'));"
                "return (performance.now() - start) / 1000"
            )
            return {
                "open": seconds,
                "search": browser.execute_script(search),
                "elements": browser.execute_script("return document.querySelectorAll('*').length"),
            }
        finally:
            browser.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--characters", type=int, default=1_500)
    asked = parser.parse_args()
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        print("no chromium with chromedriver; on Debian: apt-get install chromium chromium-driver", file=sys.stderr)
        sys.exit(3)
    shown = samples(asked.samples, asked.characters)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        start = time.perf_counter()
        viewer = Viewer(("capability", "length", "score", "reason"), shown, "All samples")
        Page("Large", [("Samples", viewer)], Header("Benchmark")).write(path)
        written = time.perf_counter() - start
        runs = [opened(path) for _ in range(3)]
        size = path.stat().st_size
    print("| samples | page | written | opened | first search | elements |")
    print("|---|---|---|---|---|---|")
    open_, search = (statistics.median(run[name] for run in runs) for name in ("open", "search"))
    print(
        f"| {asked.samples:,} | {size / 1e6:.1f} MB | {written:.2f} s | {open_:.2f} s | {search:.2f} s | "
        f"{max(run['elements'] for run in runs):,.0f} |"
    )


if __name__ == "__main__":
    main()
