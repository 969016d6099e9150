"""Report pages in a real browser: they open, filter, move by keyboard, keep hostile text as text, stay legible."""

import pytest
from chromium import chromium
from pages import HOSTILE, NEEDLE, blocks, sample, training_run

from golongrl.core.report import Page, Viewer
from golongrl.core.report.document import TEMPLATES
from golongrl.pipeline.simulation.run import simulate
from golongrl.pipeline.training.report import page_of
from golongrl.rewards.audit import audit

ROWS_IN_SIGHT = 30
"""Rows of a list that the document holds at most: those in sight and a few around them."""

CONTRAST = """
const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const brush = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const numbers = colour => {
  brush.clearRect(0, 0, 1, 1);
  brush.fillStyle = colour;
  brush.fillRect(0, 0, 1, 1);
  return [...brush.getImageData(0, 0, 1, 1).data];
};
const behind = element => {
  for (let at = element; at; at = at.parentElement) {
    const found = numbers(getComputedStyle(at).backgroundColor);
    if (found[3] > 0) return found;
  }
  return [255, 255, 255];
};
const weak = [];
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.getClientRects().length || ["SCRIPT", "STYLE", "OPTION"].includes(element.tagName)) continue;
  if (element.disabled) continue;
  const style = getComputedStyle(element);
  const ink = light(numbers(element instanceof SVGElement ? style.fill : style.color));
  const paper = light(behind(element));
  const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  if (ratio < 4.5) weak.push(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
}
return weak;
"""
"""Texts whose contrast with what is behind them is below the 4.5 that WCAG asks for."""


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with every kind of block, 200 samples, one of them hostile, one long."""
    samples = [sample(n) for n in range(200)]
    samples[7] = sample(7, HOSTILE)
    samples[9] = sample(9, "long " * 2_000, around=500)
    path = tmp_path_factory.mktemp("page") / "report.html"
    blocks(samples).write(path)
    return path


@pytest.fixture
def opened(browser, page):
    browser.prefer("light")
    browser.open(page)
    return browser


def status(browser):
    return browser.texts(".count")[0]


def select(browser, place, value):
    """Choose an option of a filter as a reader does, by its text up to the count."""
    options = browser.all(".filters select")[place].find_elements("css selector", "option")
    next(option for option in options if option.text.startswith(f"{value} (")).click()


def test_the_page_of_these_tests_holds_every_kind_of_block():
    def kinds(blocks):
        return {kind for block in blocks for kind in (block.kind, *kinds(getattr(block, "blocks", ())))}

    sections = [body if isinstance(body, list) else [body] for _, body in blocks([sample(0)]).sections]
    templates = {path.name.removesuffix(".html.jinja") for path in TEMPLATES.glob("*.html.jinja")}
    assert kinds(block for section in sections for block in section) == templates - {"page"}


def test_every_page_opens_quietly_and_asks_for_nothing(browser, page, tmp_path):
    simulate([], batches=2, prompts=16, rollouts=4, out=tmp_path / "sim")
    (tmp_path / "d.jsonl").write_text(
        '{"data_source": "EM", "prompt": [{"role": "user", "content": "q"}], "ability": "a",'
        ' "reward_model": {"style": "rule", "ground_truth": {"golden_label": "Paris", "doc_ids": [], "summary": ""}},'
        ' "extra_info": {"index": 0, "metric": "em"}}\n{broken\n'
    )
    audit(tmp_path / "d.jsonl", probes=False, out=tmp_path / "audit")
    page_of(training_run(tmp_path / "run", None)).write(tmp_path / "run.html")
    for path in (page, tmp_path / "sim" / "report.html", tmp_path / "audit" / "report.html", tmp_path / "run.html"):
        browser.open(path)
        assert browser.errors() == [], path
        assert browser.requests() == [path.as_uri()]
        assert browser.all("main section"), path
        # Nothing is wider than the window: what is wide scrolls within its own frame.
        assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth"), path


def test_filters_and_search_narrow_the_list(opened):
    assert status(opened) == "200 of 200 samples"
    select(opened, 0, "T1")
    assert status(opened) == "100 of 200 samples"
    select(opened, 1, "4k")
    assert status(opened) == "34 of 200 samples"
    assert all(text.startswith("T1 · 4k") for text in opened.texts(".row"))
    opened.all(".filters input")[0].send_keys("sample 12:")
    assert opened.texts(".row") == ["T1 · 4k · 0.5 to 0.75 · sample 12: plain"]
    opened.all(".reset")[0].click()
    assert status(opened) == "200 of 200 samples"


def test_lengths_and_scores_are_offered_in_their_order(opened):
    options = opened.run("return [...document.querySelectorAll('select')].map(s => [...s.options].map(o => o.text))")
    assert [text.split(" (")[0] for text in options[1]] == ["all", "4k", "32k", "1m"]
    assert [text.split(" (")[0] for text in options[2]] == [
        "all", "0", "0.25 to 0.5", "0.5 to 0.75", "0.75 to 1", "1",
    ]  # fmt: skip


def test_the_list_is_moved_through_by_keyboard(opened):
    from selenium.webdriver.common.keys import Keys

    listed = opened.all(".list")[0]
    chosen = "[aria-selected=true]"
    for key, expected in ((Keys.ARROW_DOWN, 1), (Keys.ARROW_DOWN, 2), (Keys.ARROW_UP, 1), (Keys.END, 199)):
        listed.send_keys(key)
        assert opened.texts(chosen)[0].split("sample ")[1].startswith(f"{expected}:")
        assert opened.texts("#" + listed.get_attribute("aria-activedescendant")) == opened.texts(chosen)
    listed.send_keys(Keys.HOME, Keys.PAGE_DOWN)
    assert 5 <= int(opened.texts(chosen)[0].split("sample ")[1].split(":")[0]) <= 15
    # Every control is reached with the tab key alone.
    opened.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached = set()
    for _ in range(40):
        opened.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(opened.run("return document.activeElement.className || document.activeElement.tagName"))
    assert {"skip", "A", "SELECT", "INPUT", "list"} <= reached


def test_long_texts_show_their_marked_part_and_the_rest_on_demand(opened):
    opened.all(".filters input")[0].send_keys("sample 9:")
    response, context = opened.all(".part")
    assert len(response.text) < 1_200
    shown = context.text
    assert NEEDLE in shown
    assert len(shown) < 1_200
    more = context.find_element("css selector", "button")
    assert more.text == f"Show more ({7 * 500 + 6 * 500 - 2 * 250:,} characters)"
    assert more.get_attribute("aria-expanded") == "false"
    more.click()
    assert len(context.text) > 6_000
    assert more.get_attribute("aria-expanded") == "true"
    more.click()
    assert context.text == shown


def test_a_hostile_response_stays_text(opened):
    opened.all(".filters input")[0].send_keys("window.attacked")
    assert status(opened) == "1 of 200 samples"
    assert opened.texts(".part div")[0] == HOSTILE
    assert opened.run("return window.attacked === undefined")
    assert not opened.all("article img, article script")
    # Even a script that got into the page would not run: the policy knows only the page's own.
    opened.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.attacked = 3'}))")
    assert opened.run("return window.attacked === undefined")
    assert any("Content Security Policy" in message for message in opened.errors())


def test_colours_follow_the_system_and_the_switch(opened):
    def dark():
        return opened.run("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"

    assert not dark()
    opened.prefer("dark")
    assert dark()
    opened.all("#colours-light")[0].click()
    assert not dark()
    opened.prefer("light")
    opened.all("#colours-dark")[0].click()
    assert dark()
    opened.all("#colours-system")[0].click()
    assert not dark()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(opened, scheme):
    opened.prefer(scheme)
    assert opened.run(CONTRAST) == []
    lines = "return [...document.querySelectorAll('.lines polyline')].map(e => getComputedStyle(e).stroke)"
    assert len(set(opened.run(lines))) == 9


def test_sections_are_reached_from_the_contents(opened):
    links = opened.all("nav a")
    assert [link.text for link in links] == [
        "Words", "Table", "Bars", "Maps", "Differences", "Links", "Curves", "Samples",
    ]  # fmt: skip
    links[6].click()
    assert opened.run("return document.querySelector(':target h2').textContent") == "Curves"
    assert opened.texts(".verdict") == ["failed"]


def test_a_run_that_goes_on_says_as_of_when(browser, tmp_path):
    page_of(training_run(tmp_path / "run", None)).write(tmp_path / "run.html")
    browser.open(tmp_path / "run.html")
    assert browser.texts(".verdict") == ["unfinished"]
    assert any(fact.startswith("as of ") for fact in browser.texts(".facts li"))
    assert HOSTILE in browser.texts("dd")
    select(browser, 0, "em")
    assert status(browser) == "12 of 24 samples"


def test_five_thousand_samples_fit_one_page(browser, tmp_path):
    samples = [sample(n, "response " * 20) for n in range(5_000)]
    path = tmp_path / "large.html"
    Page("Large", [("Samples", Viewer(("capability", "length", "score"), samples))]).write(path)
    assert path.stat().st_size < 5_000 * 1_000
    browser.open(path)
    assert status(browser) == "5,000 of 5,000 samples"
    assert 10 <= len(browser.all(".row")) <= ROWS_IN_SIGHT
    browser.run("const list = document.querySelector('.list'); list.scrollTop = list.scrollHeight / 2")
    browser.run("document.querySelector('.list').dispatchEvent(new Event('scroll'))")
    assert 2_400 < int(browser.texts(".row")[10].split("sample ")[1].split(":")[0]) < 2_600
    assert len(browser.all(".row")) <= ROWS_IN_SIGHT
