"""Words that questions count, and where they stand in an excerpt or in all documents of a prompt."""

import bisect
import itertools
import operator
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from golongrl.core.documents import Block, Span
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import Scene, Unfit, distinct
from golongrl.pipeline.dataset.excerpt import Excerpt

BESIDE = 10
"""Characters on both sides of a Chinese word that show whether it is one."""
MOST_PLACES = 300
FEWEST_DOCUMENTS = 4
"""Documents that a prompt must show for a question about the words of all of them."""
WORDS_TRIED, SHARED_TRIED = 120, 360
PIECES, PIECE = 24, {"en": 1_000, "zh": 500}
"""Random stretches of a long text, and their characters, in which words are looked for."""
SHORTEST = {"en": 5, "zh": 2}
"""Characters of the shortest content word (`prose.content_words`)."""
SHORT = 50_000
"""Characters of a text in which too few words are frequent for all of them to be counted one by one."""
GOOD_ENOUGH = 3
"""Words that would do, of which the one with the widest evidence and the most items is taken."""
_JOINTS = frozenset("-'’/.@\\:")
_MARKUP = frozenset("_{}<>")
_HAN = ("\u3400", "\u9fff")
_LETTERS = re.compile("[a-z]{5,}")

K = TypeVar("K")


class Words:
    """Where words stand in an excerpt, leaving out words whose counting would be a question of taste."""

    def __init__(self, excerpt: Excerpt):
        self.excerpt = excerpt
        self.start = excerpt.blocks[0].span.start
        self.text = _lower(excerpt.document.text[self.start : excerpt.blocks[-1].span.end])
        self._markup = prose.markup(self.text)
        self._blocks = [block.span.start for block in excerpt.blocks]
        self._heads = [block.span.start for block in excerpt.headings]

    def sample(self, rng: random.Random, pieces: int = PIECES) -> list[str]:
        """Content words of random places of the excerpt, in random order."""
        piece = PIECE[self.excerpt.language]
        starts, size = [0], len(self.text)
        if size > pieces * piece:
            starts, size = sorted(rng.sample(range(size - piece), pieces)), piece
        sampled = "\n".join(self.text[start : start + size] for start in starts)
        words = sorted(prose.content_words(sampled, self.excerpt.language))
        rng.shuffle(words)
        return words

    def often(self, words: Iterable[str], low: int, high: int) -> Iterator[str]:
        """Those of some content words that stand in the excerpt so many times, inside longer words too."""
        if len(self.text) < SHORT:
            # Most words of a short text are rare, as the count of all its runs of so many letters tells at once.
            size = SHORTEST[self.excerpt.language]
            starts = Counter(self.text[at : at + size] for at in range(len(self.text)))
            words = [word for word in words if starts[word[:size]] >= low]
        return (word for word in words if low <= self.text.count(word) <= high)

    def places(self, word: str) -> list[int] | None:
        """Offsets in the document at which the excerpt shows a word. None when it also stands inside longer words
        ("list" in "lists"), in a speaker's name, in mark-up, or too often; of a Chinese word, ask `certain` too."""
        if word in self._markup:
            return None
        found, at = list[int](), self.text.find(word)
        while at >= 0:
            end = at + len(word)
            if self.excerpt.language != "zh" and not self._apart(at, end):
                return None
            block = self.block(self.start + at)
            if block.kind == "turn" and self.start + at < block.content.start:
                return None
            if block.table is None or self.excerpt.locate(Span(self.start + at, self.start + end)):
                found.append(self.start + at)
            if len(found) > MOST_PLACES:
                return None
            at = self.text.find(word, end)
        return found

    def _apart(self, start: int, end: int) -> bool:
        return not (_joins(self.text[max(0, start - 2) : start][::-1]) or _joins(self.text[end : end + 2]))

    def certain(self, word: str, places: Sequence[int]) -> bool:
        """Whether word segmentation finds a Chinese word at all its places, none of them across two words."""
        if self.excerpt.language != "zh":
            return True
        runs = [self._run(place - self.start, place - self.start + len(word)) for place in places]
        return all(prose.content_words(run, "zh")[word] == run.count(word) for run in dict.fromkeys(runs))

    def _run(self, start: int, end: int) -> str:
        """The Chinese characters around a place, a few on both sides."""
        low, high = start, end
        while low > max(0, start - BESIDE) and _HAN[0] <= self.text[low - 1] <= _HAN[1]:
            low -= 1
        while high < min(len(self.text), end + BESIDE) and _HAN[0] <= self.text[high] <= _HAN[1]:
            high += 1
        return self.text[low:high]

    def block(self, place: int) -> Block:
        """The block at an offset of the document."""
        return self.excerpt.blocks[bisect.bisect_right(self._blocks, place) - 1]

    def around(self, places: Sequence[int]) -> list[Span]:
        """The blocks (rows, of tables) at some offsets, each once."""
        spans = {}
        for place in places:
            block = self.block(place)
            parts = (block.span,)
            if block.table is not None:
                parts = (block.table.header, *(row.span for row in block.table.rows))
            spans.update(dict.fromkeys(part for part in parts if part.start <= place < part.end))
        return list(spans)

    def by_heading(self, word: str) -> dict[int, list[int]] | None:
        """The places of a word below each heading, by the heading's number, up to the next heading; None where
        `places` has none or one is in a heading."""
        places = self.places(word)
        if not places or any(self.block(place).kind == "heading" for place in places):
            return None
        found: dict[int, list[int]] = {}
        for place in places:
            number = bisect.bisect_right(self._heads, place) - 1
            if number >= 0:
                found.setdefault(number, []).append(place)
        return found

    def width(self, held: Mapping[K, Sequence[int]]) -> float:
        """Share of the excerpt between the first and the last of some offsets."""
        places = merged(held)
        return (max(places) - min(places)) / max(1, len(self.text))


def merged(held: Mapping[K, Sequence[int]]) -> list[int]:
    """All places of groups of them."""
    return [place for found in held.values() for place in found]


def _lower(text: str) -> str:
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    # A few letters become two; offsets must stay those of the document.
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def finder(text: str, language: str) -> Callable[[str], bool]:
    """Whether content words stand in a text in lower case, inside longer words too: `in`, for many words."""
    if language == "zh":
        pairs = set(map(operator.add, text, text[1:]))
        return lambda word: word[:2] in pairs and word in text
    # A word lies inside one run of letters, and a text holds the same ones many times.
    return "\n".join(set(_LETTERS.findall(text))).__contains__


def _joins(beside: str) -> bool:
    """Whether the two characters beside a word, the nearest first, make it part of a longer one."""
    near, far = beside[:1], beside[1:]
    return near.isalnum() or near in _MARKUP or (near in _JOINTS and far.isalnum())


class ContextWords:
    """Where words stand in all excerpts of a prompt."""

    def __init__(self, scene: Scene):
        self.words = [Words(excerpt) for excerpt in scene.excerpts]
        pieces = max(2, PIECES // len(self.words))
        sampled = dict.fromkeys(word for words in self.words for word in words.sample(scene.rng, pieces))
        titles = normalise(" ".join(excerpt.document.title for excerpt in scene.excerpts))
        # A word of a title would leave open whether titles count.
        self.sampled = [word for word in sampled if word not in titles]
        scene.rng.shuffle(self.sampled)

    def shared(self, least: int) -> list[str]:
        """Sampled words that at least so many excerpts seem to hold, in random order."""
        finders = [finder(words.text, words.excerpt.language) for words in self.words]
        sampled = self.sampled[:SHARED_TRIED]
        found = (word for word in sampled if sum(holds(word) for holds in finders) >= least)
        return list(itertools.islice(found, WORDS_TRIED))

    def certain(self, word: str, held: Mapping[int, Sequence[int]]) -> bool:
        """Whether a word is one at all its places."""
        return all(self.words[number].certain(word, places) for number, places in held.items())

    def places(self, word: str) -> dict[int, list[int]] | None:
        """The places of a word in each excerpt that shows it; None when any is doubtful."""
        found: dict[int, list[int]] = {}
        for number, words in enumerate(self.words):
            places = words.places(word)
            if places is None:
                return None
            if places:
                found[number] = places
        return found


def context_words(scene: Scene) -> ContextWords | Unfit:
    """The words of a prompt's documents, whose titles must name them."""
    if len(scene.excerpts) < FEWEST_DOCUMENTS:
        return Unfit("fewer than four documents in the prompt")
    if not distinct([excerpt.document.title for excerpt in scene.excerpts]):
        return Unfit("two documents have the same title")
    return ContextWords(scene)
