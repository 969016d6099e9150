"""T1, precise retrieval: one short answer that stands in the document word for word."""

import random
import re

from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import tabular
from golongrl.pipeline.dataset.construct.form import Candidate, Unfit, named
from golongrl.pipeline.dataset.excerpt import Excerpt


def cell_value(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The value of one column in the row that its key names."""
    keyed = tabular.keyed_table(excerpt, rng, rows=3)
    if isinstance(keyed, Unfit):
        return keyed
    table = keyed.table
    columns = [i for i in keyed.others() if len(set(tabular.column(table, i))) > 2]
    if not columns:
        return Unfit("every column is constant")
    index, row = rng.choice(columns), rng.choice(table.rows)
    value = row.cells[index]
    if not tabular.quotable(value) or value in (row.cells[k] for k in keyed.key):
        return Unfit("the cell is empty, long or repeats its key")
    where, which, name = (
        tabular.where_table(excerpt, table),
        tabular.where_row(keyed, row, excerpt.language),
        table.columns[index],
    )
    question = (
        f"在{where}中，{which}的那一行，“{name}”的值是什么？"
        if excerpt.language == "zh"
        else f'In {where}, what is the value of "{name}" in the row where {which}?'
    )
    evidence = (tabular.cell_span(row, index), *(tabular.cell_span(row, k) for k in keyed.key))
    return Candidate(excerpt, question, (value,), evidence)


def heading_of_sentence(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The heading that comes last before a quoted sentence."""
    heads = [h for h in excerpt.headings if excerpt.distinct_heading(h)]
    if len(heads) < 3:
        return Unfit("fewer than three distinct headings")
    found = [s for s in excerpt.sentences if s.heading in heads and excerpt.content(s.heading) not in s.text]
    if not found:
        return Unfit("no quotable sentence below a distinct heading")
    sentence = rng.choice(found)
    assert sentence.heading is not None
    heading = excerpt.content(sentence.heading)
    question = (
        f"在文档{named(excerpt)}中，下面这句话之前最近的标题是什么？\n{sentence.text}"
        if excerpt.language == "zh"
        else f"In the document {named(excerpt)}, which heading comes last before this sentence?\n{sentence.text}"
    )
    evidence = (sentence.heading.content, sentence.span)
    return Candidate(excerpt, question, (heading,), evidence, once=(sentence.text,))


def missing_word(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The word left out of a sentence that the document holds in full."""
    sentences = list(excerpt.sentences)
    rng.shuffle(sentences)
    for sentence in sentences[:8]:
        words = _gaps(sentence.text, excerpt.language)
        if not words:
            continue
        word = rng.choice(words)
        at = sentence.text.index(word)
        left, right = sentence.text[:at], sentence.text[at + len(word) :]
        pattern = re.escape(left) + r".{1,60}?" + re.escape(right)
        if len(re.findall(pattern, excerpt.text)) != 1:
            continue
        gapped = f"{left}____{right}"
        question = (
            f"下面这句话出自文档{named(excerpt)}，其中一个词被替换为____。原文中这个词是什么？\n{gapped}"
            if excerpt.language == "zh"
            else f"This sentence stands in the document {named(excerpt)} with one word in place of the gap ____. "
            f"Which word is it?\n{gapped}"
        )
        once = tuple(part for part in (max(left, right, key=len).strip(),) if part)
        return Candidate(excerpt, question, (word,), (sentence.span,), once=once)
    return Unfit("no quotable sentence with a word to leave out")


def speaker_of_sentence(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """Who says a quoted sentence of a dialogue."""
    speakers = {block.speaker for block in excerpt.blocks if block.kind == "turn"}
    if len(speakers) < 3:
        return Unfit("fewer than three speakers")
    found = [s for s in excerpt.sentences if s.speaker and s.speaker not in s.text]
    if not found:
        return Unfit("no quotable sentence in a turn")
    sentence = rng.choice(found)
    question = (
        f"在文档{named(excerpt)}中，下面这句话是谁说的？\n{sentence.text}"
        if excerpt.language == "zh"
        else f"In the document {named(excerpt)}, who says this?\n{sentence.text}"
    )
    span = excerpt.blocks[sentence.block].span
    return Candidate(excerpt, question, (sentence.speaker,), (span,), once=(sentence.text,))


def _gaps(sentence: str, language: str) -> list[str]:
    """Words worth leaving out: content words that stand once in the sentence, never its first word."""
    if language == "zh":
        words = prose.content_words(sentence, "zh")
    else:
        words = prose.content_words(" ".join(sentence.split()[1:]), "en")
    inner = sentence.lower()
    kept = [word for word, count in words.items() if count == 1 and inner.count(word) == 1]
    return [sentence[inner.index(word) : inner.index(word) + len(word)] for word in kept]
