"""T4, numerical reasoning over text: how many paragraphs lie between two headings or two paragraphs."""

import re
from collections import Counter
from functools import partial

from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct import tally
from golongrl.pipeline.dataset.construct.figures import SMALL
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, named
from golongrl.pipeline.dataset.construct.tally import quoted
from golongrl.pipeline.dataset.view import View

MOST = 60
"""Most paragraphs that one answer counts."""
HEADINGS_APART = 12
"""Most headings from the first to the last of a stretch."""
TRIES = 40

APART = Phrasings(
    "paragraphs_apart",
    en=(
        "In the document {title}, how many paragraphs stand between the one that begins with {one} and the one that "
        "begins with {other}, not counting these two? {paragraph}",
        "Two paragraphs of the document {title} begin with {one} and with {other}. Count the paragraphs after the "
        "former and before the latter. {paragraph}",
        "Start after the paragraph of the document {title} that opens with {one} and stop before the one that opens "
        "with {other}. How many paragraphs lie between them? {paragraph}",
    ),
    zh=(
        "在文档{title}中，以{one}开头的自然段与以{other}开头的自然段之间有多少个自然段（不含这两段）？{paragraph}",
        "文档{title}有两个自然段分别以{one}和{other}开头，前者之后、后者之前一共有多少个自然段？{paragraph}",
        "从文档{title}中以{one}开头的一段之后数起，数到以{other}开头的一段之前为止，共有多少个自然段？{paragraph}",
    ),
)
BETWEEN = Phrasings(
    "paragraphs_between",
    en=(
        "In the document {title}, how many paragraphs stand between the heading {one} and the heading {other}? "
        "{paragraph}",
        "Count the paragraphs of the document {title} that come after the heading {one} and before the heading "
        "{other}. {paragraph}",
        "From the heading {one} to the heading {other}, how many paragraphs does the document {title} have, those "
        "below headings in between included? {paragraph}",
    ),
    zh=(
        "在文档{title}中，标题{one}与标题{other}之间有多少个自然段？{paragraph}",
        "统计文档{title}里位于标题{one}之后、标题{other}之前的自然段，一共有多少段？{paragraph}",
        "从标题{one}到标题{other}，文档{title}共有多少个自然段（其间各级标题之下的都算）？{paragraph}",
    ),
)
_OPENING = {"en": 8, "zh": 16}
"""Words, or characters, by which a question names a paragraph."""


def paragraphs_between(scene: Scene) -> Candidate | Unfit:
    """How many paragraphs stand between two headings."""
    excerpt, language = scene.target, scene.language
    blocks = excerpt.blocks
    if not tally.paragraphs(excerpt):
        return Unfit("no paragraphs, or turns among them")
    names = Counter(normalise(excerpt.content(block)) for block in excerpt.headings)
    heads = [i for i, b in enumerate(blocks) if b.kind == "heading" and names[normalise(excerpt.content(b))] == 1]
    for _ in range(TRIES if len(heads) > 1 else 0):
        one = scene.rng.randrange(len(heads) - 1)
        other = min(len(heads) - 1, one + scene.rng.randint(1, HEADINGS_APART))
        first, last = heads[one], heads[other]
        count = sum(block.kind == "paragraph" for block in blocks[first:last])
        # One paragraph below each of numbered headings could be told from the numbers.
        if not SMALL <= count <= MOST or count == sum(block.kind == "heading" for block in blocks[first:last]):
            continue
        if tally.misleading(excerpt, blocks[first:last]):
            continue
        start, end = (excerpt.content(blocks[index]) for index in (first, last))
        if not tally.alone(excerpt, start) or not tally.alone(excerpt, end):
            continue
        question, template = BETWEEN.pick(
            scene,
            title=named(excerpt),
            one=quoted(start, language),
            other=quoted(end, language),
            paragraph=tally.PARAGRAPH[language],
        )
        solve = partial(_paragraphs_between, excerpt.document.title, start, end)
        places = tuple(Place(0, b.span) for b in blocks[first : last + 1] if b.kind in ("paragraph", "heading"))
        return Candidate(question, template, (str(count),), places, solve, proof=(start, end))
    return Unfit("no two distinct headings with five to sixty paragraphs between them")


def _paragraphs_between(title: str, start: str, end: str, view: View) -> list[str]:
    lines = view.titled(title).lines
    places = [
        [i for i, line in enumerate(lines) if line.kind == "heading" and normalise(line.text) == normalise(name)]
        for name in (start, end)
    ]
    if any(len(found) != 1 for found in places):
        raise LookupError("a heading is missing or stands twice")
    return [str(sum(line.kind == "text" for line in lines[places[0][0] : places[1][0]]))]


def paragraphs_apart(scene: Scene) -> Candidate | Unfit:
    """How many paragraphs stand between two that are named by their first words."""
    excerpt, language = scene.target, scene.language
    blocks = tally.paragraphs(excerpt)
    if len(blocks) < SMALL + 2:
        return Unfit("fewer than seven paragraphs")
    for _ in range(TRIES):
        first = scene.rng.randrange(len(blocks) - SMALL - 1)
        last = scene.rng.randint(first + SMALL + 1, min(len(blocks) - 1, first + MOST + 1))
        start, end = (_opening(excerpt.content(blocks[index]), language) for index in (first, last))
        if start is None or end is None or not excerpt.once(start) or not excerpt.once(end):
            continue
        if tally.misleading(excerpt, blocks[first:last]):
            continue
        question, template = APART.pick(
            scene,
            title=named(excerpt),
            one=quoted(start, language),
            other=quoted(end, language),
            paragraph=tally.PARAGRAPH[language],
        )
        solve = partial(_paragraphs_apart, excerpt.document.title, start, end)
        places = tuple(Place(0, block.span) for block in blocks[first : last + 1])
        gold = (str(last - first - 1),)
        return Candidate(question, template, gold, places, solve, proof=(start, end), once=(start, end))
    return Unfit("no two paragraphs whose first words stand only there")


def _opening(text: str, language: str) -> str | None:
    """The first words of a paragraph that goes on after them, None for one that cannot be quoted."""
    size = _OPENING[language]
    words = list(text[: size + 1]) if language == "zh" else text.split()[: size + 1]
    opening = ("" if language == "zh" else " ").join(words[:size])
    # Numbered paragraphs can be counted without the document.
    quotable = len(words) > size and not re.search(r"[\"“”|#`*_<>{}\\\d]|^\W*[第一二三四五六七八九十]", opening)
    return opening if quotable and sum(map(str.isalpha, opening)) >= 0.6 * len(opening.replace(" ", "")) else None


def _paragraphs_apart(title: str, start: str, end: str, view: View) -> list[str]:
    texts = [normalise(line.text) for line in tally.shown_paragraphs(view.titled(title))]
    ones, others = ([i for i, text in enumerate(texts) if text.startswith(normalise(name))] for name in (start, end))
    if not ones or not others:
        raise LookupError("no paragraph begins like this")
    return [str(last - first - 1) for first in ones for last in others]
