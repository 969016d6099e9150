"""T2, comprehension by multiple choice among short options: headings, titles of documents, cells of a table."""

from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct import distractors, passages, tabular
from golongrl.pipeline.dataset.construct.distractors import OPTIONS, Case, Chosen, Label, Neighbours
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, distinct, named
from golongrl.pipeline.dataset.excerpt import NUMBERED, Excerpt
from golongrl.pipeline.dataset.view import View

POOL = 360
"""Sentences among which questions and wrong options are looked for."""
CASES = 48
"""Titles and values tried before a scene is passed over."""
QUOTES = 4
"""Quotations tried per heading or document."""
COLUMNS = 6
"""Columns of a table tried."""
SAMPLE = 4_000
"""Characters of a document, from its middle, by which documents are compared."""

SECTION = Phrasings(
    "section_choice",
    en=(
        "In the document {title}, which of these headings comes last before the passage below?\n{quote}",
        "Below which of the four headings of the document {title} does the following passage stand?\n{quote}",
        "The passage below is quoted from the document {title}. Which heading is the nearest one above it?\n{quote}",
    ),
    zh=(
        "在文档{title}中，下面这段话之前最近的标题是哪一个？\n{quote}",
        "下面这段话位于文档{title}的哪一个标题之下？\n{quote}",
        "以下文字引自文档{title}，它上方最近的标题是哪个选项？\n{quote}",
    ),
)
SOURCE = Phrasings(
    "source_choice",
    en=(
        "Which of these documents holds the passage below?\n{quote}",
        "The following passage is quoted from one of the documents. What is the title of that document?\n{quote}",
        "Find the passage below in the documents. In which of the four does it stand?\n{quote}",
    ),
    zh=(
        "下面这段话出自哪一篇文档？\n{quote}",
        "以下文字引自所给文档中的一篇，该文档的标题是哪个选项？\n{quote}",
        "请在各篇文档中查找下面这段话，它见于四者中的哪一篇？\n{quote}",
    ),
)
CELL = Phrasings(
    "cell_choice",
    en=(
        'In {where}, which value of "{name}" stands in the row where {row}?',
        'Look up the row where {row} in {where}. Which option is its value in the column "{name}"?',
        'Which option does {where} give for "{name}" where {row}?',
    ),
    zh=(
        "在{where}中，{row}的那一行，“{name}”的值是哪一个？",
        "请在{where}中找到{row}的那一行。该行“{name}”一列的值是哪个选项？",
        "{where}中，对于{row}的一行，“{name}”一栏写的是哪一项？",
    ),
)


def section_choice(scene: Scene) -> Candidate | Unfit:
    """Which of four headings a quoted sentence stands below."""
    excerpt = scene.target
    heads = [h for h in excerpt.headings if h.level > 1]
    heads = [h for h in scene.rng.sample(heads, min(len(heads), 4 * CASES)) if excerpt.distinct_heading(h)]
    if len(heads) < OPTIONS:
        return Unfit("fewer than four distinct headings")
    names = [excerpt.content(head) for head in heads]
    number = {head.span.start: at for at, head in enumerate(heads)}
    cases: list[list[Case]] = [[] for _ in heads]
    for sentence in passages.sentences(excerpt, scene.rng, POOL):
        at = None if sentence.heading is None else number.get(sentence.heading.span.start)
        if at is None or len(cases[at]) == QUOTES or not _untold(names[at], sentence.text):
            continue
        if excerpt.once(sentence.text):
            question, template = SECTION.pick(scene, title=named(excerpt), quote=sentence.text)
            evidence = (Place(0, heads[at].content), Place(0, sentence.span))
            cases[at].append(Case(question, names[at], (), template, evidence, (sentence.text,)))
    chosen = _chosen(scene, names, cases, names)
    if isinstance(chosen, Unfit):
        return chosen
    title, quote = excerpt.document.title, chosen.case.proof[0]

    def solve(view: View) -> list[str]:
        wanted = normalise(quote)
        above = {normalise(s.title) for s in view.titled(title).sections if wanted in normalise(s.body)}
        return chosen.letters(lambda option: normalise(option) in above)

    return chosen.candidate(solve, once=(quote,))


def source_choice(scene: Scene) -> Candidate | Unfit:
    """Which of four shown documents a quoted sentence stands in."""
    titles = [excerpt.document.title for excerpt in scene.excerpts]
    if len(titles) < OPTIONS or not distinct(titles):
        return Unfit("fewer than four documents with distinct titles")
    order = scene.rng.sample(range(len(titles)), min(len(titles), CASES))
    cases: list[list[Case]] = [[] for _ in order]
    for at, number in enumerate(order):
        excerpt = scene.excerpts[number]
        for sentence in passages.sentences(excerpt, scene.rng, 4 * QUOTES):
            if len(cases[at]) < QUOTES and _untold(titles[number], sentence.text):
                question, template = SOURCE.pick(scene, quote=sentence.text)
                evidence = (Place(number, sentence.span),)
                cases[at].append(Case(question, titles[number], (), template, evidence, (sentence.text,)))
    contents = [_sample(scene.excerpts[number]) for number in order]
    chosen = _chosen(scene, [titles[number] for number in order], cases, contents)
    if isinstance(chosen, Unfit):
        return chosen
    quote = chosen.case.proof[0]
    if sum(excerpt.flat.count(normalise(quote)) for excerpt in scene.excerpts) != 1:
        return Unfit("what the question quotes stands in two documents")

    def solve(view: View) -> list[str]:
        wanted = normalise(quote)
        return chosen.letters(lambda option: wanted in view.titled(option).flat)

    return chosen.candidate(solve, once=(quote,))


def cell_choice(scene: Scene) -> Candidate | Unfit:
    """Which of four values of a column stands in the row that its key names."""
    excerpt, rng = scene.target, scene.rng
    keyed = tabular.keyed_table(excerpt, rng, rows=OPTIONS)
    if isinstance(keyed, Unfit):
        return keyed
    table = keyed.table
    looked_up: dict[str, tuple[str, list[str]]] = {}
    columns = keyed.others()
    rng.shuffle(columns)
    chosen: Chosen | Unfit = Unfit("no column with four different values")
    for index in columns[:COLUMNS]:
        rows = {tabular.same(row.cells[index]): row for row in rng.sample(table.rows, len(table.rows))}
        rows = {value: row for value, row in rows.items() if tabular.quotable(row.cells[index])}
        labels = []
        for row in rng.sample(list(rows.values()), min(len(rows), CASES)):
            question, template = CELL.pick(
                scene,
                where=tabular.where_table(excerpt, table),
                row=tabular.where_row(keyed, row, scene.language),
                name=table.columns[index],
            )
            evidence = tuple(Place(0, tabular.cell_span(row, i)) for i in (index, *keyed.key))
            cell, keys = row.cells[index], [row.cells[k] for k in keyed.key]
            if cell not in keys:
                labels.append(Label(cell, [Case(question, cell, (), template, evidence, (cell,))]))
                looked_up[question] = (table.columns[index], keys)
        if len(labels) >= OPTIONS:
            mixed = [rng.sample(range(len(labels)), len(labels)) for _ in labels]
            chosen = distractors.labels_balanced(labels, mixed.__getitem__, scene.slot, rng)
            if isinstance(chosen, Chosen):
                break
    if isinstance(chosen, Unfit):
        return chosen
    name, cells = looked_up[chosen.case.question]
    title, shown = excerpt.document.title, tabular.table_columns(excerpt, table) or ()
    keys = list(zip((table.columns[k] for k in keyed.key), cells, strict=True))

    def solve(view: View) -> list[str]:
        found = tabular.shown_table(view, title, shown)
        at = tabular.shown_column(found, name)
        values = {tabular.same(row[at]) for row in tabular.shown_rows(found, keys)}
        return chosen.letters(lambda option: tabular.same(option) in values)

    return chosen.candidate(solve, once=())


def _chosen(scene: Scene, names: list[str], cases: list[list[Case]], contents: list[str]) -> Chosen | Unfit:
    """A question with four of the names, which are put together by how much their contents have in common."""
    if sum(map(bool, cases)) < OPTIONS:
        return Unfit("fewer than four headings or titles with a sentence to quote that does not repeat them")
    labels = [Label(name, found) for name, found in zip(names, cases, strict=True)]
    near = Neighbours(contents, scene.language)
    return distractors.labels_balanced(labels, lambda at: near.nearest(at, len(names)), scene.slot, scene.rng)


def _untold(name: str, quote: str) -> bool:
    """Whether a quotation holds no word of the heading or title that it stands below, and no clause number."""
    return not NUMBERED.match(quote) and not passages.gives_away(name, quote)


def _sample(excerpt: Excerpt) -> str:
    middle = max(0, len(excerpt.text) // 2 - SAMPLE // 2)
    return excerpt.text[middle : middle + SAMPLE]
