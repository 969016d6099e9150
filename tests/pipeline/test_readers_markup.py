"""Markdown and reStructuredText: front matter, mathematics, footnotes, lists with blocks inside, and directives that
docutils does not know."""

import pytest

from golongrl.pipeline.dataset.readers import Origin, markdown, rst


def of_markdown(text):
    return next(markdown.read(text, Origin("a.md", "a", ".md", "CC0")))


def of_rst(text):
    return next(rst.read(text, Origin("a.rst", "a", ".rst", "CC0")))


def kinds(document):
    return [(b.kind, document.slice(b.content)) for b in document.blocks if b.kind != "table"]


@pytest.mark.parametrize(
    ("text", "title", "said"),
    [
        ("---\ntitle: 'The Bay'\ntags: [a]\n---\ntext\n", "The Bay", "text"),
        ("---\n# made by hand\ntitle: Bay: a guide\n...\ntext\n", "Bay: a guide", "text"),
        ('+++\ntitle = "The Bay"\n+++\ntext\n', "The Bay", "text"),
        ("---\nlayout: page\n---\n# Nets\n", "Nets", "# Nets"),
        ("---\n---\ntext\n", "a", "text"),
        ("---\ntitle:\nauthor: Ann\n---\ntext\n", "a", "text"),
        ("---\ntitle: >-\n  The Bay\n---\ntext\n", "a", "text"),
    ],
)
def test_front_matter_gives_the_title_and_goes(text, title, said):
    document = of_markdown(text)
    assert (document.title, document.text) == (title, said)


@pytest.mark.parametrize(
    "opening", ["---\n\n# Nets\n\nOne.\n\n---\n\nTwo.\n", "---\n# Nets\n\nOne.\n\n---\n\nTwo.\n"]
)
def test_a_rule_above_the_first_heading_begins_no_front_matter(opening):
    assert of_markdown(opening).text == "# Nets\n\nOne.\n\nTwo."


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"Let $a*b*c$ and $x_i \{1\}$ hold.", r"Let $a*b*c$ and $x_i \{1\}$ hold."),
        ("$$\na &= b \\\\\nc &= d\\, e\n$$", r"$$ a &= b \\ c &= d\, e $$"),
        (r"So \(a_i*b_j\) and \[x^*\].", r"So \(a_i*b_j\) and \[x^*\]."),
        ("It cost $5 and $10, *much* more than HK$ 6.", "It cost $5 and $10, much more than HK$ 6."),
        (r"See \[not *this*\] and \(that\).", "See [not this] and (that)."),
        (r"Pay \$5 or \$6.", "Pay $5 or $6."),
        ("Use `$a*b*c$` here.", "Use $a*b*c$ here."),
    ],
)
def test_mathematics_stays_as_it_is_written_and_prices_are_none(source, text):
    assert of_markdown(source).text == text


def test_a_footnote_of_one_word_is_no_link_definition():
    document = of_markdown("Nets[^1] dry, [boats][b] do not.\n\n[^1]: Woven.\n\n[b]: https://example.org\n")
    assert document.text == "Nets[^1] dry, boats do not.\n\n[^1]: Woven."


def test_blocks_inside_an_item_come_after_its_text():
    document = of_markdown("- first\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n- second\n\n  # Heading\n\n  after\n")
    assert [b.kind for b in document.blocks] == ["item", "table", "item", "heading", "item"]
    assert kinds(document) == [("item", "first"), ("item", "second"), ("heading", "Heading"), ("item", "after")]


def test_embedded_html_is_read_like_a_page():
    text = (
        "one<br>two\n\n| a | b |\n|---|---|\n| x<br/>y | 2 |\n\n<script>\nvar x\n</script>\n\n"
        "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>\n\n"
        "<details>\n<summary>More &amp; more</summary>\n\ninside\n\n</details>\n\n<!-- gone -->\n"
    )
    document = of_markdown(text)
    assert kinds(document) == [("paragraph", "one two"), ("paragraph", "More & more"), ("paragraph", "inside")]
    assert [b.table.rows[0].cells for b in document.blocks if b.table] == [("x y", "2"), ("1", "2")]


def test_unknown_directives_keep_their_text():
    text = (
        "Nets\n====\n\n.. versionadded:: 3.2\n   Knots of *silk*.\n\n.. py:function:: mend(net,\n        by)\n"
        "   :async:\n\n   Mends it.\n\n   :param by: who\n\n   .. tip-box:: Inner\n\n      Deep.\n\n"
        ".. code-block:: python\n   :emphasize-lines: 2\n\n   a = 1\n\n   b = 2\n\n"
        ".. toctree::\n   :maxdepth: 2\n\n   other\n\n.. include:: secret.txt\n"
    )
    assert kinds(of_rst(text)) == [
        ("heading", "Nets"),
        ("paragraph", "3.2 Knots of silk."),
        ("paragraph", "mend(net, by)"),
        ("paragraph", "Mends it."),
        ("item", "param by: who"),
        ("paragraph", "Inner"),
        ("paragraph", "Deep."),
        ("code", "a = 1\n\nb = 2"),
    ]


def test_captions_formulas_options_notes_and_boxes_are_read():
    text = (
        ".. figure:: x.png\n\n   The bay.\n\n   Drawn in 1840.\n\n.. math:: a = b\n\n"
        ".. table:: Catch\n\n   == ==\n   a  b\n   == ==\n   1  2\n   == ==\n\n"
        "-o FILE  Write there\n\nAs said [1]_.\n\n.. [1] By her.\n\n.. topic:: Box\n\n   Inside.\n\nThen\n\n"
        "  Quoted.\n\n  -- Ann\n\n.. contents::\n"
    )
    assert kinds(of_rst(text)) == [
        ("paragraph", "The bay."),
        ("paragraph", "Drawn in 1840."),
        ("paragraph", "$$ a = b $$"),
        ("paragraph", "Catch"),
        ("item", "-o FILE: Write there"),
        ("paragraph", "As said [1]."),
        ("paragraph", "[1] By her."),
        ("paragraph", "Box"),
        ("paragraph", "Inside."),
        ("paragraph", "Then"),
        ("paragraph", "Quoted."),
        ("paragraph", "Ann"),
    ]


def test_what_docutils_cannot_parse_is_kept_as_it_stands():
    table = "=====  ====\nbad table\n=====  ====\n1  2\n====="
    document = of_rst(
        f"Nets\n====\n\n{table}\n\nSub\n---\n\na\n\nDeep\n~~~~\n\nb\n\nOut of order\n^^^^^^^^^^^^\n\nc\n"
    )
    assert ("code", table) in kinds(document)
    assert [words for kind, words in kinds(document) if kind == "heading"] == ["Nets", "Sub", "Deep", "Out of order"]


def test_a_very_long_line_and_deep_directives_are_read():
    assert len(of_rst("word " * 300_000).text) == 1_499_999
    nested = of_rst("\n".join(f"{'   ' * depth}.. box:: level {depth}\n" for depth in range(30))).text
    assert all(f"level {depth}" in nested for depth in range(30))
