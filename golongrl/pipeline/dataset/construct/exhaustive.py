"""T3, exhaustive retrieval: every item of the document that meets a condition, and no other."""

import random
import re
from collections import Counter

from golongrl.core.documents import Row
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import tabular
from golongrl.pipeline.dataset.construct.form import Candidate, Unfit, distinct, named
from golongrl.pipeline.dataset.excerpt import Excerpt

FEWEST, MOST = 2, 10
"""Fewest and most gold items."""
RUNS_ON = re.compile(r"(?:[,;，；、:：]|\b(?:and|or))$")


def rows_where(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The names of all rows whose cell in another column equals, or exceeds, a value."""
    keyed = tabular.keyed_table(excerpt, rng, rows=4)
    if isinstance(keyed, Unfit):
        return keyed
    table, language = keyed.table, excerpt.language
    conditions = _conditions(keyed, language)
    rng.shuffle(conditions)
    for words, rows in conditions:
        for asked in keyed.key if len(keyed.key) == 1 else tuple(rng.sample(range(len(table.columns)), 1)):
            if table.columns[asked] in words:
                continue
            items = list(dict.fromkeys(row.cells[asked] for row in rows))
            if not FEWEST <= len(items) <= MOST or not distinct(items) or not all(map(tabular.quotable, items)):
                continue
            where, name = tabular.where_table(excerpt, table), table.columns[asked]
            question = (
                f"在{where}中，找出所有{words}的行，列出这些行中“{name}”的全部不同取值。"
                if language == "zh"
                else f'In {where}, find every row where {words} and list all distinct "{name}" values of these rows.'
            )
            return Candidate(excerpt, question, tuple(items), tuple(tabular.cell_span(row, asked) for row in rows))
    return Unfit("no condition that two to ten rows meet")


def _conditions(keyed: tabular.Keyed, language: str) -> list[tuple[str, list[Row]]]:
    """(words, rows) of conditions that some but not most rows meet."""
    found: list[tuple[str, list[Row]]] = []
    table = keyed.table
    limit = 0.7 * len(table.rows)
    for index in keyed.others() or range(len(table.columns)):
        name = table.columns[index]
        cells = tabular.column(table, index)
        numbers = [value for value in map(tabular.number, cells) if value is not None]
        if len(numbers) == len(cells):
            for cell, bound in dict(zip(cells, numbers, strict=True)).items():
                rows = [row for row, value in zip(table.rows, numbers, strict=True) if value > bound]
                if FEWEST <= len(rows) <= min(limit, MOST):
                    more = f"“{name}”大于 {cell} " if language == "zh" else f'"{name}" is greater than {cell}'
                    found.append((more, rows))
            continue
        for value, count in Counter(map(tabular.same, cells)).items():
            rows = [row for row, cell in zip(table.rows, cells, strict=True) if tabular.same(cell) == value]
            shown = rows[0].cells[index]
            if FEWEST <= count <= limit and tabular.quotable(shown):
                same = f"“{name}”为“{shown}”" if language == "zh" else f'"{name}" is "{shown}"'
                found.append((same, rows))
    return found


def headings_with_word(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """All headings whose own text, up to the next heading, holds a word."""
    sections = excerpt.sections
    names = [section.title for section in sections]
    if len(sections) < 4 or not distinct([excerpt.content(h) for h in excerpt.headings]):
        return Unfit("fewer than four sections with distinct headings")
    language = excerpt.language
    words = sorted(word for word, count in excerpt.words.items() if count >= FEWEST)
    rng.shuffle(words)
    headings = normalise(" ".join(names))
    for word in words[:40]:
        if word in headings or not excerpt.unmistakable(word):
            continue
        held = [section for section in sections if prose.count_word(section.body, word, language)]
        if not FEWEST <= len(held) <= min(MOST, 0.7 * len(sections)):
            continue
        question = (
            f"在文档{named(excerpt)}中，哪些标题之下、下一个标题之前的文字里出现了“{word}”一词？列出全部标题。"
            if language == "zh"
            else f"In the document {named(excerpt)}, list every heading whose own text, up to the next heading, "
            f'holds the word "{word}".'
        )
        gold = tuple(section.title for section in held)
        return Candidate(excerpt, question, gold, tuple(section.span for section in held))
    return Unfit("no word that some of the sections hold")


def sentences_with_word(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """All sentences of the document that hold a rare word."""
    language = excerpt.language
    counts = excerpt.words
    words = sorted(word for word, count in counts.items() if FEWEST <= count <= 4)
    rng.shuffle(words)
    for word in words[:40]:
        if not excerpt.unmistakable(word):
            continue
        held = [s for s in excerpt.sentences if prose.count_word(s.text, word, language)]
        # Occurrences outside quotable sentences (headings, lists, fragments) would be answers nobody can count.
        inside = sum(prose.count_word(s.text, word, language) for s in held)
        if not len(held) >= FEWEST or inside != prose.count_word(excerpt.text, word, language):
            continue
        items = [s.text for s in held]
        if not distinct(items) or not all(map(excerpt.once, items)):
            continue
        if language == "en":
            at = held[0].text.lower().index(word)
            word = held[0].text[at : at + len(word)]
        question = (
            f"在文档{named(excerpt)}中，逐字列出所有出现“{word}”一词的句子。"
            if language == "zh"
            else f'In the document {named(excerpt)}, list word for word every sentence that holds the word "{word}".'
        )
        return Candidate(excerpt, question, tuple(items), tuple(s.span for s in held), once=tuple(items))
    return Unfit("no word that two to four sentences hold")


def list_items(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """All items of the only list below a heading."""
    found = []
    for section in excerpt.sections:
        items = [block for block in section.blocks if block.kind == "item"]
        texts = [excerpt.content(block) for block in items]
        # Items that run on into the next ("...; and") read as one sentence, whose cuts an answer may well drop.
        short = all(len(text) <= 120 and not RUNS_ON.search(text) for text in texts)
        one_list = len({block.group for block in items}) == 1
        fits = 3 <= len(items) <= MOST and one_list and short and distinct(texts)
        if fits and excerpt.distinct_heading(section.heading):
            found.append((section, items, texts))
    if not found or len(excerpt.headings) < 2:
        return Unfit("no short list alone below one of several headings")
    section, items, texts = rng.choice(found)
    question = (
        f"在文档{named(excerpt)}中，列出标题“{section.title}”之下列表的全部条目。"
        if excerpt.language == "zh"
        else f'In the document {named(excerpt)}, give every item of the list below the heading "{section.title}".'
    )
    return Candidate(excerpt, question, tuple(texts), tuple(block.content for block in items))
