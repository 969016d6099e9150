"""T6, structured matching: each of several given keys goes with one value of the documents.

The values to choose from are never listed in the question, so a reader of the question alone has nothing to pick.
"""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import tabular
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
)
from golongrl.pipeline.dataset.construct.ordering import lone_headings, lone_text, passages, spread, view_turns
from golongrl.pipeline.dataset.construct.sheet import Sheet, label_words, sheets
from golongrl.pipeline.dataset.excerpt import Excerpt, Sentence
from golongrl.pipeline.dataset.view import Shown, View

FEWEST, MOST = 3, 6
BLOCKS_TRIED = 12
"""Blocks of one section or document in which a sentence to quote is looked for."""

T = TypeVar("T")

CELLS_OF_KEYS = Phrasings(
    "cells_of_keys",
    en=(
        'In {table}, give the "{column}" of each row whose {key} is listed below, as lines of the form name: value, '
        "where the name is the one listed.\n{listed}",
        "Look up the rows of {table} that have these entries as {key}, and write one line per row, entry: "
        '"{column}", with the value as it stands there.\n{listed}',
        'What does {table} state as "{column}" for the following rows, named by their {key}? Answer with one line '
        "name: value for each.\n{listed}",
    ),
    zh=(
        "下面列出了{table}中若干行的{key}，给出各行的“{column}”，每行写成“名称: 值”，名称照下面所列。\n{listed}",
        "请在{table}中查出{key}如下的各行，逐行写出“名称: 值”，其中的值是该行的“{column}”，与表中一致。\n{listed}",
        "{table}里，以{key}称呼的下列各行的“{column}”分别是什么？每行一项，格式为“名称: 值”。\n{listed}",
    ),
)


def cells_of_keys(scene: Scene) -> Candidate | Unfit:
    """The value of one column for each of several named rows, as `name: value` lines."""
    rng = scene.rng
    reason = "no table of four rows with labels"
    for table in sheets(scene, FEWEST + 1):
        rows = [row for row in table.named_rows if ":" not in table.label(row)]
        columns = [c for c in table.types.columns if c.name and c.index != table.types.labels]
        rng.shuffle(columns)
        reason = "no column with three different values" if len(rows) >= FEWEST else "too few rows have a label"
        for column in columns if len(rows) >= FEWEST else ():
            by_value: dict[str, list[int]] = {}
            for row in rows:
                text = column.cells[row].text
                if tabular.quotable(text) and lone_text(scene.target, text):
                    by_value.setdefault(normalise(column.cells[row].text), []).append(row)
            asked = _varied(list(by_value.values()), rng.randint(FEWEST, MOST), rng)
            gold = [f"{table.label(row)}: {column.cells[row].text}" for row in asked]
            if len({normalise(column.cells[row].text) for row in asked}) >= FEWEST and distinct(gold):
                return _cells(scene, table, column.index, asked, gold)
    return Unfit(reason)


def _cells(scene: Scene, sheet: Sheet, index: int, asked: list[int], gold: list[str]) -> Candidate:
    names, column, labels = [sheet.label(row) for row in asked], sheet.table.columns[index], sheet.types.labels

    def solve(view: View) -> list[str]:
        shown = tabular.shown_table(view, sheet.title, sheet.names)
        at, found = tabular.shown_column(shown, column), []
        for name in names:
            rows = [row for row in shown.rows if normalise(row[labels or 0]) == normalise(name)]
            found += [f"{name}: {row[at]}" for row in rows]
        return found

    question, template = CELLS_OF_KEYS.pick(
        scene,
        table=tabular.where_table(scene.target, sheet.table),
        key=label_words(sheet, scene.language),
        column=column,
        listed="\n".join(names),
    )
    cells = [(row, index) for row in asked]
    return Candidate(question, template, tuple(gold), sheet.evidence(cells), solve, proof=sheet.proof(cells))


def _varied(groups: Sequence[Sequence[T]], wanted: int, rng: random.Random) -> list[T]:
    """Up to `wanted` members in random order, taken from the groups in turn, so that no group is worth guessing."""
    mixed = [rng.sample(group, len(group)) for group in groups]
    rng.shuffle(mixed)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*mixed))
    taken = list(itertools.islice((member for member in turns if member is not None), wanted))
    rng.shuffle(taken)
    return taken


HEADINGS_OF_SENTENCES = Phrasings(
    "headings_of_sentences",
    en=(
        "In the document {title}, which heading comes last before each of these sentences? Write lines of the form "
        "A: heading.\n{listed}",
        "Find the section of the document {title} in which each sentence below stands, and name it by the nearest "
        "heading above the sentence, as lines A: heading.\n{listed}",
        "For every sentence quoted here from the document {title}, give the closest heading that precedes it. One "
        "line per sentence, written as A: heading.\n{listed}",
    ),
    zh=(
        "在文档{title}中，下面每句话之前最近的标题分别是什么？每行写成“A: 标题”的形式。\n{listed}",
        "下列句子分别位于文档{title}的哪个标题之下（取句子前面最近的标题）？按“A: 标题”逐行作答。\n{listed}",
        "请为以下引自文档{title}的各句找出其前面离得最近的标题，每句一行，格式为“A: 标题”。\n{listed}",
    ),
)


def headings_of_sentences(scene: Scene) -> Candidate | Unfit:
    """The nearest heading before each of several quoted sentences, as `letter: heading` lines."""
    excerpt, rng = scene.target, scene.rng
    alone = lone_headings(excerpt)
    below: dict[int, list[int]] = {}
    number = -1
    for index, block in enumerate(excerpt.blocks):
        number += block.kind == "heading"
        if number >= 0 and alone[number] and block.kind in ("paragraph", "turn"):
            below.setdefault(number, []).append(index)
    if len(below) < FEWEST:
        return Unfit("fewer than three distinct headings with running text")
    found: list[tuple[int, Sentence]] = []
    wanted = rng.randint(FEWEST, MOST)
    # More sections than asked for, since not each has a sentence to quote.
    for number in spread(list(below), 3 * MOST, rng):
        heading = normalise(excerpt.content(excerpt.headings[number]))
        sentence = _quoted(excerpt, below[number], rng, lambda text, name=heading: name not in normalise(text))
        if sentence is not None:
            found.append((number, sentence))
    if len(found) < FEWEST:
        return Unfit("fewer than three headings with a quotable sentence")
    asked = spread(found, wanted, rng)
    rng.shuffle(asked)
    heads = [excerpt.headings[number] for number, _ in asked]
    names, texts = [excerpt.content(head) for head in heads], [sentence.text for _, sentence in asked]
    title = excerpt.document.title

    def heading_before(shown: Shown, text: str) -> str:
        heading, found = "", []
        for line in shown.lines:
            heading = line.text if line.kind == "heading" else heading
            if line.kind != "heading" and normalise(text) in normalise(line.text):
                found.append(heading)
        if len(found) != 1:
            raise LookupError(f"{len(found)} lines hold {text!r}")
        return found[0]

    def solve(view: View) -> list[str]:
        shown = view.titled(title)
        return [f"{letter}: {heading_before(shown, text)}" for letter, text in zip(LETTERS, texts, strict=False)]

    question, template = HEADINGS_OF_SENTENCES.pick(scene, title=named(excerpt), listed=lettered(texts))
    evidence = tuple(Place(0, span) for h, (_, s) in zip(heads, asked, strict=True) for span in (h.content, s.span))
    gold = tuple(f"{letter}: {name}" for letter, name in zip(LETTERS, names, strict=False))
    return Candidate(question, template, gold, evidence, solve, proof=tuple(texts), once=tuple(texts))


def _quoted(
    excerpt: Excerpt, blocks: Sequence[int], rng: random.Random, fits: Callable[[str], bool]
) -> Sentence | None:
    """A random sentence of some blocks that fits and stands once in the excerpt; None when a few blocks have none."""
    for number in rng.sample(blocks, min(BLOCKS_TRIED, len(blocks))):
        if found := passages(excerpt, [number], 1, rng, fits):
            return found[0]
    return None


TITLES_OF_FRAGMENTS = Phrasings(
    "titles_of_fragments",
    en=(
        "Each sentence below comes from a different document. Name the document by its title, as lines of the form "
        "A: title.\n{listed}",
        "From which document is each of these quotations taken? Write one line per quotation, A: title, with the "
        "title as it stands above the document.\n{listed}",
        "Match every passage to the document that holds it. Answer with lines A: title.\n{listed}",
    ),
    zh=(
        "下面每句话分别出自一篇不同的文档。写出该文档的标题，每行写成“A: 标题”的形式。\n{listed}",
        "以下引文各出自哪篇文档？每条引文写一行，格式为“A: 标题”，标题与文档开头所示一致。\n{listed}",
        "请把下列各段文字与收录它的文档对应起来，按“A: 标题”逐行作答。\n{listed}",
    ),
)


def titles_of_fragments(scene: Scene) -> Candidate | Unfit:
    """The titles of the documents that several quoted sentences come from, as `letter: title` lines."""
    rng, excerpts = scene.rng, scene.excerpts
    titles = [excerpt.document.title for excerpt in excerpts]
    if len(excerpts) < FEWEST:
        return Unfit("fewer than three documents in the prompt")
    if not distinct(titles):
        return Unfit("two documents have the same title")
    plain = [normalise(title) for title in titles]
    # The document that was asked for a question is always among those quoted.
    wanted = rng.randint(FEWEST, MOST)
    order = [0, *rng.sample(range(1, len(excerpts)), len(excerpts) - 1)]
    found: list[tuple[int, Sentence]] = []
    for number in order[: 3 * MOST]:
        excerpt = excerpts[number]
        blocks = [index for index, block in enumerate(excerpt.blocks) if block.kind in ("paragraph", "turn")]
        sentence = _quoted(excerpt, blocks, rng, lambda text: not any(name in normalise(text) for name in plain))
        if sentence is not None and all(
            normalise(sentence.text) not in other.flat for other in excerpts if other is not excerpt
        ):
            found.append((number, sentence))
        if len(found) == wanted:
            break
    if len(found) < FEWEST:
        return Unfit("fewer than three documents with a quotable sentence of their own")
    asked = rng.sample(found, len(found))
    texts = [sentence.text for _, sentence in asked]

    def solve(view: View) -> list[str]:
        answers = []
        for letter, text in zip(LETTERS, texts, strict=False):
            holders = [shown.title for shown in view.documents if normalise(text) in shown.flat]
            answers += [f"{letter}: {title}" for title in holders]
        return answers

    question, template = TITLES_OF_FRAGMENTS.pick(scene, listed=lettered(texts))
    gold = tuple(f"{letter}: {titles[number]}" for letter, (number, _) in zip(LETTERS, asked, strict=False))
    evidence = tuple(Place(number, sentence.span) for number, sentence in asked)
    return Candidate(question, template, gold, evidence, solve, proof=tuple(texts), once=tuple(texts))


SPEAKERS_OF_TURNS = Phrasings(
    "speakers_of_turns",
    en=(
        "In the conversation of the document {title}, who says each of these sentences? Write lines of the form "
        "A: speaker.\n{listed}",
        "Match each quotation from the document {title} with its speaker, named as in the document. One line per "
        "quotation: A: speaker.\n{listed}",
        "Who is the speaker of the following sentences in the document {title}? Answer with lines A: speaker.\n"
        "{listed}",
    ),
    zh=(
        "文档{title}的对话中，下面每句话是谁说的？每行写成“A: 说话人”的形式。\n{listed}",
        "请把以下引自文档{title}的话与说话人对应起来（称呼与文档一致），每句一行，格式为“A: 说话人”。\n{listed}",
        "在文档{title}里，下列各句的说话人分别是谁？按“A: 说话人”逐行作答。\n{listed}",
    ),
)


def speakers_of_turns(scene: Scene) -> Candidate | Unfit:
    """The speakers of several quoted sentences, as `letter: speaker` lines; three speakers or more take part."""
    excerpt, rng = scene.target, scene.rng
    turns: dict[str, list[int]] = {}
    for number, block in enumerate(excerpt.blocks):
        if block.kind == "turn":
            turns.setdefault(block.speaker, []).append(number)
    speakers = sorted(turns)
    if len(speakers) < FEWEST or not distinct(speakers):
        return Unfit("fewer than three speakers")
    names = [speaker.lower() for speaker in speakers]

    def fits(text: str) -> bool:
        return not any(prose.count_word(text, name, excerpt.language) for name in names)

    rng.shuffle(speakers)
    groups = []
    for speaker in speakers[: 2 * MOST]:
        # Most turns of a talk are too short to quote.
        sentences = passages(excerpt, turns[speaker], 5 * MOST, rng, fits)
        groups.append(spread(sentences, MOST, rng))
    asked = _varied([group for group in groups if group], rng.randint(FEWEST, MOST), rng)
    if len({sentence.speaker for sentence in asked}) < FEWEST:
        return Unfit("fewer than three speakers with a quotable sentence")
    texts, title = [sentence.text for sentence in asked], excerpt.document.title

    def solve(view: View) -> list[str]:
        said = [(speaker, normalise(words)) for speaker, words in view_turns(view, title)]
        answers = []
        for letter, text in zip(LETTERS, map(normalise, texts), strict=False):
            answers += [f"{letter}: {speaker}" for speaker, words in said if text in words]
        return answers

    question, template = SPEAKERS_OF_TURNS.pick(scene, title=named(excerpt), listed=lettered(texts))
    gold = tuple(f"{letter}: {sentence.speaker}" for letter, sentence in zip(LETTERS, asked, strict=False))
    evidence = tuple(Place(0, excerpt.blocks[sentence.block].span) for sentence in asked)
    return Candidate(question, template, gold, evidence, solve, proof=tuple(texts), once=tuple(texts))
