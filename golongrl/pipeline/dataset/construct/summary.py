"""T9, summarization: the document's own abstract or opening paragraph is taken out and asked for."""

import itertools
import random
import re
from collections.abc import Sequence

from golongrl.core.documents import Block, Document, Span
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
CLAUSE = re.compile(
    r"第\s?[一二三四五六七八九十百千零〇两\d]+\s?[条款项]|[（(]?[一二三四五六七八九十]+[)）、]|[（(]?\d{1,3}[.)）、]\s|§"
    r"|(?:article|clause|section|sec\.)\s+\d",
    re.IGNORECASE,
)
"""How a numbered clause starts: it is the first rule of its section, not the sum of the others."""
STORY = re.compile(r"^(?:却说|话说|且说|再说)|[：，]“")
"""Signs that a Chinese paragraph tells a story instead of summing one up."""
COVERED = 0.5
"""Share of the reference's content words that the rest must hold, else the reference summarises something else."""
WORDY = 0.75
"""Least share of letters among the characters of a reference."""
LONGER = 3
"""The rest is at least this many times as long as the reference."""


def own_abstract(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The section that the document itself calls abstract or summary."""
    found = [s for s in excerpt.sections if is_summary(s.title)]
    found = [s for s in found if all(block.kind in ("paragraph", "item") for block in s.blocks)]
    if not found:
        return Unfit("no section called abstract or summary")
    section = rng.choice(found)
    rest = excerpt.without([section.heading, *section.blocks])
    reference, problem = _reference(excerpt, rest, section.blocks)
    if problem:
        return problem
    about = _about(reference, excerpt.language)
    question = (
        f"用约{about}字概括文档{named(excerpt)}，如同其“{section.title}”一节。"
        if excerpt.language == "zh"
        else f"Summarise the document {named(excerpt)} in about {about} words, as its section "
        f'"{section.title}" would.'
    )
    return _candidate(rest, question, section.blocks)


def opening(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The document's first paragraph."""
    first = first_paragraph(excerpt.document)
    if first is None or first not in excerpt.blocks:
        return Unfit("the document does not open with a paragraph")
    rest = excerpt.without([first])
    reference, problem = _reference(excerpt, rest, [first])
    if problem:
        return problem
    if not names_subject(excerpt.document.title, reference, excerpt.language):
        return Unfit("the first paragraph does not name the document's subject")
    about = _about(reference, excerpt.language)
    question = (
        f"用约{about}字概括文档{named(excerpt)}的内容，如同其开头的引言。"
        if excerpt.language == "zh"
        else f"Summarise the document {named(excerpt)} in about {about} words, as its opening paragraph would."
    )
    return _candidate(rest, question, [first])


def section_lead(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The first paragraph of a section; only the rest of this section is shown of the document."""
    found = []
    for section in excerpt.sections:
        first, *others = section.blocks
        if first.kind == "paragraph" and sum(block.kind in ("paragraph", "item") for block in others) > 1:
            found.append(section)
    rng.shuffle(found)
    for section in found:
        first, *others = section.blocks
        rest = Excerpt(excerpt.document, [section.heading, *others])
        reference, problem = _reference(excerpt, rest, [first])
        if problem or not names_subject(section.title, reference, excerpt.language):
            continue
        about = _about(reference, excerpt.language)
        question = (
            f"用约{about}字概括文档{named(excerpt)}的“{section.title}”一节，如同该节开头的引言。"
            if excerpt.language == "zh"
            else f'Summarise the section "{section.title}" of the document {named(excerpt)} in about {about} words, '
            "as its opening paragraph would."
        )
        return _candidate(rest, question, [first])
    return Unfit("no section opens with a paragraph that sums up the rest")


def is_summary(title: str) -> bool:
    """Whether a heading is what documents call their own summary."""
    return SUMMARY_HEADING.match(title.strip(" .:：0123456789")) is not None


def first_paragraph(document: Document) -> Block | None:
    """The paragraph that opens a document, after its title at most; None when it opens otherwise or is no fit
    reference."""
    place = next((i for i, block in enumerate(document.blocks) if block.kind != "heading"), None)
    if place is None or place > 1 or document.blocks[place].kind != "paragraph":
        return None
    block = document.blocks[place]
    return None if unfit_reference(document.slice(block.content), document.language) else block


def unfit_reference(text: str, language: str) -> str | None:
    """Why a text cannot be a reference summary, or None."""
    low, high = REFERENCE[language]
    size = prose.length(text, language)
    if not low <= size <= high or text.rstrip()[-1] not in ".!?。！？”’\"')）":
        return "the paragraph is too short, too long or no full text"
    letters = sum(char.isalpha() for char in text)
    sentences = list(prose.sentences(text, Span(0, len(text)), language))
    if (len(sentences) < 2 and size < 1.5 * low) or letters < WORDY * len(text.replace(" ", "")):
        return "the paragraph is one short sentence, or mostly numbers"
    if text[0] in "\"'“‘「『":
        return "the paragraph opens with speech"
    if CLAUSE.match(text):
        return "the paragraph is a numbered clause"
    if STORY.search(text):
        return "the paragraph tells a story"
    return None


def names_subject(title: str, text: str, language: str) -> bool:
    """Whether a text holds the start of a word of a title (two characters of a Chinese one): a paragraph that sums
    something up says what."""
    if language == "zh":
        signs = [char for char in title if "\u4e00" <= char <= "\u9fff"]
        return any(a + b in text for a, b in itertools.pairwise(signs))
    words = re.findall(r"[a-z]{4,}", title.lower())
    return any(word[:6] in text.lower() for word in words if word not in prose.STOPWORDS)


def _reference(excerpt: Excerpt, rest: Excerpt, removed: Sequence[Block]) -> tuple[str, Unfit | None]:
    """The text of the removed blocks, and why it is no reference summary of the rest, if so."""
    language = excerpt.language
    reference = " ".join(excerpt.content(block) for block in removed)
    problem = unfit_reference(reference, language)
    if problem:
        return reference, Unfit(problem)
    if prose.length(rest.text, language) < LONGER * prose.length(reference, language):
        return reference, Unfit("the rest is too short for a summary")
    words = prose.content_words(reference, language)
    if not words or sum(word in rest.flat for word in words) < COVERED * len(words):
        return reference, Unfit("the paragraph does not sum up the rest")
    return reference, None


def _about(reference: str, language: str) -> int:
    return max(10, round(prose.length(reference, language), -1))


def _candidate(rest: Excerpt, question: str, removed: Sequence[Block]) -> Candidate:
    texts = tuple(rest.content(block) for block in removed)
    evidence = tuple(block.content for block in removed)
    return Candidate(rest, question, (" ".join(texts),), evidence, texts, absent=texts)
