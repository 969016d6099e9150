"""T8, sequence ordering: shuffled pieces of a document go back into its order (`dated` orders by date)."""

import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from golongrl.core.documents import Block, Span
from golongrl.core.text import normalise, normalise_item
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import (
    LETTERS,
    Candidate,
    Phrasings,
    Place,
    Scene,
    Unfit,
    distinct,
    lettered,
    named,
    shuffled,
)
from golongrl.pipeline.dataset.excerpt import Excerpt, Sentence
from golongrl.pipeline.dataset.view import View

FEWEST, MOST = 4, 7
DRAWS = 60
"""Selections of which the one that guesses order least well is asked."""
LEANING = 0.2
"""Most that an order may lean to one that can be guessed: 0.5 is that order, or its reverse."""
EVEN = 0.05
"""Lean from which no better selection is looked for."""
LONGEST_LINE = 160
"""Characters of a line that may be an entry of a table of contents."""
POOL = 8
"""Blocks looked at per piece wanted."""
LONG_TEXT = 12
"""Characters from which a label or cell must not stand elsewhere too."""
_NUMERAL = "[零〇○一二两三四五六七八九十百千\\d]+"
NUMBERING = re.compile(
    rf"^\W{{0,2}}(?:第\s?{_NUMERAL}\s?[编章节回卷部篇条款](?:之{_NUMERAL})?[\s　]*"
    r"|(?:chapter|book|part|section|appendix|article|act|scene|letter|volume|step)\s+(?:\d+|[ivxlcdm]+|[a-z])\b[.:)\s—–-]*"
    r"|\d{1,3}(?:\.\d{1,3})*(?:[.)）、:：]\s*|\s+)|[一二三四五六七八九十]{1,3}(?:[)）、.．]\s*|[\s　]+)"
    r"|(?:[a-z]|[ivx]{1,5})(?:[)）]|\.(?=\s))\s*|[①-⑳]\s*)",
    re.IGNORECASE,
)
"""A number, letter or chapter word that gives a piece's place away."""
_EDGE = re.compile(
    r"\b(?:introduct\w*|preface|foreword|prologue|overview|abstract|about|background|getting started|basics|contents"
    r"|conclusions?|concluding|summary|epilogue|append\w+|references|bibliography|index|glossary|acknowledg\w+|final\w*"
    r"|signatures?|schedules?|exhibits?"
    r"|last|first|second|third|next|further|other|more|advanced|end\w*|start\w*|begin\w*|continued|previous\w*|part)\b"
    r"|[总通附]\s*则|一般规定|前言|后记|引言|绪论|概述|概论|简介|导论|结论|结语|小结|总结|附录|附件|参考|其[他它]|最后|开始|\d"
    rf"|第{_NUMERAL}",
    re.IGNORECASE,
)
"""Headings that have their usual place in a document."""
PLACED = re.compile(
    r"\b(?:first\w*|second\w*|third\w*|fourth|finally|lastly|last|next|then|later|earlier|previous\w*|preceding"
    r"|follow\w*|above|below|former|latter|begin\w*|began|start\w*|ends?|ended|ending|conclu\w+|summar\w+|introduc\w+"
    r"|so far|chapters?|sections?|steps?|appendix|already|again|continu\w+|remaining|other|others|eventually)\b"
    r"|首先|其次|再次|最[后终初]|起初|开始|此外|另外|以[上下]|[上下前][述列文回章节款条项]|综上|总之|下面|接下来|接着|然后|随[后即]|后来"
    rf"|先前|此[前后]|至此|于是|[却且话]说|本[章节回条款]|又|其[他它]|第{_NUMERAL}|附则"
    r"|段落\s?\d|(?<!\d)(?:1\d\d\d|20\d\d)(?!\d)|\d\s?年",
    re.IGNORECASE,
)
"""Words and years by which a passage tells its place."""
_TALK_EDGE = re.compile(
    r"\b(?:hello|hi|morning|afternoon|welcome|thanks?|bye|goodbye|meeting|everybody|everyone|agenda|finish\w*|kick|done)\b"
    r"|大家好|各位|谢谢|感谢|再见|欢迎|会议|结束",
    re.IGNORECASE,
)
"""What is said where a talk opens or closes."""
_FIRST_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_WORD = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]")
_RUN_ON = re.compile(r"(?:[;；,，、:：。.]|[;,]?\s+(?:and|or))+$")

T = TypeVar("T")


def spread(items: Sequence[T], size: int, rng: random.Random) -> list[T]:
    """`size` of the items in their order, one from each of as many equal stretches (all, where there are fewer)."""
    size = min(size, len(items))
    bounds = [place * len(items) // size for place in range(size + 1)] if size else [0]
    return [items[rng.randrange(low, high)] for low, high in itertools.pairwise(bounds)]


def leaning(texts: Sequence[str], stem: str) -> float:
    """How far an order goes with, or against, the alphabet, the lengths, the numbers of its texts, and the words that
    they share with the rest of the question: 0 (half of the pairs) to 0.5 (all or none of them)."""
    wanted = set(_WORD.findall(stem.lower()))
    keys: list[list[float] | list[str]] = [
        [text.lower() for text in texts],
        [len(text) for text in texts],
        [float(match[0].replace(",", "")) if (match := _FIRST_NUMBER.search(text)) else -1.0 for text in texts],
        [len(wanted.intersection(_WORD.findall(text.lower()))) for text in texts],
    ]
    pairs = len(texts) * (len(texts) - 1) / 2
    # Pairs with equal keys count for both directions.
    return max(abs(sum((a < b) - (a > b) for a, b in itertools.combinations(key, 2))) / 2 / pairs for key in keys)


def selection(items: Sequence[T], text: Callable[[T], str], stem: str, rng: random.Random) -> list[T] | Unfit:
    """Four to seven items from all over a sequence whose order is hard to guess from their texts and the question."""
    if len(items) < FEWEST:
        return Unfit("fewer than four pieces that do not give their place away")
    best: list[T] = []
    least = 1.0
    for _ in range(DRAWS):
        drawn = spread(items, rng.randint(FEWEST, MOST), rng)
        lean = leaning([text(item) for item in drawn], stem)
        if lean < least:
            best, least = drawn, lean
        if least <= EVEN:
            break
    return (
        best if least <= LEANING else Unfit("the order can be guessed from alphabet, length, numbers or shared words")
    )


def passages(
    excerpt: Excerpt, blocks: Sequence[int], wanted: int, rng: random.Random, fits: Callable[[str], bool]
) -> list[Sentence]:
    """Quotable sentences that fit and stand once in the excerpt, at most one per block, in order, from blocks (given
    by number) all over the sequence."""
    found = []
    for number in spread(blocks, wanted, rng):
        block = excerpt.blocks[number]
        spans = list(prose.sentences(excerpt.document.text, block.content, excerpt.language))
        rng.shuffle(spans)
        for span in spans:
            text = excerpt.document.slice(span)
            if prose.quotable(text, excerpt.language) and fits(text) and excerpt.once(text):
                found.append(Sentence(text, span, number, None, block.speaker))
                break
    return found


def lone_headings(excerpt: Excerpt) -> list[bool]:
    """For each heading, whether no other one reads the same once a reward has normalised it."""
    names = [normalise_item(excerpt.content(heading)) for heading in excerpt.headings]
    count = Counter(names)
    return [bool(name) and count[name] == 1 for name in names]


def lone_text(excerpt: Excerpt, text: str) -> bool:
    """Whether a text is too short to be told by its words, or stands once in an excerpt."""
    return len(text) < LONG_TEXT or (excerpt.language == "en" and len(text.split()) < 5) or excerpt.once(text)


def view_turns(view: View, title: str) -> list[tuple[str, str]]:
    """(speaker, what is said) of every turn that a shown document has."""
    found = []
    for line in view.titled(title).lines:
        speaker, mark, said = line.text.partition(": ")
        if line.kind == "text" and mark:
            found.append((speaker, said))
    return found


def _unplaced(text: str) -> bool:
    return not PLACED.search(text) and not NUMBERING.match(text)


def _by_line(title: str, texts: Sequence[str]) -> Callable[[View], list[str]]:
    """A solver that gives the letters of the texts in the order of the lines that hold them."""

    def solve(view: View) -> list[str]:
        lines = [normalise(line.text) for line in view.titled(title).lines]
        places = []
        for text in map(normalise, texts):
            found = [number for number, line in enumerate(lines) if text in line]
            if len(found) != 1:
                raise LookupError(f"{len(found)} lines hold {text!r}")
            places.append(found[0])
        if len(set(places)) < len(places):
            raise LookupError("two pieces on one line")
        return [LETTERS[index] for index in sorted(range(len(texts)), key=places.__getitem__)]

    return solve


HEADING_ORDER = Phrasings(
    "heading_order",
    en=(
        "Put these headings in the order in which they appear in the document {title}. Numbers that stand before "
        "them there are left out.\n{listed}",
        "The headings below come from the document {title}, without any numbering. Write them down in the order in "
        "which the document has them.\n{listed}",
        "In which order do the following headings (numbering removed) appear in the document {title}? Start with "
        "the one that comes first.\n{listed}",
    ),
    zh=(
        "把下面这些标题按它们在文档{title}中出现的先后顺序排列（标题前的编号已去掉）。\n{listed}",
        "以下标题出自文档{title}，编号已省略。请按文档中的顺序写出它们。\n{listed}",
        "下列标题（不含编号）在文档{title}中依次怎样出现？从最先出现的写起。\n{listed}",
    ),
)


def _bare(line: str) -> str:
    """A line without markers, numbering, dots and page number."""
    return normalise(NUMBERING.sub("", line.lstrip("#- "), count=1)).rstrip(" .·…0123456789")


def heading_order(scene: Scene) -> Candidate | Unfit:
    """Headings, without their numbers, in the order in which they appear."""
    excerpt = scene.target
    found: list[tuple[str, Span]] = []
    for heading in excerpt.headings:
        text = excerpt.content(heading)
        start = heading.content.start + (match.end() if (match := NUMBERING.match(text)) else 0)
        text = excerpt.document.slice(Span(start, heading.content.end)).strip()
        if heading.level > 1 and 2 <= len(text) <= 120 and not _EDGE.search(text) and any(map(str.isalpha, text)):
            found.append((text, Span(start, heading.content.end)))
    # A heading that a table of contents repeats is no question about the text.
    lines = Counter(_bare(line) for line in excerpt.text.split("\n") if len(line) <= LONGEST_LINE)
    found = [pair for pair in found if lines[_bare(pair[0])] == 1 and lone_text(excerpt, pair[0])]
    stem, _ = HEADING_ORDER.pick(scene, title=named(excerpt), listed="")
    chosen = selection(found, lambda pair: pair[0], stem, scene.rng)
    if isinstance(chosen, Unfit):
        return chosen
    gold, title = [text for text, _ in chosen], excerpt.document.title
    if not distinct(gold):
        return Unfit("headings read the same")
    mixed = shuffled(gold, scene.rng)
    question, template = HEADING_ORDER.pick(scene, title=named(excerpt), listed="\n".join(mixed))

    def solve(view: View) -> list[str]:
        names = [normalise(section.title) for section in view.titled(title).sections]
        bare = [normalise(NUMBERING.sub("", name, count=1)) for name in names]
        places = []
        for text in mixed:
            at = [n for n in range(len(names)) if normalise(text) in (names[n], bare[n])]
            if len(at) != 1:
                raise LookupError(f"{len(at)} headings read {text!r}")
            places.append(at[0])
        return [mixed[index] for index in sorted(range(len(mixed)), key=places.__getitem__)]

    evidence = tuple(Place(0, span) for _, span in chosen)
    return Candidate(question, template, tuple(gold), evidence, solve, listed=tuple(mixed))


SENTENCE_ORDER = Phrasings(
    "sentence_order",
    en=(
        "These sentences come from the document {title}. Give their letters in the order in which the sentences "
        "appear there.\n{listed}",
        "Each of the following sentences stands in a different paragraph of the document {title}. Arrange their "
        "letters by where the sentences stand, from the beginning of the document to its end.\n{listed}",
        "In which order do the sentences below appear in the document {title}? Answer with the letters, the "
        "sentence that comes first at the top.\n{listed}",
    ),
    zh=(
        "下面的句子出自文档{title}。按它们在文档中出现的先后顺序写出句子前的字母。\n{listed}",
        "以下各句分别出自文档{title}的不同段落。请从文档开头到结尾，依次写出这些句子对应的字母。\n{listed}",
        "下列句子在文档{title}中的先后次序是怎样的？用字母作答，最先出现的写在最前。\n{listed}",
    ),
)


def sentence_order(scene: Scene) -> Candidate | Unfit:
    """Lettered sentences of different paragraphs in the order in which they appear; the answer is the letters."""
    excerpt = scene.target
    blocks = [number for number, block in enumerate(excerpt.blocks) if block.kind == "paragraph"]
    found = passages(excerpt, blocks, POOL * MOST, scene.rng, _unplaced)
    stem, _ = SENTENCE_ORDER.pick(scene, title=named(excerpt), listed="")
    chosen = selection(found, lambda sentence: sentence.text, stem, scene.rng)
    if isinstance(chosen, Unfit):
        return chosen
    texts = [sentence.text for sentence in chosen]
    return _lettered(scene, SENTENCE_ORDER, texts, texts, [sentence.span for sentence in chosen])


def _lettered(
    scene: Scene,
    phrasings: Phrasings,
    texts: Sequence[str],
    quoted: Sequence[str],
    spans: Sequence[Span],
    **more: str,
) -> Candidate:
    """A question whose pieces `texts`, given in their right order, are listed as `quoted` in random order."""
    order = scene.rng.sample(range(len(texts)), len(texts))
    listed = [quoted[index] for index in order]
    gold = tuple(LETTERS[order.index(index)] for index in range(len(texts)))
    question, template = phrasings.pick(scene, title=named(scene.target), listed=lettered(listed), **more)
    solve = _by_line(scene.target.document.title, [texts[index] for index in order])
    return Candidate(
        question,
        template,
        gold,
        tuple(Place(0, span) for span in spans),
        solve,
        proof=tuple(texts),
        listed=tuple(listed),
        once=tuple(texts),
    )


TURN_ORDER = Phrasings(
    "turn_order",
    en=(
        "The following was said in the conversation of the document {title}, by the speakers named. Give the "
        "letters in the order in which it was said.\n{listed}",
        "Each line below quotes a sentence from a different turn of the document {title}, with its speaker. Put the "
        "letters in the order of these turns.\n{listed}",
        "In what order do these quotations from the document {title} come up in the conversation? Answer with the "
        "letters, the earliest first.\n{listed}",
    ),
    zh=(
        "下面的话都出自文档{title}中的对话，并注明了说话人。按说出的先后顺序写出字母。\n{listed}",
        "以下各行分别引自文档{title}中不同的发言，附有说话人。请按这些发言的先后次序排列字母。\n{listed}",
        "文档{title}的对话中，下列引文是按什么顺序出现的？用字母作答，最早的写在最前。\n{listed}",
    ),
)


def turn_order(scene: Scene) -> Candidate | Unfit:
    """Lettered sentences of different turns, with their speakers, in the order in which they are said."""
    excerpt = scene.target
    blocks = [number for number, block in enumerate(excerpt.blocks) if block.kind == "turn"]
    if len(blocks) < FEWEST:
        return Unfit("fewer than four turns")
    # Most turns of a talk are too short to quote.
    found = passages(
        excerpt, blocks, 4 * POOL * MOST, scene.rng, lambda text: _unplaced(text) and not _TALK_EDGE.search(text)
    )
    stem, _ = TURN_ORDER.pick(scene, title=named(excerpt), listed="")
    chosen = selection(found, lambda sentence: sentence.text, stem, scene.rng)
    if isinstance(chosen, Unfit):
        return chosen
    texts = [sentence.text for sentence in chosen]
    quoted = [f"{sentence.speaker}: {sentence.text}" for sentence in chosen]
    return _lettered(scene, TURN_ORDER, texts, quoted, [sentence.span for sentence in chosen])


STEP_ORDER = Phrasings(
    "step_order",
    en=(
        "The lines below are {what} of the document {title}, without their numbers and marks. Give their letters in "
        "the order in which they stand there.\n{listed}",
        "Here are {what} of the document {title}, shuffled and with the numbering removed. Restore their order and "
        "answer with the letters.\n{listed}",
        "In which order does the document {title} have these {what}? Their numbers are left out; write the letters, "
        "first to last.\n{listed}",
    ),
    zh=(
        "下面是文档{title}中的{what}，编号和符号已去掉。按它们在文档中的先后顺序写出字母。\n{listed}",
        "以下{what}取自文档{title}，已打乱次序并去掉编号。请恢复原来的次序，用字母作答。\n{listed}",
        "下列{what}（编号已省略）在文档{title}中的先后次序是怎样的？从先到后写出字母。\n{listed}",
    ),
)
_WHAT = {
    "list": {"en": "entries of one list", "zh": "同一列表的条目"},
    "steps": {"en": "numbered points that follow each other", "zh": "相连的编号条目"},
    "clauses": {"en": "sentences that open numbered clauses", "zh": "各编号条款开头的句子"},
}
_SHORTEST, _LONGEST = {"en": 12, "zh": 6}, {"en": 240, "zh": 120}


def step_order(scene: Scene) -> Candidate | Unfit:
    """Lettered entries of one list, steps or clauses, their numbers removed, in the order of the document."""
    excerpt, rng = scene.target, scene.rng
    sequences = [("list", run) for run in _lists(excerpt)]
    sequences += [("steps", run) for run in _numbered(excerpt)]
    clauses = _clauses(excerpt)
    if len(clauses) >= FEWEST:
        sequences.append(("clauses", clauses))
    if not sequences:
        return Unfit("no list, steps or clauses of four or more")
    rng.shuffle(sequences)
    reason = "fewer than four pieces that do not give their place away"
    for kind, blocks in sequences[:20]:
        pieces = [piece for block in spread(blocks, POOL * MOST, rng) if (piece := _piece(excerpt, block, kind))]
        pieces = [piece for piece in pieces if excerpt.once(piece[0])]
        what = _WHAT[kind][scene.language]
        stem, _ = STEP_ORDER.pick(scene, title=named(excerpt), listed="", what=what)
        chosen = selection(pieces, lambda piece: piece[0], stem, rng)
        if isinstance(chosen, Unfit):
            reason = chosen.reason
            continue
        texts = [text for text, _ in chosen]
        if distinct(texts):
            spans = [span for _, span in chosen]
            return _lettered(scene, STEP_ORDER, texts, texts, spans, what=what)
    return Unfit(reason)


def _lists(excerpt: Excerpt) -> list[list[Block]]:
    """Lists of four entries or more that stand in one piece."""
    runs = itertools.groupby(excerpt.blocks, key=lambda block: (block.kind == "item", block.group))
    lists = [list(blocks) for (item, _), blocks in runs if item]
    count: dict[int, int] = {}
    for blocks in lists:
        count[blocks[0].group] = count.get(blocks[0].group, 0) + 1
    return [blocks for blocks in lists if len(blocks) >= FEWEST and count[blocks[0].group] == 1]


_ENUMERATOR = re.compile(
    r"^[（(]?(\d{1,2}|[一二三四五六七八九十]{1,3}|[a-z])[)）.、．]\s*|^step\s+(\d{1,2})\s*[.:]\s*", re.I
)


def _numbered(excerpt: Excerpt) -> list[list[Block]]:
    """Runs of four paragraphs or more that are numbered 1, 2, 3 or in another way, one by one."""
    runs: list[list[Block]] = []
    last = None
    for block in excerpt.blocks:
        match = _ENUMERATOR.match(excerpt.content(block)) if block.kind == "paragraph" else None
        value = _value(match[1] or match[2]) if match else None
        if value is not None and last is not None and value == last + 1:
            runs[-1].append(block)
        elif value is not None:
            runs.append([block])
        last = value
    return [run for run in runs if len(run) >= FEWEST]


def _value(numeral: str) -> int:
    if numeral.isdecimal():
        return int(numeral)
    if numeral.isascii():
        return ord(numeral.lower()) - ord("a") + 1
    digits = "〇一二三四五六七八九"
    if "十" not in numeral:
        return digits.index(numeral[0])
    tens, _, ones = numeral.partition("十")
    return 10 * (digits.index(tens) if tens in digits and tens else 1) + (digits.index(ones) if ones else 0)


_CLAUSE = re.compile(
    rf"^第\s?{_NUMERAL}\s?条(?:之{_NUMERAL})?[\s　]*(?=\S)|^(?:article|§)\s*\d+[.:]?\s+", re.IGNORECASE
)


def _clauses(excerpt: Excerpt) -> list[Block]:
    """Paragraphs that open a numbered article of a statute."""
    return [b for b in excerpt.blocks if b.kind == "paragraph" and _CLAUSE.match(excerpt.content(b))]


def _piece(excerpt: Excerpt, block: Block, kind: str) -> tuple[str, Span] | None:
    """What a question lists of an entry or clause, and where it stands; None where it gives its place away."""
    text, language = excerpt.content(block), excerpt.language
    mark = (_CLAUSE if kind == "clauses" else NUMBERING).match(text)
    span = Span(block.content.start + (mark.end() if mark else 0), block.content.end)
    if kind == "clauses":
        span = next(iter(prose.sentences(excerpt.document.text, span, language)), span)
        if not prose.quotable(excerpt.document.slice(span), language):
            return None
    else:
        # The last entry of a list ends otherwise than the rest.
        span = Span(span.start, span.start + len(_RUN_ON.sub("", excerpt.document.slice(span).rstrip())))
    piece = excerpt.document.slice(span)
    fits = _SHORTEST[language] <= len(piece) <= _LONGEST[language] and any(map(str.isalpha, piece))
    return (piece, span) if fits and _unplaced(piece) else None
