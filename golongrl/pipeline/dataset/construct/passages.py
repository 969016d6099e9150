"""Quotable sentences of an excerpt, drawn at random without reading all of it."""

import functools
import itertools
import random
import re

from golongrl.core.documents import Block
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.excerpt import Excerpt, Sentence

_LATIN = re.compile(r"[a-z0-9]+")
_HAN = re.compile(r"[\u3400-\u9fff]+")


def drawn(excerpt: Excerpt, rng: random.Random, wanted: int) -> list[list[Sentence]]:
    """The quotable sentences of randomly drawn paragraphs and turns, one list per block, until about `wanted` are
    found. Sentences that read the same as an earlier one are left out; whether one stands elsewhere too, only
    `Excerpt.once` tells."""
    heads: list[Block | None] = []
    heading = None
    for block in excerpt.blocks:
        heading = block if block.kind == "heading" else heading
        heads.append(heading)
    running = [number for number, block in enumerate(excerpt.blocks) if block.kind in ("paragraph", "turn")]
    rng.shuffle(running)
    found: list[list[Sentence]] = []
    seen: set[str] = set()
    for number in running:
        block, kept = excerpt.blocks[number], []
        for span in prose.sentences(excerpt.document.text, block.content, excerpt.language):
            text = excerpt.document.slice(span)
            if prose.quotable(text, excerpt.language) and (name := normalise(text)) not in seen:
                seen.add(name)
                kept.append(Sentence(text, span, number, heads[number], block.speaker))
        if kept:
            found.append(kept)
        if len(seen) >= wanted:
            break
    return found


def sentences(excerpt: Excerpt, rng: random.Random, wanted: int) -> list[Sentence]:
    """About `wanted` quotable sentences in random order."""
    found = list(itertools.chain.from_iterable(drawn(excerpt, rng, wanted)))
    rng.shuffle(found)
    return found


def following(excerpt: Excerpt, block: list[Sentence]) -> list[tuple[Sentence, Sentence]]:
    """The pairs of one block's sentences in which the second comes directly after the first."""
    text = excerpt.document.text
    return [(a, b) for a, b in itertools.pairwise(block) if not text[a.span.end : b.span.start].strip()]


@functools.lru_cache(maxsize=4_096)
def terms(text: str) -> frozenset[str]:
    """The distinct words of a text: runs of Latin letters and digits in lower case, pairs of Han characters."""
    plain = normalise(text)
    pairs = (run[at : at + 2] for run in _HAN.findall(plain) for at in range(max(1, len(run) - 1)))
    return frozenset((*_LATIN.findall(plain), *pairs))


def gives_away(name: str, text: str) -> bool:
    """Whether a text holds a telling word of a name (four letters or two Han characters or more, numbers too)."""
    words = terms(name)
    telling = {word for word in words if len(word) >= 4 or not word.isascii() or word.isdigit()}
    telling -= prose.STOPWORDS | prose.ZH_STOPWORDS
    return not telling.isdisjoint(terms(text)) or (not telling and normalise(name) in normalise(text))
