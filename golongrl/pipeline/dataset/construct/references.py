"""What is fit to be a reference summary: a text by which a document, chapter or section sums itself up."""

import itertools
import re
from collections.abc import Sequence

from golongrl.core.documents import Block, Document, Span
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import Unfit

SUMMARY_HEADING = re.compile(
    r"^(?:abstract|(?:executive |plain language |chapter |section )?summary|overview|synopsis|in brief|tl;?dr|recap"
    r"|key (?:points|takeaways)"
    r"|摘\s*要|概要|概述|综述|总结|小结|本[章节]小结|本[章节]提要|内容提要|内容简介|内容摘要|提要)$",
    re.IGNORECASE,
)
SUMMARY_MARK = re.compile(
    r"^\W{0,2}(?:abstract|summary|摘\s*要|内容提要|内容摘要|内容简介|提要)\W{0,2}(?:[:：.—–-]|】|］|\])\s*",
    re.IGNORECASE,
)
"""How a paragraph starts that calls itself an abstract."""
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
ASIDE = re.compile(
    r"^\W*(?:note|tip|hint|warning|caution|important|example|see also)\b\W"
    r"|^\W*(?:注意|提示|警告|小心|重要|注|例如|示例)(?:\W|$)",
    re.IGNORECASE,
)
"""How a paragraph starts that stands beside the text."""
OUTLOOK = re.compile(
    r"\bnext,? (?:chapter|section|part|we|let)|\bthe (?:following|previous) chapter|下一[章节]|上一[章节]",
    re.IGNORECASE,
)
"""Words on what stands in other chapters, which nobody can sum up from this one."""
ANNOUNCES = re.compile(
    r"\b(?:this|the present) (?:chapter|section|part|appendix|article|document|manual|guide|page|paper|report|book"
    r"|handbook|policy|agreement|note)\b|\bwe(?:’ll|'ll| will| shall)\b|\b(?:in|below|here),? we\b"
    r"|本[章节文篇书]|本部分|本手册|本指南|本文档|本报告|[这此]一?[章节](?!能)"
    r"|下面(?:将|来|介绍|讨论|说明|列出)|以下(?:各[章节]|介绍|内容|说明)",
    re.IGNORECASE,
)
"""Words by which an introduction says what the text after it is about."""
STEP = re.compile(
    r"^(?:Let[’']s|The first|We can also)\b|^(?:[A-Z][\w’,-]+ ){2,}[^.]{0,60}: "
    r"|\[[A-Za-z-]+[:-][\w,:-]+\]|\bListing \d|\bthe following list\b|下列方式|如下[：。]"
)
"""Signs that a paragraph is one step of a text: it goes on from another, opens with a run-in heading, holds labels of
cross-references, or leads to what stands right behind it."""
RULE = re.compile(r"\b(?:must|shall|should|may not)\b|必须|应当|应该|不得", re.IGNORECASE)
"""Words of a rule, which is part of a text and does not introduce it."""
TOPICS, OF_TOPICS = 4, 8
"""An introduction without such words holds so many of so many most frequent words of the text after it."""
COVERED = 0.5
"""Share of the reference's content words that the rest must hold, else the reference summarises something else."""
WORDY = 0.75
"""Least share of letters among the characters of a reference."""
LONGER = 3
"""The rest is at least this many times as long as the reference."""
_COUNTED = re.compile(r"[\u3400-\u9fff]|[A-Za-z0-9]+")
SENTENCE = {"en": 6, "zh": 12}
"""Words or characters from which a sentence of a reference may not stand in the context."""


def is_summary(title: str) -> bool:
    """Whether a heading is what documents call their own summary."""
    return SUMMARY_HEADING.match(title.strip(" .:：、0123456789")) is not None


def marked(text: str) -> str | None:
    """What follows "Abstract:" in a paragraph that starts so, else None."""
    match = SUMMARY_MARK.match(text)
    return text[match.end() :] if match else None


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
    letters = sum(map(str.isalpha, text))
    sentences = list(prose.sentences(text, Span(0, len(text)), language))
    if (len(sentences) < 2 and size < 1.5 * low) or letters < WORDY * len(text.replace(" ", "")):
        return "the paragraph is one short sentence, or mostly numbers"
    if text[0] in "\"'“‘「『":
        return "the paragraph opens with speech"
    if CLAUSE.match(text):
        return "the paragraph is a numbered clause"
    if STORY.search(text):
        return "the paragraph tells a story"
    if STEP.search(text):
        return "the paragraph is one step of the text"
    if ASIDE.match(text) or OUTLOOK.search(text):
        return "the paragraph is an aside, or speaks of other chapters"
    return None


def names_subject(title: str, text: str, language: str) -> bool:
    """Whether a text holds a word of a title, inflected or not (two characters of a Chinese one): a paragraph that
    sums something up says what."""
    if language == "zh":
        signs = [char for char in title if "\u4e00" <= char <= "\u9fff"]
        return any(a + b in text for a, b in itertools.pairwise(signs))
    words = [word for word in re.findall(r"[a-z]{4,}", title.lower()) if word not in prose.STOPWORDS]
    text = text.lower() if words else ""
    for word in words:
        stem = word[:6] if len(word) > 6 else word.rstrip("s")
        # Looking for the letters first is many times faster than trying the expression.
        if stem in text and re.search(rf"\b{stem}" if len(word) > 6 else rf"\b{stem}(?:e?s)?\b", text):
            return True
    return False


def introduces(text: str, rest: str, language: str) -> bool:
    """Whether a paragraph says what the text after it is about, instead of being its first step."""
    if ANNOUNCES.search(text) or RULE.search(text):
        return ANNOUNCES.search(text) is not None
    counts = prose.content_words(rest, language)
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:OF_TOPICS]
    flat = normalise(text)
    return sum(word in flat for word in frequent) >= TOPICS


def unfit_for(text: str, rest: str, language: str) -> Unfit | None:
    """Why a text is no reference summary of a rest, or None."""
    problem = unfit_reference(text, language)
    if problem:
        return Unfit(problem)
    if prose.length(rest, language) < LONGER * prose.length(text, language):
        return Unfit("the rest is too short for a summary")
    words = prose.content_words(text, language)
    flat = normalise(rest)
    if not words or sum(word in flat for word in words) < COVERED * len(words):
        return Unfit("the paragraph does not sum up the rest")
    return None


def about(text: str, language: str) -> str:
    """The length of a reference, rounded, as a question asks for it."""
    # A reader counts a Latin word or a number inside Chinese text as one.
    size = len(_COUNTED.findall(text)) if language == "zh" else prose.length(text, language)
    return str(max(10, round(size, -1)))


def fragments(texts: Sequence[str], language: str) -> tuple[str, ...]:
    """The texts and their longer sentences: what a context may not hold where they are withheld."""
    found = list(texts)
    for text in texts:
        parts = (text[part.start : part.end] for part in prose.sentences(text, Span(0, len(text)), language))
        found += [part for part in parts if prose.length(part, language) >= SENTENCE[language]]
    return tuple(dict.fromkeys(found))
