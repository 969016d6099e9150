"""What questions that count need of a text: words that can be counted without dispute, and where they stand."""

import itertools
import random
import re
from collections.abc import Iterator, Sequence

from golongrl.core.documents import Block, Document, Span
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.view import Line, Shown

_CHECKED = ("paragraph", "turn", "code")
_MARKED = re.compile(r"\A#{1,6} |\A- |\A\| .*\|\Z|\A(?:\[Document \d+\] |【文档\d+】)|^```$", re.MULTILINE)
SAMPLE = 12_000
"""Characters of text from which words are drawn."""
WORDS_TRIED = 80
LONG = {"en": 5, "zh": 12}
"""Words, or characters, from which a text is long enough to be found by itself."""
MOST_LISTED = 150
"""Most turns or paragraphs that a reader has to go through one by one."""
TOO_MANY = "too many turns or paragraphs to go through"
MISLEADING = "a paragraph reads like a heading, list item, table row or code"
PARAGRAPH = {
    "en": "A paragraph is a line of running text; headings, list items, table rows and code are none.",
    "zh": "一个自然段指一行正文；标题、列表项、表格行和代码不算。",
}
"""What counts as a paragraph, as questions state it."""
TURN = {
    "en": "Every line that opens with a speaker's name and a colon is one turn.",
    "zh": "以发言人名字加冒号开头的每一行算一次发言。",
}
"""What counts as a turn."""
_BESIDE = re.compile(r"[^\W_]|[_'’-]")
_NUMERAL = re.compile("[零〇一二两三四五六七八九十百千万亿几]")


def words(excerpt: Excerpt, rng: random.Random, low: int, high: int) -> Iterator[tuple[str, int]]:
    """Random (content word, occurrences in the excerpt) with `low` to `high` occurrences that nobody can argue about.

    An English word never stands inside or hyphenated to a longer one. A Chinese word is counted as a string, holds no
    numeral, and no two occurrences overlap. Words of the title, of a speaker's name or of mark-up are left
    out.
    """
    language, text = excerpt.language, excerpt.text.lower()
    hidden = "\n".join((excerpt.document.title, *sorted(speakers(excerpt)), prose.markup(excerpt.text))).lower()
    found = sorted(prose.content_words(_sample(excerpt, rng), language))
    rng.shuffle(found)
    for word in found[:WORDS_TRIED]:
        count = text.count(word)
        if not low <= count <= high or word in hidden:
            continue
        if language == "zh" and (word[0] == word[-1] or _NUMERAL.search(word)):
            continue
        if language != "zh" and occurrences(text, word, language) != count:
            continue
        yield word, count


def speakers(excerpt: Excerpt) -> set[str]:
    """Who says the turns of an excerpt."""
    return {block.speaker for block in excerpt.blocks if block.kind == "turn"}


def _sample(excerpt: Excerpt, rng: random.Random) -> str:
    """Text of random blocks of running text, of any block where there is none."""
    blocks = [block for block in excerpt.blocks if block.kind in ("paragraph", "turn", "item")] or list(
        excerpt.blocks
    )
    parts, size = [], 0
    for index in rng.sample(range(len(blocks)), min(len(blocks), 400)):
        parts.append(excerpt.content(blocks[index])[:2000])
        size += len(parts[-1])
        if size > SAMPLE:
            break
    return "\n".join(parts)


def occurrences(text: str, word: str, language: str) -> int:
    """How often a word stands in a text: whole words in any case for English, plain occurrences for Chinese."""
    if language == "zh":
        return text.count(word)
    text, count, at = text.lower(), 0, -1
    while (at := text.find(word, at + 1)) >= 0:
        end = at + len(word)
        count += not (_BESIDE.match(text[at - 1 : at]) or _BESIDE.match(text[end : end + 1]))
    return count


def quoted(word: str, language: str) -> str:
    return f"“{word}”" if language == "zh" else f'"{word}"'


def lines(block: Block) -> list[Span]:
    """The spans that a block shows: its rows where it is a table, itself otherwise."""
    if block.table is None:
        return [block.span]
    return [block.table.header, *(row.span for row in block.table.rows)]


def spans_with(excerpt: Excerpt, word: str) -> list[Span]:
    """The blocks, and table rows, that hold a word (one of `words`)."""
    return spans_in(excerpt, excerpt.blocks, word)


def spans_in(excerpt: Excerpt, blocks: Sequence[Block], word: str) -> list[Span]:
    """Those of some blocks."""
    every = itertools.chain.from_iterable(lines(block) for block in blocks)
    return [span for span in every if word in excerpt.document.slice(span).lower()]


def misleading(excerpt: Excerpt, blocks: Sequence[Block] | None = None) -> bool:
    """Whether a paragraph or turn (of these blocks, else of the excerpt) reads like a line of another kind, so that
    counting lines by kind is doubtful."""
    return any(
        _MARKED.search(excerpt.content(block) if block.kind == "code" else excerpt.document.slice(block.span))
        for block in (excerpt.blocks if blocks is None else blocks)
        if block.kind in _CHECKED
    )


def alone(excerpt: Excerpt, text: str) -> bool:
    """Whether a text is a short one or stands in the excerpt once: a long answer must not stand beside its evidence
    (`refine.WHOLE_ANSWER`)."""
    return prose.length(text, excerpt.language) < LONG[excerpt.language] or excerpt.once(text)


def paragraphs(excerpt: Excerpt) -> list[Block]:
    """Blocks of running text; empty where the excerpt holds turns, which nobody calls paragraphs."""
    if any(block.kind == "turn" for block in excerpt.blocks):
        return []
    return [block for block in excerpt.blocks if block.kind == "paragraph"]


def shown_paragraphs(shown: Shown) -> list[Line]:
    """Lines of running text of a shown document."""
    return [line for line in shown.lines if line.kind == "text"]


def holds_paragraphs(document: Document) -> int:
    """Paragraphs of a document without turns (criterion `paragraphs`)."""
    return 0 if document.by_kind["turn"] else len(document.by_kind["paragraph"])
