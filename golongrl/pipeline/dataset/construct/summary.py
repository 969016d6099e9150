"""T9, summarization: the document's own abstract or opening paragraph is taken out and asked for."""

import random
import re
from collections.abc import Sequence

from golongrl.core.documents import Block, Span
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import Candidate, Unfit, named
from golongrl.pipeline.dataset.excerpt import Excerpt

SUMMARY_HEADING = re.compile(
    r"^(?:abstract|(?:executive |plain language )?summary|overview|synopsis|in brief|tl;?dr"
    r"|摘要|概要|概述|总结|小结|内容提要|内容简介)$",
    re.IGNORECASE,
)
REFERENCE = {"en": (25, 220), "zh": (50, 500)}
"""Shortest and longest reference, in words or characters."""
COVERED = 0.5
"""Share of the reference's content words that the rest must hold, else the reference summarises something else."""
WORDY = 0.75
"""Least share of letters among the characters of a reference."""
LONGER = 3
"""The rest is at least this many times as long as the reference."""


def own_abstract(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The section that the document itself calls abstract or summary."""
    found = [s for s in excerpt.sections if SUMMARY_HEADING.match(s.title.strip(" .:：0123456789"))]
    found = [s for s in found if all(block.kind in ("paragraph", "item") for block in s.blocks)]
    if not found:
        return Unfit("no section called abstract or summary")
    section = rng.choice(found)
    rest = excerpt.without([section.heading, *section.blocks])
    return _removed(excerpt, rest, section.blocks, whole=True)


def opening(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The document's first paragraph."""
    body = [block for block in excerpt.blocks if block.kind != "heading"]
    if not body or body[0].kind != "paragraph" or excerpt.blocks.index(body[0]) > 1:
        return Unfit("the document does not open with a paragraph")
    return _removed(excerpt, excerpt.without([body[0]]), [body[0]], whole=True)


def section_lead(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The first paragraph of a section; only the rest of this section is shown of the document."""
    found = []
    for section in excerpt.sections:
        first, *others = section.blocks
        if first.kind == "paragraph" and sum(block.kind == "paragraph" for block in others) >= LONGER:
            found.append(section)
    rng.shuffle(found)
    for section in found:
        first, *others = section.blocks
        shown = Excerpt(excerpt.document, [section.heading, *others])
        candidate = _removed(excerpt, shown, [first], whole=False, heading=section.title)
        if isinstance(candidate, Candidate):
            return candidate
    return Unfit("no section opens with a paragraph that sums up the rest")


def _removed(
    excerpt: Excerpt, rest: Excerpt, removed: Sequence[Block], *, whole: bool, heading: str = ""
) -> Candidate | Unfit:
    """A candidate whose reference is the text of the removed blocks."""
    language = excerpt.language
    reference = " ".join(excerpt.content(block) for block in removed)
    low, high = REFERENCE[language]
    size = prose.length(reference, language)
    if not low <= size <= high or reference.rstrip()[-1] not in ".!?。！？”’\"')）":
        return Unfit("the paragraph is too short, too long or no full text")
    if prose.length(rest.text, language) < LONGER * size:
        return Unfit("the rest is too short for a summary")
    sentences = list(prose.sentences(reference, Span(0, len(reference)), language))
    letters = sum(char.isalpha() for char in reference)
    if (len(sentences) < 2 and size < 1.5 * low) or letters < WORDY * len(reference.replace(" ", "")):
        return Unfit("the paragraph is one short sentence, or mostly numbers")
    words = prose.content_words(reference, language)
    if not words or sum(word in rest.flat for word in words) < COVERED * len(words):
        return Unfit("the paragraph does not sum up the rest")
    about = max(10, round(size, -1))
    if language == "zh":
        part = "" if whole else f"的“{heading}”一节"
        question = f"用一段约{about}字的文字概括文档{named(excerpt)}{part}的内容，如同其开头的引言。"
    else:
        part = "the document" if whole else f'the section "{heading}" of the document'
        question = f"Summarise {part} {named(excerpt)} as an opening paragraph of about {about} words would."
    evidence = tuple(block.content for block in removed)
    proof = tuple(excerpt.content(block) for block in removed)
    return Candidate(rest, question, (reference,), evidence, proof, absent=proof)
