"""T7, graded ranking: sections, documents, speakers and table rows in the order of something that can be counted.

The question never lists what is to be ranked: a random order of listed items would already score high in NDCG.
"""

import itertools
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

from golongrl.core.documents import Span
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import tabular
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, distinct, named
from golongrl.pipeline.dataset.construct.ordering import lone_headings, lone_text, view_turns
from golongrl.pipeline.dataset.construct.sheet import Sheet, label_words, number_in, sheets
from golongrl.pipeline.dataset.construct.word_places import (
    GOOD_ENOUGH,
    MOST_PLACES,
    WORDS_TRIED,
    Words,
    context_words,
    merged,
)
from golongrl.pipeline.dataset.view import View

FEWEST, MOST = 3, 8
"""Fewest and most gold items."""
LEAST_PLACES = FEWEST * (FEWEST + 1) // 2
"""Three different counts make at least 1 + 2 + 3 occurrences."""

K = TypeVar("K")


def top(counts: Mapping[K, int]) -> list[K] | None:
    """The most keys (three to eight) that lead by distinct counts above the rest; None when there are none."""
    order = sorted((key for key in counts if counts[key]), key=lambda key: -counts[key])
    values = [counts[key] for key in order] + [0]
    size = 0
    while size < min(MOST, len(order)) and values[size] > values[size + 1]:
        size += 1
    return order[:size] if size >= FEWEST else None


def _solved(counts: Mapping[str, int], size: int) -> list[str]:
    """The first `size` names by count; LookupError when counts leave their order open."""
    order = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    values = [counts[name] for name in order]
    if len(order) < size or any(values[rank] == values[rank + 1] for rank in range(min(size, len(values) - 1))):
        raise LookupError("equal counts")
    return order[:size]


HEADINGS_BY_COUNT = Phrasings(
    "headings_by_count",
    en=(
        'In the document {title}, count the word "{word}" (in any case) in the text below each heading, up to the '
        "next heading. List the headings whose text holds it, most occurrences first.",
        'For every heading of the document {title}, count how often the word "{word}", upper or lower case, occurs '
        "between this heading and the next one. Name the headings with at least one occurrence, from most to fewest.",
        'Which headings of the document {title} have the word "{word}" (case ignored) in the text that stands '
        "directly below them, before the next heading? Rank all of them by the number of occurrences, highest first.",
    ),
    zh=(
        "在文档{title}中，统计每个标题之下、下一个标题之前的文字里“{word}”一词出现的次数。"
        "列出出现过该词的标题，按次数从多到少排列。",
        "文档{title}的哪些标题之下（到下一个标题为止）的文字里出现了“{word}”？按出现次数由高到低列出这些标题。",
        "对文档{title}的每个标题，数一数从该标题到下一个标题之间“{word}”出现了几次。"
        "请写出至少出现一次的所有标题，次数多的排在前面。",
    ),
)


def headings_by_count(scene: Scene) -> Candidate | Unfit:
    """All headings whose own text holds a word, most occurrences first; no two counts are equal."""
    excerpt = scene.target
    if len(excerpt.headings) < FEWEST:
        return Unfit("fewer than three headings")
    words, alone = Words(excerpt), lone_headings(excerpt)
    fits: list[tuple[float, str, dict[int, list[int]]]] = []
    frequent = words.often(words.sample(scene.rng), LEAST_PLACES, MOST_PLACES)
    for word in itertools.islice(frequent, WORDS_TRIED):
        held = words.by_heading(word) or {}
        if not FEWEST <= len(held) <= MOST or not all(alone[number] for number in held):
            continue
        if len({len(places) for places in held.values()}) == len(held) and words.certain(word, merged(held)):
            fits.append((words.width(held) + len(held) / MOST, word, held))
            if len(fits) == GOOD_ENOUGH:
                break
    if not fits:
        return Unfit("no word with a different count below each of three to eight headings")
    _, word, held = max(fits, key=lambda fit: fit[0])
    order = sorted(held, key=lambda number: -len(held[number]))
    heads = [excerpt.headings[number] for number in order]
    gold = tuple(map(excerpt.content, heads))
    title, language = excerpt.document.title, excerpt.language

    def solve(view: View) -> list[str]:
        sections = view.titled(title).sections
        counts = [(section.title, prose.count_word(section.body, word, language)) for section in sections]
        found = sorted((pair for pair in counts if pair[1]), key=lambda pair: -pair[1])
        if len({count for _, count in found}) < len(found):
            raise LookupError("equal counts")
        return [name for name, _ in found]

    question, template = HEADINGS_BY_COUNT.pick(scene, title=named(excerpt), word=word)
    spans = [h.content for h in heads] + words.around([place for number in order for place in held[number]])
    # A heading may stand in a table of contents too, so the proof is the word.
    return Candidate(question, template, gold, tuple(Place(0, span) for span in spans), solve, proof=(word,))


TITLES_BY_COUNT = Phrasings(
    "titles_by_count",
    en=(
        'Count how often the word "{word}" (in any case) occurs in the text of each document. List the titles of '
        "{size} that hold it, most occurrences first.",
        'Rank {size} in whose text the word "{word}" occurs, upper or lower case, by the number of occurrences, '
        "highest first. Give their titles.",
        'Which documents use the word "{word}" (case ignored) in their text, and how often? Write down the titles '
        "of {size} that use it, from the most frequent use to the rarest.",
    ),
    zh=(
        "统计“{word}”一词在每篇文档正文中出现的次数，列出{size}出现过该词的文档的标题，按次数从多到少排列。",
        "把正文里出现“{word}”的{size}文档按出现次数由高到低排列，写出它们的标题。",
        "各篇文档的正文分别用了几次“{word}”？请写出{size}用过该词的文档的标题，用得最多的排在最前。",
    ),
)


def titles_by_count(scene: Scene) -> Candidate | Unfit:
    """Titles of the documents that hold a word, most occurrences first; no two counts are equal."""
    known = context_words(scene)
    if isinstance(known, Unfit):
        return known
    fits: list[tuple[int, str, dict[int, list[int]], list[int]]] = []
    for word in known.shared(FEWEST):
        held = known.places(word)
        order = held and top({number: len(places) for number, places in held.items()})
        if held and order and known.certain(word, held):
            fits.append((len(order), word, held, order))
            if len(fits) == GOOD_ENOUGH:
                break
    if not fits:
        return Unfit("no word with a different count in each of three documents")
    _, word, held, order = max(fits, key=lambda fit: fit[0])
    size, language = len(order), scene.language
    several = size < len(held)
    amounts = {"en": ("all documents", f"the {size} documents"), "zh": ("全部", f"次数最多的{size}篇")}

    def solve(view: View) -> list[str]:
        counts = {shown.title: prose.count_word(shown.text, word, language) for shown in view.documents}
        found = _solved(counts, size)
        if not several and sum(map(bool, counts.values())) > size:
            raise LookupError("another document holds the word")
        return found

    question, template = TITLES_BY_COUNT.pick(scene, word=word, size=amounts[language][several])
    gold = tuple(scene.excerpts[number].document.title for number in order)
    evidence = [Place(number, span) for number in order for span in known.words[number].around(held[number])]
    return Candidate(question, template, gold, tuple(evidence), solve, proof=(word,))


ROWS_BY_NUMBER = Phrasings(
    "rows_by_number",
    en=(
        'In {table}, which {size} rows have the {most} values in the column "{column}"? Give their {key}, the '
        "{most} value first.",
        'Rank the rows of {table} by "{column}", starting with the {most} value, and write down the {key} of each '
        "of the first {size}.",
        'Take {table} and sort it by the column "{column}" so that the {most} value comes first. List the {key} of '
        "the first {size} rows in that order.",
    ),
    zh=(
        "在{table}中，“{column}”{most}的{size}行是哪些？按{order}的顺序给出它们的{key}。",
        "把{table}的各行按“{column}”{order}排列，写出前{size}行的{key}。",
        "若按“{column}”对{table}{order}排序，排在最前的{size}行的{key}依次是什么？",
    ),
)


def rows_by_number(scene: Scene) -> Candidate | Unfit:
    """The names of the rows with the highest (or lowest) numbers of a column, in order; no two of them equal."""
    reason = "no table of five rows with labels"
    for table in sheets(scene, FEWEST + 2):
        if table.types.totals or len(table.named_rows) < FEWEST + 2:
            reason = "the table has rows of totals, or rows without a label of their own"
            continue
        reason = "no column of numbers, in another order than the rows, without ties at its ends"
        columns = [c for c in table.types.numeric if c.name and c.filled and (c.additive or c.kind == "percent")]
        scene.rng.shuffle(columns)
        for column in columns:
            values = [cell.value or Decimal(0) for cell in column.cells]
            if values in (sorted(values), sorted(values, reverse=True)):
                continue
            if (made := _rows_by(scene, table, column.index, values)) is not None:
                return made
    return Unfit(reason)


def _rows_by(scene: Scene, sheet: Sheet, index: int, values: list[Decimal]) -> Candidate | None:
    descending = scene.rng.random() < 0.6
    order = sorted(range(len(values)), key=values.__getitem__, reverse=descending)
    size = scene.rng.randint(FEWEST, min(MOST, len(order) - 2))
    while len({values[row] for row in order[: size + 1]}) <= size:
        size -= 1
    gold = [sheet.label(row) for row in order[:size] if row in sheet.named_rows]
    if not FEWEST <= size == len(gold) or not distinct(gold) or not all(lone_text(scene.target, x) for x in gold):
        return None
    column, labels = sheet.table.columns[index], sheet.types.labels

    def solve(view: View) -> list[str]:
        shown = tabular.shown_table(view, sheet.title, sheet.names)
        at = tabular.shown_column(shown, column)
        rows = sorted(((number_in(row[at]), row[labels or 0]) for row in shown.rows), reverse=descending)
        if len({value for value, _ in rows[: size + 1]}) <= size:
            raise LookupError("equal numbers")
        return [name for _, name in rows[:size]]

    most = {"en": ("highest", "lowest"), "zh": ("最大", "最小")}[scene.language][not descending]
    question, template = ROWS_BY_NUMBER.pick(
        scene,
        table=tabular.where_table(scene.target, sheet.table),
        column=column,
        key=label_words(sheet, scene.language),
        size=str(size),
        most=most,
        order="从大到小" if descending else "从小到大",
    )
    evidence = sheet.evidence([(row, index) for row in order[:size]])
    return Candidate(question, template, tuple(gold), evidence, solve)


SPEAKERS_BY_TURNS = Phrasings(
    "speakers_by_turns",
    en=(
        "Count the turns of each speaker in the document {title} (every line that begins with the speaker's name is "
        "one turn). List {size} by number of turns, most turns first.",
        "Who speaks most often in the document {title}? Each line that opens with a name is one turn of that "
        "speaker. Rank {size} from most to fewest turns.",
        "In the document {title}, order {size} by how many turns they take, the most talkative first; a turn is one "
        "line that starts with the name of who speaks.",
    ),
    zh=(
        "统计文档{title}中每位说话人的发言次数（以其名字开头的一行算一次发言），按次数从多到少列出{size}。",
        "在文档{title}里谁发言最多？每一行以说话人名字开头的内容算一次。请把{size}按发言次数由多到少排列。",
        "把文档{title}中的{size}按发言的次数排序，最多的在前；以名字开头的每一行为一次发言。",
    ),
)


def speakers_by_turns(scene: Scene) -> Candidate | Unfit:
    """The speakers of a dialogue by their number of turns, most first; no two numbers are equal."""
    excerpt = scene.target
    turns = [block for block in excerpt.blocks if block.kind == "turn"]
    counts = Counter(block.speaker for block in turns)
    order = top(counts)
    if order is None:
        return Unfit("fewer than three speakers" if len(counts) < FEWEST else "two speakers have as many turns")
    if not distinct(list(counts)):
        return Unfit("two speakers' names read the same")
    size, title = len(order), excerpt.document.title
    every = size == len(counts)
    amounts = {
        "en": (f"the {size} speakers with the most turns", "all speakers"),
        "zh": (f"发言最多的{size}位说话人", "全部说话人"),
    }
    question, template = SPEAKERS_BY_TURNS.pick(scene, title=named(excerpt), size=amounts[scene.language][every])

    def solve(view: View) -> list[str]:
        found = Counter(speaker for speaker, _ in view_turns(view, title))
        if every and len(found) != size:
            raise LookupError(f"{len(found)} speakers")
        return _solved(found, size)

    # The counts rest on every turn; the evidence shows one of each speaker.
    spans = [next(b for b in turns if b.speaker == speaker).span for speaker in order]
    return Candidate(question, template, tuple(order), tuple(Place(0, span) for span in spans), solve)


HEADINGS_BY_ITEMS = Phrasings(
    "headings_by_items",
    en=(
        "In the document {title}, count the list items below each heading, up to the next heading. List the {size} "
        "headings with the most list items, most items first.",
        "Which {size} headings of the document {title} have the most list items in the text that follows them, "
        "before the next heading? Rank them from most to fewest.",
        "Rank the headings of the document {title} by how many list items stand between them and the next heading, "
        "and write down the first {size}, the one with the most items first.",
    ),
    zh=(
        "在文档{title}中，统计每个标题之下、下一个标题之前的列表条目数，列出条目最多的{size}个标题，由多到少排列。",
        "文档{title}里，哪{size}个标题之下（到下一个标题为止）的列表条目最多？按条目数从多到少写出这些标题。",
        "按标题与下一个标题之间的列表条目数给文档{title}的标题排序，写出排在最前的{size}个，条目最多的在前。",
    ),
)


def headings_by_items(scene: Scene) -> Candidate | Unfit:
    """The headings with the most list items below them, most first; no two numbers are equal."""
    excerpt = scene.target
    number, items = -1, {}
    for block in excerpt.blocks:
        number += block.kind == "heading"
        if block.kind == "item" and number >= 0:
            items.setdefault(number, []).append(block)
    order = top({number: len(blocks) for number, blocks in items.items()})
    if order is None:
        return Unfit("no three headings that lead by different numbers of list items")
    alone = lone_headings(excerpt)
    if not all(alone[number] for number in order):
        return Unfit("a heading stands twice")
    heads = [excerpt.headings[number] for number in order]
    size, title = len(order), excerpt.document.title

    def solve(view: View) -> list[str]:
        sections = view.titled(title).sections
        counts = {n: sum(line.kind == "item" for line in s.lines) for n, s in enumerate(sections)}
        found = _solved({str(n): count for n, count in counts.items()}, size)
        return [sections[int(n)].title for n in found]

    question, template = HEADINGS_BY_ITEMS.pick(scene, title=named(excerpt), size=str(size))
    ends = [Span(items[n][0].span.start, items[n][-1].span.end) for n in order]
    evidence = [Place(0, span) for head, end in zip(heads, ends, strict=True) for span in (head.content, end)]
    proof = tuple(excerpt.content(items[n][0]) for n in order)
    return Candidate(question, template, tuple(map(excerpt.content, heads)), tuple(evidence), solve, proof=proof)
