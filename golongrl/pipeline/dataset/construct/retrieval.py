"""T1, precise retrieval: one short answer that stands in the document word for word."""

import functools
import re

from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import passages, tabular
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, named
from golongrl.pipeline.dataset.excerpt import NUMBERED, Sentence
from golongrl.pipeline.dataset.view import View

POOL = 120
"""Sentences among which one to quote is looked for."""
TRIED = 24
"""Sentences or rows tried before a scene is passed over."""
RARE = 3
"""How often a left-out word may stand in the text, unless it has a capital letter."""
GAP = "____"

CELL = Phrasings(
    "cell_value",
    en=(
        'In {where}, what is the value of "{name}" in the row where {row}?',
        'Look up the row where {row} in {where}. What stands in its column "{name}"?',
        'What does {where} give for "{name}" where {row}?',
    ),
    zh=(
        "在{where}中，{row}的那一行，“{name}”的值是什么？",
        "请在{where}中找到{row}的那一行，写出该行“{name}”一列的内容。",
        "{where}中，对于{row}的一行，“{name}”一栏写的是什么？",
    ),
)
HEADING = Phrasings(
    "heading_of_sentence",
    en=(
        "In the document {title}, which heading comes last before this sentence?\n{quote}",
        "Find the sentence below in the document {title}. What is the nearest heading above it?\n{quote}",
        "Below which heading of the document {title} does the following sentence stand? Give the nearest one.\n"
        "{quote}",
    ),
    zh=(
        "在文档{title}中，下面这句话之前最近的标题是什么？\n{quote}",
        "请在文档{title}中找到下面这句话，写出它上方最近的标题。\n{quote}",
        "下面这句话位于文档{title}的哪个标题之下？请写出离它最近的标题。\n{quote}",
    ),
)
WORD = Phrasings(
    "missing_word",
    en=(
        "This sentence stands in the document {title} with one word in place of the gap ____. Which word is it?\n"
        "{quote}",
        "One word of the following sentence from the document {title} was replaced by ____. Give the word.\n{quote}",
        "Find the sentence below in the document {title}. Which word does it have where the gap ____ is?\n{quote}",
    ),
    zh=(
        "下面这句话出自文档{title}，其中一个词被替换为____。原文中这个词是什么？\n{quote}",
        "文档{title}中的下面这句话缺了一个词（以____表示），请写出这个词。\n{quote}",
        "请在文档{title}中找到下面这句话。原文在____处是哪个词？\n{quote}",
    ),
)
SPEAKER = Phrasings(
    "speaker_of_sentence",
    en=(
        "In the document {title}, who says this?\n{quote}",
        "Whose turn in the document {title} holds the following sentence?\n{quote}",
        "Find the sentence below in the document {title} and name its speaker.\n{quote}",
    ),
    zh=(
        "在文档{title}中，下面这句话是谁说的？\n{quote}",
        "文档{title}中，下面这句话出自谁的发言？\n{quote}",
        "请在文档{title}中找到下面这句话，写出说话人的名字。\n{quote}",
    ),
)


def cell_value(scene: Scene) -> Candidate | Unfit:
    """The value of one column in the row that its key names."""
    excerpt, rng = scene.target, scene.rng
    keyed = tabular.keyed_table(excerpt, rng, rows=3)
    if isinstance(keyed, Unfit):
        return keyed
    table = keyed.table
    columns = [i for i in keyed.others() if len({tabular.same(cell) for cell in tabular.column(table, i)}) > 2]
    if not columns:
        return Unfit("every column is constant")
    for _ in range(TRIED):
        index, row = rng.choice(columns), rng.choice(table.rows)
        value, keys = row.cells[index], [row.cells[k] for k in keyed.key]
        if (
            tabular.quotable(value)
            and value not in keys
            and normalise(value) not in normalise(excerpt.document.title)
        ):
            break
    else:
        return Unfit("the cells are empty, long or repeat their keys")
    name, columns_named = table.columns[index], tabular.table_columns(excerpt, table) or ()
    where, which = tabular.where_table(excerpt, table), tabular.where_row(keyed, row, scene.language)
    question, template = CELL.pick(scene, where=where, row=which, name=name)
    title = excerpt.document.title
    wanted = list(zip((table.columns[k] for k in keyed.key), keys, strict=True))

    def solve(view: View) -> list[str]:
        found = tabular.shown_table(view, title, columns_named)
        at = tabular.shown_column(found, name)
        return [cells[at] for cells in tabular.shown_rows(found, wanted)]

    evidence = tuple(Place(0, tabular.cell_span(row, i)) for i in (index, *keyed.key))
    return Candidate(question, template, (value,), evidence, solve)


def heading_of_sentence(scene: Scene) -> Candidate | Unfit:
    """The heading that comes last before a quoted sentence that does not repeat its words."""
    excerpt = scene.target
    if len(excerpt.headings) < 3:
        return Unfit("fewer than three headings")
    for sentence in passages.sentences(excerpt, scene.rng, POOL):
        head = sentence.heading
        if head is None or NUMBERED.match(sentence.text) or not excerpt.distinct_heading(head):
            continue
        heading = excerpt.content(head)
        if passages.gives_away(heading, f"{excerpt.document.title} {sentence.text}") or not excerpt.once(
            sentence.text
        ):
            continue
        question, template = HEADING.pick(scene, title=named(excerpt), quote=sentence.text)
        solve = functools.partial(_headings_above, excerpt.document.title, normalise(sentence.text))
        evidence = (Place(0, head.content), Place(0, sentence.span))
        return Candidate(
            question, template, (heading,), evidence, solve, proof=(sentence.text,), once=(sentence.text,)
        )
    return Unfit("no quotable sentence below a distinct heading that it does not repeat")


def missing_word(scene: Scene) -> Candidate | Unfit:
    """The word left out of a sentence that the document holds in full."""
    excerpt, rng = scene.target, scene.rng
    for sentence in passages.sentences(excerpt, rng, POOL)[:TRIED]:
        words = [w for w in _gaps(sentence.text, scene.language) if w.lower() not in excerpt.document.title.lower()]
        # What a text says often, or any text might say, is guessed from the sentence.
        words = [w for w in words if w[0].isupper() or excerpt.flat.count(normalise(w)) <= RARE]
        if not words:
            continue
        word = rng.choice(words)
        left, right = sentence.text.split(word, 1)
        longer = max(left, right, key=len).strip()
        pattern = re.compile(re.escape(left) + r"(.{1,60}?)" + re.escape(right))
        if not excerpt.once(longer) or pattern.findall(excerpt.text) != [word]:
            continue
        question, template = WORD.pick(scene, title=named(excerpt), quote=f"{left}{GAP}{right}")
        solve = functools.partial(_fills, excerpt.document.title, pattern)
        evidence = (Place(0, sentence.span),)
        return Candidate(
            question, template, (word,), evidence, solve, proof=(sentence.text,), once=(sentence.text, longer)
        )
    return Unfit("no quotable sentence with a word to leave out")


def speaker_of_sentence(scene: Scene) -> Candidate | Unfit:
    """Who says a quoted sentence of a dialogue; speakers are asked for equally often, however much they say."""
    excerpt, rng = scene.target, scene.rng
    speakers = sorted({block.speaker for block in excerpt.blocks if block.kind == "turn"})
    if len(speakers) < 3:
        return Unfit("fewer than three speakers")
    said: dict[str, list[Sentence]] = {speaker: [] for speaker in speakers}
    for sentence in passages.sentences(excerpt, rng, 4 * POOL):
        if sentence.speaker and not passages.gives_away(sentence.speaker, sentence.text):
            said[sentence.speaker].append(sentence)
    for speaker in rng.sample(speakers, len(speakers)):
        for sentence in said[speaker][:TRIED]:
            if not excerpt.once(sentence.text):
                continue
            question, template = SPEAKER.pick(scene, title=named(excerpt), quote=sentence.text)
            solve = functools.partial(_who_says, excerpt.document.title, normalise(sentence.text))
            evidence = (Place(0, excerpt.blocks[sentence.block].span),)
            return Candidate(
                question, template, (speaker,), evidence, solve, proof=(sentence.text,), once=(sentence.text,)
            )
    return Unfit("no quotable sentence in a turn")


def _headings_above(title: str, sentence: str, view: View) -> list[str]:
    return [section.title for section in view.titled(title).sections if sentence in normalise(section.body)]


def _fills(title: str, pattern: re.Pattern[str], view: View) -> list[str]:
    return [found for line in view.titled(title).lines for found in pattern.findall(line.text)]


def _who_says(title: str, sentence: str, view: View) -> list[str]:
    turns = (line.text.partition(": ") for line in view.titled(title).lines if line.kind == "text")
    return [speaker for speaker, mark, said in turns if mark and sentence in normalise(said)]


def _gaps(sentence: str, language: str) -> list[str]:
    """Words worth leaving out: content words that stand once in the sentence, never its first word."""
    if language == "zh":
        words = prose.content_words(sentence, "zh")
    else:
        words = prose.content_words(" ".join(sentence.split()[1:]), "en")
    inner = sentence.lower()
    kept = [word for word, count in words.items() if count == 1 and inner.count(word) == 1]
    return [sentence[inner.index(word) : inner.index(word) + len(word)] for word in kept if inner.index(word) > 0]
