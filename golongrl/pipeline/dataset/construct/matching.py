"""T6, structured matching: each of several given keys goes with one value of the document."""

import random

from golongrl.pipeline.dataset.construct import tabular
from golongrl.pipeline.dataset.construct.form import LETTERS, Candidate, Unfit, distinct, lettered, named
from golongrl.pipeline.dataset.excerpt import Excerpt

FEWEST, MOST = 3, 6


def cells_of_keys(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The value of one column for each of several named rows, as `name: value` lines."""
    keyed = tabular.keyed_table(excerpt, rng, rows=FEWEST + 1)
    if isinstance(keyed, Unfit):
        return keyed
    table = keyed.table
    if len(keyed.key) != 1:
        return Unfit("no single column names the rows")
    key = keyed.key[0]
    columns = [i for i in keyed.others() if len(set(tabular.column(table, i))) > 2]
    if not columns:
        return Unfit("every column is constant")
    index = rng.choice(columns)
    rows = [row for row in table.rows if tabular.quotable(row.cells[index]) and ":" not in row.cells[key]]
    if len(rows) < FEWEST:
        return Unfit("too few filled cells")
    asked = rng.sample(rows, min(len(rows), rng.randint(FEWEST, MOST)))
    where, name = tabular.where_table(excerpt, table), table.columns[index]
    keys = "\n".join(row.cells[key] for row in asked)
    gold = [f"{row.cells[key]}: {row.cells[index]}" for row in asked]
    if not distinct(gold):
        return Unfit("answers read the same")
    question = (
        f"在{where}中，对下面每一个“{table.columns[key]}”给出它的“{name}”，"
        f"每行写成“{table.columns[key]}: {name}”的形式。\n{keys}"
        if excerpt.language == "zh"
        else f'In {where}, give the "{name}" of each "{table.columns[key]}" below, as lines of the form '
        f"{table.columns[key]}: {name}.\n{keys}"
    )
    evidence = [tabular.cell_span(row, i) for row in asked for i in (key, index)]
    proof = [row.cells[index] for row in asked]
    return Candidate(excerpt, question, tuple(gold), tuple(evidence), tuple(proof))


def headings_of_sentences(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """The nearest heading before each of several quoted sentences, as `letter: heading` lines."""
    heads = [h for h in excerpt.headings if excerpt.distinct_heading(h)]
    found = [s for s in excerpt.sentences if s.heading in heads and excerpt.content(s.heading) not in s.text]
    if len({s.heading.span for s in found if s.heading}) < FEWEST:
        return Unfit("fewer than three headings with a quotable sentence")
    rng.shuffle(found)
    chosen = {s.heading.span: s for s in found if s.heading}
    asked = list(chosen.values())[:MOST]
    rng.shuffle(asked)
    gold = [f"{letter}: {excerpt.content(s.heading)}" for letter, s in zip(LETTERS, asked, strict=False) if s.heading]
    quoted = lettered([s.text for s in asked])
    question = (
        f"在文档{named(excerpt)}中，下面每句话之前最近的标题分别是什么？每行写成“A: 标题”的形式。\n{quoted}"
        if excerpt.language == "zh"
        else f"In the document {named(excerpt)}, which heading comes last before each of these sentences? "
        f"Write lines of the form A: heading.\n{quoted}"
    )
    evidence = [span for s in asked if s.heading for span in (s.heading.content, s.span)]
    proof = [excerpt.content(s.heading) for s in asked if s.heading]
    return Candidate(excerpt, question, tuple(gold), tuple(evidence), tuple(proof), once=tuple(s.text for s in asked))
