"""T2, comprehension by multiple choice: four options from the same document, of which one is right."""

import itertools
import random

from golongrl.core.documents import Span
from golongrl.pipeline.dataset.construct import tabular
from golongrl.pipeline.dataset.construct.form import LETTERS, Candidate, Unfit, distinct, lettered, named
from golongrl.pipeline.dataset.excerpt import Excerpt

OPTIONS = 4


def _choice(
    excerpt: Excerpt,
    rng: random.Random,
    stem: str,
    right: str,
    wrong: list[str],
    evidence: tuple[Span, ...],
    once: tuple[str, ...] = (),
) -> Candidate | Unfit:
    if len(wrong) < OPTIONS - 1:
        return Unfit("too few wrong options")
    options = [right, *rng.sample(wrong, OPTIONS - 1)]
    if not distinct(options):
        return Unfit("options read the same")
    rng.shuffle(options)
    question = f"{stem}\n{lettered(options)}"
    letter = LETTERS[options.index(right)]
    return Candidate(excerpt, question, (letter,), evidence, (right,), tuple(options), once)


def section_choice(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """Which of four headings a quoted sentence stands below."""
    heads = [h for h in excerpt.headings if excerpt.distinct_heading(h) and h.level > 1]
    if len(heads) < OPTIONS:
        return Unfit("fewer than four distinct headings")
    found = [s for s in excerpt.sentences if s.heading in heads and excerpt.content(s.heading) not in s.text]
    if not found:
        return Unfit("no quotable sentence below a distinct heading")
    sentence = rng.choice(found)
    assert sentence.heading is not None
    right = excerpt.content(sentence.heading)
    stem = (
        f"在文档{named(excerpt)}中，下面这句话之前最近的标题是哪一个？\n{sentence.text}"
        if excerpt.language == "zh"
        else f"In the document {named(excerpt)}, which of these headings comes last before the sentence below?\n"
        f"{sentence.text}"
    )
    wrong = [excerpt.content(h) for h in heads if h is not sentence.heading]
    evidence = (sentence.heading.content, sentence.span)
    return _choice(excerpt, rng, stem, right, wrong, evidence, once=(sentence.text,))


def cell_choice(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """Which of four values of a column stands in the row that its key names."""
    keyed = tabular.keyed_table(excerpt, rng, rows=OPTIONS)
    if isinstance(keyed, Unfit):
        return keyed
    table = keyed.table
    columns = keyed.others()
    rng.shuffle(columns)
    for index in columns:
        values = {tabular.same(cell): cell for cell in tabular.column(table, index) if tabular.quotable(cell)}
        row = rng.choice(table.rows)
        right = row.cells[index]
        if len(values) < OPTIONS or not tabular.quotable(right):
            continue
        wrong = [cell for value, cell in values.items() if value != tabular.same(right)]
        where, which = tabular.where_table(excerpt, table), tabular.where_row(keyed, row, excerpt.language)
        name = table.columns[index]
        stem = (
            f"在{where}中，{which}的那一行，“{name}”的值是哪一个？"
            if excerpt.language == "zh"
            else f'In {where}, which value of "{name}" stands in the row where {which}?'
        )
        evidence = (tabular.cell_span(row, index), *(tabular.cell_span(row, k) for k in keyed.key))
        return _choice(excerpt, rng, stem, right, wrong, evidence)
    return Unfit("no column with four different values")


def next_sentence(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """Which of four sentences of the document comes directly after a quoted one."""
    gap = 2
    sentences = excerpt.sentences
    pairs = [
        (first, second)
        for first, second in itertools.pairwise(sentences)
        if first.block == second.block and 0 <= second.span.start - first.span.end <= gap
    ]
    if not pairs:
        return Unfit("no two quotable sentences in a row")
    first, second = rng.choice(pairs)
    wrong = [s.text for s in sentences if s not in (first, second)]
    stem = (
        f"在文档{named(excerpt)}中，紧接在下面这句话之后的是哪一句？\n{first.text}"
        if excerpt.language == "zh"
        else f"In the document {named(excerpt)}, which sentence comes directly after this one?\n{first.text}"
    )
    return _choice(excerpt, rng, stem, second.text, wrong, (first.span, second.span), (first.text, second.text))
