"""T4, numerical reasoning over text: counts of words, paragraphs, sections and turns, and years between dates.

Small counts are guessed too easily, so the answers are larger counts, differences, sums and shares in percent.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Literal

from golongrl.core.documents import Document, Span
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import dated, tally
from golongrl.pipeline.dataset.construct.figures import SMALL, gold_rounded, rounded, rounding, tolerance
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, named
from golongrl.pipeline.dataset.construct.tally import quoted
from golongrl.pipeline.dataset.view import View

MOST = 60
"""Most occurrences of a word, or paragraphs, that one answer counts."""
FEWEST_HELD = 3
"""Fewest sections that hold a word."""
POOL = 16
"""Words of which the more frequent half is asked about."""
MOST_EVIDENCE = 120
TRIES = 40
Operation = Literal["difference", "sum", "share", "count"]

_COUNTING = {
    "en": "Count whole words in upper or lower case, in headings, lists and tables too.",
    "zh": "按字面计算出现次数，标题、列表和表格中的也算，作为更长词语的一部分出现时也算。",
}
_LITERAL = "按字面判断，作为更长词语的一部分出现时也算。"
WORDS: dict[Operation, Phrasings] = {
    "difference": Phrasings(
        "word_balance",
        en=(
            "In the document {title}, how often does the word {one} occur, minus how often the word {other} occurs? "
            "{counting}",
            "Count the words {one} and {other} in the document {title}. What is the first count minus the second? It "
            "may be negative. {counting}",
            "By how many occurrences does the word {one} exceed the word {other} in the document {title}? Give a "
            "negative number if it is rarer. {counting}",
        ),
        zh=(
            "在文档{title}中，{one}一词的出现次数减去{other}一词的出现次数等于多少？{counting}",
            "统计文档{title}中{one}和{other}各出现多少次，前者减去后者是多少（可以为负）？{counting}",
            "文档{title}里，{one}比{other}多出现多少次？若更少则写负数。{counting}",
        ),
    ),
    "sum": Phrasings(
        "word_balance",
        en=(
            "In the document {title}, how often do the words {one} and {other} occur in total? {counting}",
            "Count the words {one} and {other} in the document {title}. What do the two counts add up to? {counting}",
            "What is the number of occurrences of the word {one} plus that of the word {other} in the document "
            "{title}? {counting}",
        ),
        zh=(
            "在文档{title}中，{one}和{other}两个词一共出现多少次？{counting}",
            "统计文档{title}中{one}和{other}各出现多少次，两数之和是多少？{counting}",
            "文档{title}里，{one}的出现次数加上{other}的出现次数等于多少？{counting}",
        ),
    ),
    "share": Phrasings(
        "word_balance",
        en=(
            "Of all occurrences of the words {one} and {other} in the document {title}, what percentage are of "
            "{one}? {counting} {rounding}",
            "Count the words {one} and {other} in the document {title}. What percentage of the sum of both counts is "
            "the first? {counting} {rounding}",
            "In the document {title}, divide the number of occurrences of {one} by the sum of the occurrences of "
            "{one} and of {other}, as a percentage. {counting} {rounding}",
        ),
        zh=(
            "在文档{title}中，{one}和{other}两个词的全部出现次数里，{one}占百分之多少？{counting}{rounding}",
            "统计文档{title}中{one}和{other}各出现多少次，前者占两数之和的百分之几？{counting}{rounding}",
            "文档{title}里，用{one}的出现次数除以{one}与{other}出现次数之和，以百分数表示。{counting}{rounding}",
        ),
    ),
}


def word_balance(scene: Scene) -> Candidate | Unfit:
    """The difference, sum or ratio of how often two words occur in the document."""
    excerpt, language = scene.target, scene.language
    counted = list(itertools.islice(tally.words(excerpt, scene.rng, SMALL, MOST), POOL))
    # The rarest words are many and have all but the same counts.
    counted = sorted(counted, key=lambda pair: -pair[1])[: max(POOL // 2, 2)]
    for _ in range(TRIES if len(counted) > 1 else 0):
        (one, first), (other, second) = scene.rng.sample(counted, 2)
        operation: Operation = scene.rng.choice(("difference", "sum", "share"))
        gold = _combined(first, second, operation)
        if one in other or other in one or gold is None:
            continue
        question, template = WORDS[operation].pick(
            scene,
            title=named(excerpt),
            one=quoted(one, language),
            other=quoted(other, language),
            counting=_COUNTING[language],
            rounding=rounding(1, language),
        )
        spans = dict.fromkeys([*tally.spans_with(excerpt, one), *tally.spans_with(excerpt, other)])
        solve = partial(_word_balance, excerpt.document.title, (one, other), operation, language)
        return _candidate(question, template, gold, operation, list(spans), solve, (one, other))
    return Unfit("no two words that occur five to sixty times and are never part of another")


def _word_balance(title: str, words: tuple[str, str], operation: Operation, language: str, view: View) -> list[str]:
    text = view.titled(title).text
    first, second = (tally.occurrences(text, word, language) for word in words)
    return _solved(_combination(first, second, operation), operation)


def _combination(first: int, second: int, operation: Operation) -> Fraction:
    if operation == "share":
        return Fraction(100 * first, first + second)
    return Fraction(first - second if operation == "difference" else first + second)


def _combined(first: int, second: int, operation: Operation) -> str | None:
    """The gold of two counts, None where it is guessed too easily."""
    value = _combination(first, second, operation)
    if operation == "share":
        return None if first == second else gold_rounded(value, 1)
    return str(value) if abs(value) >= SMALL else None


def _solved(value: Fraction, operation: Operation) -> list[str]:
    return [rounded(value, 1) if operation == "share" else str(value)]


def _candidate(
    question: str,
    template: str,
    gold: str,
    operation: Operation,
    spans: Sequence[Span],
    solve,
    proof: tuple[str, ...],
) -> Candidate:
    places = tuple(Place(0, span) for span in spans)
    extra = tolerance(gold, 1) if operation == "share" else {}
    return Candidate(question, template, (gold,), places, solve, proof=proof, extra=extra)


PARAGRAPHS: dict[Operation, Phrasings] = {
    "count": Phrasings(
        "paragraphs_with_word",
        en=(
            "How many paragraphs of the document {title} hold the word {word}? {paragraph}",
            "Count the paragraphs in the document {title} in which the word {word} occurs at least once. {paragraph}",
            "In the document {title}, the word {word} stands in how many different paragraphs? {paragraph}",
        ),
        zh=(
            "文档{title}中有多少个自然段出现了{word}一词？{literal}{paragraph}",
            "统计文档{title}里至少出现一次{word}的自然段，一共有多少段？{literal}{paragraph}",
            "在文档{title}中，{word}一词分布在多少个不同的自然段里？{literal}{paragraph}",
        ),
    ),
    "share": Phrasings(
        "paragraphs_with_word",
        en=(
            "What percentage of the paragraphs of the document {title} hold the word {word}? {paragraph} {rounding}",
            "Count the paragraphs of the document {title}, and those in which the word {word} occurs. What share, in "
            "percent, do the latter have? {paragraph} {rounding}",
            "In the document {title}, divide the number of paragraphs with the word {word} by the number of all its "
            "paragraphs, as a percentage. {paragraph} {rounding}",
        ),
        zh=(
            "文档{title}中出现了{word}一词的自然段占全部自然段的百分之多少？{literal}{paragraph}{rounding}",
            "统计文档{title}的自然段总数，以及其中出现{word}的段数，后者占百分之几？{literal}{paragraph}{rounding}",
            "在文档{title}中，用含有{word}一词的段数除以自然段总数，以百分数表示。{literal}{paragraph}{rounding}",
        ),
    ),
}


def paragraphs_with_word(scene: Scene) -> Candidate | Unfit:
    """How many paragraphs hold a word, or which share of them."""
    excerpt, language = scene.target, scene.language
    blocks = tally.paragraphs(excerpt)
    if len(blocks) < 2 * SMALL:
        return Unfit("fewer than ten paragraphs")
    if len(blocks) > tally.MOST_LISTED:
        return Unfit(tally.TOO_MANY)
    if tally.misleading(excerpt):
        return Unfit(tally.MISLEADING)
    texts = [excerpt.content(block).lower() for block in blocks]
    for word, _ in tally.words(excerpt, scene.rng, SMALL, 20 * MOST):
        held = [block for block, text in zip(blocks, texts, strict=True) if word in text]
        if not SMALL <= len(held) <= min(MOST, 4 * len(blocks) // 5):
            continue
        operation: Operation = "share" if len(held) < 2 * SMALL else scene.rng.choice(("count", "share"))
        gold = str(len(held)) if operation == "count" else gold_rounded(Fraction(100 * len(held), len(blocks)), 1)
        if gold is None or gold == "50.0":
            continue
        question, template = PARAGRAPHS[operation].pick(
            scene,
            title=named(excerpt),
            word=quoted(word, language),
            paragraph=tally.PARAGRAPH[language],
            literal=_LITERAL,
            rounding=rounding(1, language),
        )
        solve = partial(_paragraphs_with, excerpt.document.title, word, operation, language)
        return _candidate(question, template, gold, operation, [block.span for block in held], solve, (word,))
    return Unfit("no word that enough and not most paragraphs hold")


def _paragraphs_with(title: str, word: str, operation: Operation, language: str, view: View) -> list[str]:
    every = tally.shown_paragraphs(view.titled(title))
    held = sum(tally.occurrences(line.text, word, language) > 0 for line in every)
    return _solved(Fraction(100 * held, len(every)) if operation == "share" else Fraction(held), operation)


SECTIONS: dict[Operation, Phrasings] = {
    "count": Phrasings(
        "sections_with_word",
        en=(
            "In the document {title}, below how many headings does the text up to the next heading hold the word "
            "{word}?",
            "Count the headings of the document {title} whose own text, which ends at the next heading, holds the "
            "word {word}.",
            "A section runs from its heading to the next heading. The word {word} occurs in the text below the "
            "heading in how many sections of the document {title}?",
        ),
        zh=(
            "在文档{title}中，有多少个标题之下、下一个标题之前的文字里出现了{word}一词？{literal}",
            "统计文档{title}的标题：其下直到下一个标题为止的文字含有{word}的标题一共有多少个？{literal}",
            "以一个标题到下一个标题为一节，文档{title}中有多少节在标题之下的文字里出现了{word}？{literal}",
        ),
    ),
    "share": Phrasings(
        "sections_with_word",
        en=(
            "In the document {title}, for what percentage of the headings does the text below, up to the next "
            "heading, hold the word {word}? {rounding}",
            "Count the headings of the document {title}, and those whose own text, which ends at the next heading, "
            "holds the word {word}. What percentage do the latter make up? {rounding}",
            "A section runs from its heading to the next heading. In what share, in percent, of the sections of the "
            "document {title} does the word {word} occur in the text below the heading? {rounding}",
        ),
        zh=(
            "在文档{title}的全部标题中，其下、下一个标题之前的文字里出现了{word}一词的标题占百分之多少？{literal}{rounding}",
            "统计文档{title}的标题总数，以及其下直到下一个标题为止的文字含有{word}的标题数，后者占百分之几？{literal}{rounding}",
            "以一个标题到下一个标题为一节，文档{title}中在标题之下的文字里出现{word}的节占百分之几？{literal}{rounding}",
        ),
    ),
}


def sections_with_word(scene: Scene) -> Candidate | Unfit:
    """How many sections hold a word below their heading, or which share of them."""
    excerpt, language = scene.target, scene.language
    total, sections = len(excerpt.headings), excerpt.sections
    if total < 7:
        return Unfit("fewer than seven headings")
    if tally.misleading(excerpt):
        return Unfit(tally.MISLEADING)
    bodies = [section.body.lower() for section in sections]
    for word, _ in tally.words(excerpt, scene.rng, FEWEST_HELD, 20 * MOST):
        held = [section for section, body in zip(sections, bodies, strict=True) if word in body]
        if not FEWEST_HELD <= len(held) <= min(MOST, 4 * total // 5):
            continue
        operation: Operation = "share" if len(held) < 2 * SMALL else scene.rng.choice(("count", "share"))
        gold = str(len(held)) if operation == "count" else gold_rounded(Fraction(100 * len(held), total), 1)
        if gold is None or gold == "50.0":
            continue
        question, template = SECTIONS[operation].pick(
            scene, title=named(excerpt), word=quoted(word, language), literal=_LITERAL, rounding=rounding(1, language)
        )
        spans = [span for section in held for span in tally.spans_in(excerpt, section.blocks, word)]
        solve = partial(_sections_with, excerpt.document.title, word, operation, language)
        return _candidate(question, template, gold, operation, spans, solve, (word,))
    return Unfit("no word that some and not most sections hold")


def _sections_with(title: str, word: str, operation: Operation, language: str, view: View) -> list[str]:
    sections = view.titled(title).sections
    held = sum(tally.occurrences(section.body, word, language) > 0 for section in sections)
    return _solved(Fraction(100 * held, len(sections)) if operation == "share" else Fraction(held), operation)


TURNS: dict[Operation, Phrasings] = {
    "difference": Phrasings(
        "turns_of_speaker",
        en=(
            "In the document {title}, how many turns does {one} have, minus the turns of {other}? {turn}",
            "Count the turns of {one} and of {other} in the document {title}. What is the first count minus the "
            "second? It may be negative. {turn}",
            "By how many turns does {one} exceed {other} in the document {title}? Give a negative number if there "
            "are fewer. {turn}",
        ),
        zh=(
            "在文档{title}中，{one}的发言次数减去{other}的发言次数等于多少？{turn}",
            "统计文档{title}中{one}和{other}各发言多少次，前者减去后者是多少（可以为负）？{turn}",
            "文档{title}里，{one}比{other}多发言多少次？若更少则写负数。{turn}",
        ),
    ),
    "sum": Phrasings(
        "turns_of_speaker",
        en=(
            "In the document {title}, how many turns do {one} and {other} have in total? {turn}",
            "Count the turns of {one} and of {other} in the document {title}. What do the counts add up to? {turn}",
            "How often do {one} and {other} speak in the document {title}, taken together? {turn}",
        ),
        zh=(
            "在文档{title}中，{one}和{other}一共发言多少次？{turn}",
            "统计文档{title}中{one}和{other}各发言多少次，两数之和是多少？{turn}",
            "文档{title}里，{one}的发言次数加上{other}的发言次数等于多少？{turn}",
        ),
    ),
    "share": Phrasings(
        "turns_of_speaker",
        en=(
            "In the document {title}, what percentage of all turns are of {one}? {turn} {rounding}",
            "Count the turns of the document {title}, and those of {one} among them. What share, in percent, do the "
            "latter have? {turn} {rounding}",
            "Divide the number of turns that {one} has in the document {title} by the number of all turns, as a "
            "percentage. {turn} {rounding}",
        ),
        zh=(
            "在文档{title}的全部发言中，{one}的发言占百分之多少？{turn}{rounding}",
            "统计文档{title}的发言总数和其中{one}的发言次数，后者占百分之几？{turn}{rounding}",
            "用{one}在文档{title}中的发言次数除以发言总数，以百分数表示。{turn}{rounding}",
        ),
    ),
}


def turns_of_speaker(scene: Scene) -> Candidate | Unfit:
    """Turns of two speakers subtracted or added, or the share that one speaker has of all turns."""
    excerpt, language = scene.target, scene.language
    turns = [block for block in excerpt.blocks if block.kind == "turn"]
    counts = Counter(block.speaker for block in turns)
    names = sorted(name for name in counts if any(map(str.isalnum, name)) and ": " not in name)
    if len(names) < 2 or len(names) != len({normalise(name) for name in names}) or len(turns) < 2 * SMALL:
        return Unfit("fewer than two speakers, or ten turns")
    for _ in range(TRIES):
        one, other = scene.rng.sample(names, 2)
        operation: Operation = scene.rng.choice(("difference", "sum", "share"))
        rest = len(turns) - counts[one] if operation == "share" else counts[other]
        gold = _combined(counts[one], rest, operation)
        if gold is None or gold == "50.0" or counts[one] + rest > tally.MOST_LISTED:
            continue
        question, template = TURNS[operation].pick(
            scene,
            title=named(excerpt),
            one=quoted(one, language),
            other=quoted(other, language),
            turn=tally.TURN[language],
            rounding=rounding(1, language),
        )
        asked = (one,) if operation == "share" else (one, other)
        said = [block.span for block in turns if block.speaker in asked]
        # Each turn is evidence; of a long dialogue the first ones name the speakers.
        spans = said[:MOST_EVIDENCE]
        if not all(any(excerpt.document.slice(span).startswith(f"{name}: ") for span in spans) for name in asked):
            continue
        solve = partial(_turns_of, excerpt.document.title, asked, tuple(names), operation)
        return _candidate(question, template, gold, operation, spans, solve, asked)
    return Unfit("no speakers whose turns make a telling number")


def _turns_of(title: str, asked: Sequence[str], names: Sequence[str], operation: Operation, view: View) -> list[str]:
    shown = view.titled(title)
    counts = [len(shown.said_by(name)) for name in asked]
    if operation != "share":
        return _solved(_combination(counts[0], counts[1], operation), operation)
    total = sum(len(shown.said_by(name)) for name in names)
    return _solved(Fraction(100 * counts[0], total), operation)


YEARS = Phrasings(
    "years_between",
    en=(
        "The document {title} holds the two sentences below, each with a date where ____ stands. How many years lie "
        "between the years of the two dates (the later year minus the earlier)?\n{one}\n{other}",
        "In each of these sentences of the document {title}, its one date is replaced by ____. Find both dates and "
        "subtract the earlier year from the later one.\n{one}\n{other}",
        "Look up the dates that were taken out of these two sentences of the document {title} (____). By how many "
        "years do they differ, going by the year alone?\n{one}\n{other}",
    ),
    zh=(
        "文档{title}中有以下两句话，____处原为一个日期。这两个日期的年份相差多少年（较晚的年份减去较早的年份）？\n{one}\n{other}",
        "以下两句出自文档{title}，句中唯一的日期换成了____。查出这两个日期，用较晚的年份减去较早的年份，结果是多少？\n{one}\n{other}",
        "下面两句话取自文档{title}，日期已被删去（以____表示）。只看年份，两个日期相差几年？\n{one}\n{other}",
    ),
)
_DATED = 60
"""Sentences with a date that are looked for."""
_LONGEST_DATE = 30
_FIRST_YEAR = 1600
_NAMES_LAW = re.compile(r"\b(?:Act|Code|Law|Rules|Treaty) of\s*$")


def years_between(scene: Scene) -> Candidate | Unfit:
    """The years between the dates of two sentences, each with one date that the question leaves blank."""
    excerpt, language, rng = scene.target, scene.language, scene.rng
    found: list[tuple[dated.Dated, str, Span]] = []
    running = [b for b in excerpt.blocks if b.kind in ("paragraph", "turn")]
    rng.shuffle(running)
    for block in running:
        if not dated.may_hold_date(excerpt.content(block), language):
            continue
        for span in prose.sentences(excerpt.document.text, block.content, language):
            text = excerpt.document.slice(span)
            known = dated.dated(text, language) if prose.quotable(text, language) else None
            if known and known.date[0] >= _FIRST_YEAR and not _NAMES_LAW.search(known.blanked.split(dated.BLANK)[0]):
                found.append((known, text, span))
        if len(found) >= _DATED:
            break
    title = excerpt.document.title
    for _ in range(TRIES if len(found) > 1 else 0):
        (one, first, at), (other, second, and_at) = rng.sample(found, 2)
        gap = abs(one.date[0] - other.date[0])
        if gap < 2 or any(str(known.date[0]) in title for known in (one, other)):
            continue
        if str(gap) in re.findall(r"\d+", one.blanked + other.blanked):
            continue
        if not excerpt.once(first) or not excerpt.once(second):
            continue
        question, template = YEARS.pick(scene, title=named(excerpt), one=one.blanked, other=other.blanked)
        solve = partial(_years_between, title, (one.blanked, other.blanked), language)
        places = (Place(0, at), Place(0, and_at))
        texts = (first, second)
        return Candidate(question, template, (str(gap),), places, solve, proof=texts, once=texts)
    return Unfit("no two sentences with one date each, of years that differ")


def _years_between(title: str, blanked: tuple[str, str], language: str, view: View) -> list[str]:
    """The gap between every pair of dates that fit the two blanks."""
    shown = view.titled(title).flat
    sides = [text.partition(dated.BLANK) for text in blanked]
    years = [_years_in(shown, normalise(before), normalise(after), language) for before, _, after in sides]
    if not all(years):
        raise LookupError("no date fits a blank")
    return [str(gap) for gap in sorted({abs(a - b) for a in years[0] for b in years[1]})]


def _years_in(shown: str, before: str, after: str, language: str) -> set[int]:
    """The years of all dates between two texts, either of which may be empty."""
    found = set()
    for match in re.finditer(re.escape(after if after else before), shown):
        at = match.start() if after else match.end()
        # The longest date first: "3月5日" ends like "2019年3月5日".
        for size in range(_LONGEST_DATE, 3, -1):
            text = shown[max(0, at - size) : at] if after else shown[at : at + size]
            head = shown[: max(0, at - size)] if after else ""
            date = dated.read_date(text, language)
            if date and (not before or not after or head.rstrip().endswith(before)):
                found.add(date[0])
                break
    return found


def holds_turns(document: Document) -> int:
    """Turns of a document in which two or more speak (criterion `turns`)."""
    turns = document.by_kind["turn"]
    return len(turns) if len({block.speaker for block in turns}) > 1 else 0


ENOUGH_YEARS = 20
"""Count at which a look for years ends."""
_CENTURIES = tuple(map(re.compile, ("19", "20", "18")))
"""One after the other: an expression that starts with a character is searched for many times faster than a choice."""
_YEAR = re.compile(r"(?:1[6-9]|20)\d\d(?![\d%])")
_LOOKS = 2_000


def holds_years(document: Document) -> int:
    """Numbers that read like years, counted up to twenty (criterion `years`)."""
    text, found = document.text, 0
    places = (match.start() for century in _CENTURIES for match in century.finditer(text))
    for at in itertools.islice(places, _LOOKS):
        found += _YEAR.match(text, at) is not None and not text[at - 1 : at].isdigit()
        if found == ENOUGH_YEARS:
            break
    return found
