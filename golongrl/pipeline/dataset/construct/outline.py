"""T5, structured extraction from documents without tables: their headings, paragraphs and speakers as rows."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal

from golongrl.core.documents import Block, Document
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import tally
from golongrl.pipeline.dataset.construct.extraction import FEWEST, MOST, TRIES, distinct_rows, table_json
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, named
from golongrl.pipeline.dataset.construct.tally import quoted
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.view import View

LEAST_HELD = 3
"""Fewest sections or paragraphs that hold a word asked for."""

OUTLINE = Phrasings(
    "outline_rows",
    en=(
        "In the document {title}, take every heading {range}. For each give a row of the heading's text and the "
        "number of paragraphs between it and the next heading. {paragraph}",
        "Make a table of all headings {range} in the document {title}: first column the text of the heading, second "
        "column how many paragraphs stand below it before the next heading. {paragraph}",
        "For each heading {range} in the document {title}, extract its text and count the paragraphs that follow it "
        "up to the next heading of any level; one row per heading. {paragraph}",
    ),
    zh=(
        "在文档{title}中，取{range}的每个标题，各给出一行：标题的文字，以及它与下一个标题之间的自然段数。{paragraph}",
        "把文档{title}中{range}的全部标题列成表：第一列为标题的文字，第二列为其下、下一个标题之前的自然段数。{paragraph}",
        "对文档{title}中{range}的每个标题，提取其文字，并统计它之后直到下一个标题（不论级别）为止的自然段数，每个标题一行。{paragraph}",
    ),
)

_COUNTED = re.compile(r"\d+|\b[IVXLCDM]+\b|第?[零〇一二两三四五六七八九十百千]+[编章节回卷部篇条]?")


def outline_rows(scene: Scene) -> Candidate | Unfit:
    """Headings from one to another, with the number of paragraphs directly below each."""
    excerpt, language = scene.target, scene.language
    blocks = excerpt.blocks
    heads = [index for index, block in enumerate(blocks) if block.kind == "heading"]
    names = Counter(normalise(excerpt.content(blocks[index])) for index in heads)
    if any(block.kind == "turn" for block in blocks) or len(heads) < 3:
        return Unfit("fewer than three headings, or turns below them")
    for _ in range(TRIES):
        size = scene.rng.randint(3, min(MOST, len(heads)))
        first = scene.rng.randrange(len(heads) - size + 1)
        ends = (*heads, len(blocks))[first : first + size + 1]
        part = blocks[ends[0] : ends[-1]]
        texts = [excerpt.content(blocks[index]) for index in ends[:-1]]
        counts = [sum(block.kind == "paragraph" for block in blocks[a:b]) for a, b in itertools.pairwise(ends)]
        told = all(names[normalise(text)] == 1 for text in (texts[0], texts[-1]))
        told = told and all(tally.alone(excerpt, text) for text in texts)
        rows = list(zip(texts, counts, strict=True))
        guessed = Counter(counts).most_common(1)[0][1]
        if not told or 2 * guessed > size or any(map(_bare, texts)):
            continue
        if not distinct_rows(rows) or tally.misleading(excerpt, part):
            continue
        start, end = quoted(texts[0], language), quoted(texts[-1], language)
        question, template = OUTLINE.pick(
            scene,
            title=named(excerpt),
            range=(f"从{start}到{end}（含两者）" if language == "zh" else f"from {start} to {end} (both included)"),
            paragraph=tally.PARAGRAPH[language],
        )
        places = tuple(Place(0, block.span) for block in part if block.kind in ("heading", "paragraph"))
        solve = partial(_outlined, excerpt.document.title, texts[0], texts[-1])
        return Candidate(question, template, (table_json(rows),), places, solve, proof=tuple(dict.fromkeys(texts)))
    return Unfit("no stretch of three to twelve headings with different numbers of paragraphs")


def _bare(heading: str) -> bool:
    """Whether a heading is a number with hardly a word beside it, so that its neighbours can be told from it."""
    words = _COUNTED.sub(" ", heading)
    han = len(re.findall(r"[\u3400-\u9fff]", words))
    return words != heading and han <= 2 and len(re.findall(r"[^\W\d_\u3400-\u9fff]{2,}", words)) <= 1


def _outlined(title: str, start: str, end: str, view: View) -> list[str]:
    sections = view.titled(title).sections
    ends = [[i for i, s in enumerate(sections) if normalise(s.title) == normalise(name)] for name in (start, end)]
    if any(len(found) != 1 for found in ends):
        raise LookupError("a heading is missing or stands twice")
    asked = sections[ends[0][0] : ends[1][0] + 1]
    return [table_json([[s.title, sum(line.kind == "text" for line in s.lines)] for s in asked])]


SECTION_WORDS = Phrasings(
    "section_word_rows",
    en=(
        "In the document {title}, find every heading whose own text, up to the next heading, holds the word {word}. "
        "For each give a row of the heading and the number of times that {word} occurs in the text below it. {whole}",
        "Make a table of the headings of the document {title} below which, before the next heading, the word {word} "
        "occurs: first column the heading, second column how often it occurs there. {whole}",
        "For each section of the document {title} (a heading and the text up to the next heading) with the word "
        "{word} in the text below its heading, extract one row: heading, occurrences of {word} below it. {whole}",
    ),
    zh=(
        "在文档{title}中，找出其下、下一个标题之前的文字里出现了{word}一词的所有标题，各给出一行：标题，以及{word}在其下文字中出现的次数。{whole}",
        "把文档{title}中其下（到下一个标题为止）含有{word}的标题列成表：第一列为标题，第二列为{word}在那里出现的次数。{whole}",
        "以一个标题到下一个标题为一节，对文档{title}中标题之下的文字含有{word}的每一节提取一行：标题、{word}在其下出现的次数。{whole}",
    ),
)
_WHOLE = {
    "en": "Count whole words in upper or lower case.",
    "zh": "按字面计算次数，作为更长词语的一部分出现时也算。",
}


def section_word_rows(scene: Scene) -> Candidate | Unfit:
    """The headings below which a word stands, with how often it does."""
    excerpt, language = scene.target, scene.language
    sections = excerpt.sections
    if len(sections) < 4:
        return Unfit("fewer than four sections")
    if tally.misleading(excerpt):
        return Unfit(tally.MISLEADING)
    bodies = [section.body.lower() for section in sections]
    for word, _ in tally.words(excerpt, scene.rng, LEAST_HELD + 1, 10 * MOST):
        held = [section for section, body in zip(sections, bodies, strict=True) if word in body]
        if not LEAST_HELD <= len(held) <= min(MOST, 4 * len(sections) // 5):
            continue
        if any(word in s.title.lower() or not tally.alone(excerpt, s.title) for s in held):
            continue
        rows = [(s.title, tally.occurrences(s.body, word, language)) for s in held]
        if not distinct_rows(rows) or len({count for _, count in rows}) < 2:
            continue
        question, template = SECTION_WORDS.pick(
            scene, title=named(excerpt), word=quoted(word, language), whole=_WHOLE[language]
        )
        spans = [span for s in held for span in (s.heading.span, *tally.spans_in(excerpt, s.blocks, word))]
        solve = partial(_word_sections, excerpt.document.title, word, language)
        proof = (*dict.fromkeys(s.title for s in held), word)
        places = tuple(Place(0, span) for span in spans)
        return Candidate(question, template, (table_json(rows),), places, solve, proof=proof)
    return Unfit("no word that three to twelve sections hold a different number of times")


def _word_sections(title: str, word: str, language: str, view: View) -> list[str]:
    counts = [(s.title, tally.occurrences(s.body, word, language)) for s in view.titled(title).sections]
    return [table_json([row for row in counts if row[1]])]


PARAGRAPH_WORDS = Phrasings(
    "paragraph_word_rows",
    en=(
        "In the document {title}, find every paragraph that holds the word {word}. For each give a row of its first "
        "{size} words and the number of times that {word} occurs in it. {paragraph} {whole}",
        "Make a table of the paragraphs of the document {title} in which the word {word} occurs: first column the "
        "first {size} words of the paragraph as they stand, second column how often {word} occurs in it. {paragraph} "
        "{whole}",
        "For each paragraph of the document {title} with the word {word} in it, extract one row: the {size} words "
        "that it begins with, and the count of {word} in it. {paragraph} {whole}",
    ),
    zh=(
        "在文档{title}中，找出所有出现了{word}一词的自然段，各给出一行：该段的前{size}个字符（含标点），以及{word}在该段中出现的次数。{paragraph}{whole}",
        "把文档{title}中含有{word}的自然段列成表：第一列为该段开头的{size}个字符（标点也算），第二列为{word}在该段出现的次数。{paragraph}{whole}",
        "对文档{title}中含有{word}的每个自然段提取一行：开头{size}个字符（包括标点）、{word}在其中出现的次数。{paragraph}{whole}",
    ),
)
HEAD = {"en": 5, "zh": 8}
"""Words, or characters, of the beginning of a paragraph or turn that a row quotes."""


def paragraph_word_rows(scene: Scene) -> Candidate | Unfit:
    """The beginnings of the paragraphs that hold a word, with how often they do."""
    excerpt, language = scene.target, scene.language
    blocks = tally.paragraphs(excerpt)
    if len(blocks) < 4:
        return Unfit("fewer than four paragraphs")
    if tally.misleading(excerpt):
        return Unfit(tally.MISLEADING)
    texts = [excerpt.content(block) for block in blocks]
    plain = [text.lower() for text in texts]
    for word, _ in tally.words(excerpt, scene.rng, LEAST_HELD + 1, 4 * MOST):
        held = [index for index, text in enumerate(plain) if word in text]
        heads = [_head(texts[index], language) for index in held] if LEAST_HELD <= len(held) <= MOST else []
        if not heads or None in heads or len(held) > 4 * len(blocks) // 5:
            continue
        rows = [(h, tally.occurrences(texts[i], word, language)) for h, i in zip(heads, held, strict=True) if h]
        if not distinct_rows(rows) or len({count for _, count in rows}) < 2:
            continue
        if not all(tally.alone(excerpt, head) for head, _ in rows):
            continue
        question, template = PARAGRAPH_WORDS.pick(
            scene,
            title=named(excerpt),
            word=quoted(word, language),
            size=str(HEAD[language]),
            paragraph=tally.PARAGRAPH[language],
            whole=_WHOLE[language],
        )
        places = tuple(Place(0, blocks[index].span) for index in held)
        solve = partial(_word_paragraphs, excerpt.document.title, word, language)
        proof = (*dict.fromkeys(head for head, _ in rows), word)
        return Candidate(question, template, (table_json(rows),), places, solve, proof=proof)
    return Unfit("no word that three to twelve paragraphs hold a different number of times")


def _head(text: str, language: str) -> str | None:
    """The beginning of a text that goes on after it; None where quoting it exactly would be a trap."""
    size = HEAD[language]
    parts = list(text) if language == "zh" else text.split(" ")
    head = ("" if language == "zh" else " ").join(parts[:size])
    plain = not any(char in head for char in "|`*_\\") and (language != "zh" or " " not in head)
    return head if len(parts) > size and plain else None


def _first(text: str, language: str) -> str:
    """The beginning of a shown text."""
    return text[: HEAD[language]] if language == "zh" else " ".join(text.split()[: HEAD[language]])


def _word_paragraphs(title: str, word: str, language: str, view: View) -> list[str]:
    shown = [line.text for line in tally.shown_paragraphs(view.titled(title))]
    counts = [(_first(text, language), tally.occurrences(text, word, language)) for text in shown]
    return [table_json([row for row in counts if row[1]])]


SPEAKERS: dict[Literal["turns", "last"], Phrasings] = {
    "turns": Phrasings(
        "speaker_rows",
        en=(
            "For everyone who speaks in the document {title}{least}, give a row of the speaker's name and the number "
            "of turns. {turn}",
            "Make a table of the speakers of the document {title}{least}: first column the name, second column how "
            "many turns the speaker has. {turn}",
            "Who speaks in the document {title}, and how often? Extract one row per speaker{least}: name, number of "
            "turns. {turn}",
        ),
        zh=(
            "对文档{title}中的每位发言人{least}给出一行：发言人的名字和发言次数。{turn}",
            "把文档{title}的发言人{least}列成表：第一列为名字，第二列为发言次数。{turn}",
            "文档{title}里都有谁发言，各发言多少次？每位发言人{least}提取一行：名字、发言次数。{turn}",
        ),
    ),
    "last": Phrasings(
        "speaker_rows",
        en=(
            "For everyone who speaks in the document {title}{least}, give a row of the speaker's name and the first "
            "{size} words of the speaker's last turn that is longer than that. {turn}",
            "Make a table of the speakers of the document {title}{least}: first column the name, second column the "
            "{size} words that begin the speaker's last turn of more than {size} words, as they stand. {turn}",
            "Look at the last turn of more than {size} words of each speaker of the document {title}{least}. How "
            "does it begin? Extract one row per speaker: name, first {size} words of that turn. {turn}",
        ),
        zh=(
            "对文档{title}中的每位发言人{least}给出一行：发言人的名字，以及其最后一次超过{size}个字符的发言的前{size}个字符（含标点）。{turn}",
            "把文档{title}的发言人{least}列成表：第一列为名字，第二列为其最后一次超过{size}个字符的发言的开头{size}个字符（标点也算）。{turn}",
            "文档{title}中每位发言人{least}最后一次超过{size}个字符的发言是怎样开头的？每人提取一行：名字、该次发言的前{size}个字符（包括标点）。{turn}",
        ),
    ),
}


def speaker_rows(scene: Scene) -> Candidate | Unfit:
    """Every speaker of a dialogue (of so many turns, where they are many) with the number of turns, or with the
    beginning of the last one."""
    excerpt, language = scene.target, scene.language
    turns: dict[str, list[Block]] = {}
    for block in excerpt.blocks:
        if block.kind == "turn":
            turns.setdefault(block.speaker, []).append(block)
    if len(turns) < FEWEST or len({normalise(name) for name in turns}) < len(turns):
        return Unfit("fewer than two speakers")
    if tally.misleading(excerpt):
        return Unfit(tally.MISLEADING)
    bounds = sorted({len(said) for said in turns.values()})
    least = next((n for n in (0, *bounds) if sum(len(said) >= n for said in turns.values()) <= MOST), None)
    kept = {} if least is None else {name: said for name, said in turns.items() if len(said) >= least}
    kind: Literal["turns", "last"] = "turns" if scene.rng.random() < 0.5 else "last"
    last = {name: _last_long(excerpt, said) for name, said in kept.items()}
    heads = {name: turn and _head(excerpt.content(turn), language) for name, turn in last.items()}
    if kind == "last" and None in heads.values():
        kind = "turns"
    if (kind == "turns" or least) and sum(map(len, turns.values())) > tally.MOST_LISTED:
        return Unfit(tally.TOO_MANY)
    rows = [(name, len(said) if kind == "turns" else heads[name] or "") for name, said in kept.items()]
    if not distinct_rows(rows) or len({cell for _, cell in rows}) < 2 or any(": " in name for name in turns):
        return Unfit("the speakers' rows do not differ")
    words = ""
    if least:
        words = (
            f"（只计发言不少于{least}次的人）" if language == "zh" else f" (only those with {least} turns or more)"
        )
    question, template = SPEAKERS[kind].pick(
        scene, title=named(excerpt), least=words, size=str(HEAD[language]), turn=tally.TURN[language]
    )
    used = [b for name, said in kept.items() for b in (said if kind == "turns" else [last[name]]) if b is not None]
    proof = tuple(dict.fromkeys(str(cell) for row in rows for cell in row if isinstance(cell, str)))
    solve = partial(_spoken, excerpt.document.title, tuple(turns), least or 0, kind, language)
    places = tuple(Place(0, block.span) for block in used)
    return Candidate(question, template, (table_json(rows),), places, solve, proof=proof)


def _last_long(excerpt: Excerpt, said: Sequence[Block]) -> Block | None:
    """The last turn that is longer than what a row quotes of it."""
    return next((b for b in reversed(said) if _longer(excerpt.content(b), excerpt.language)), None)


def _longer(text: str, language: str) -> bool:
    return prose.length(text, language) > HEAD[language]


def _spoken(title: str, speakers: Sequence[str], least: int, kind: str, language: str, view: View) -> list[str]:
    said = {name: view.titled(title).said_by(name) for name in speakers}
    rows: list[tuple[str, str | int]] = []
    for name, turns in said.items():
        if turns and len(turns) >= least:
            long = [turn for turn in turns if _longer(turn, language)]
            if kind == "last" and not long:
                raise LookupError(f"{name} has no turn that is long enough")
            rows.append((name, len(turns) if kind == "turns" else _first(long[-1], language)))
    return [table_json(rows)]


def holds_headings_and_paragraphs(document: Document) -> int:
    """Headings of a document without turns (criterion `outline`)."""
    held = document.by_kind
    return len(held["heading"]) if held["paragraph"] and not held["turn"] else 0
